package ping

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"ixpqos/internal/inventory"
)

// Names turns host names, which the first version's files may hold, into
// addresses. Of several it takes one and keeps it for as long as the name has
// it: a series that changed its host every round would be none. The zero value
// is ready; all rounds of a probe share one.
type Names struct {
	mu    sync.Mutex
	taken map[string]netip.Addr // by family and name
	// Look takes the place of the resolver in tests.
	Look func(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Target is the address of a target that is reached from an own address. Note says what a person should know of it.
func (n *Names) Target(ctx context.Context, host string, family uint8, own netip.Addr) (ip netip.Addr, note string, err error) {
	return n.resolve(ctx, host, family, own.IsLoopback() || isLocal(host))
}

// Own is the own address to send from; an invalid one leaves that to the kernel.
// Note says what a person should know of it.
func (n *Names) Own(ctx context.Context, host string, family uint8) (ip netip.Addr, note string, err error) {
	if host == "" {
		return ip, "", nil
	}
	ip, note, err = n.resolve(ctx, host, family, isLocal(host))
	if loop, ok := err.(noHostError); ok && loop.ip.IsLoopback() {
		// Debian's /etc/hosts gives a host's own name 127.0.1.1, from which nothing
		// can leave.
		return netip.Addr{}, fmt.Sprintf("the own name %q resolves to %s (see /etc/hosts), so the kernel chooses the own address: put the address into the inventory", host, loop.ip), nil
	}
	return ip, note, err
}

// isLocal: localhost means this host by intent (RFC 6761, section 6.3).
func isLocal(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

func (n *Names) resolve(ctx context.Context, host string, family uint8, loopback bool) (ip netip.Addr, note string, err error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		ip = ip.Unmap()
		return ip, "", check(host, ip, true)
	}
	found, err := n.lookup(ctx, host, family)
	usable := slices.DeleteFunc(slices.Clone(found), func(ip netip.Addr) bool { return check(host, ip, loopback) != nil })
	key := fmt.Sprint(family, host)
	n.mu.Lock()
	defer n.mu.Unlock()
	kept, had := n.taken[key]
	switch {
	case err != nil && had:
		return kept, fmt.Sprintf("%v; %s is used on, which it was before", err, kept), nil
	case err != nil:
		return ip, "", err
	case len(usable) == 0:
		return ip, "", check(host, found[0], loopback)
	case !slices.Contains(usable, kept):
		kept = usable[0]
	}
	if n.taken == nil {
		n.taken = map[string]netip.Addr{}
	}
	n.taken[key] = kept
	if len(usable) > 1 {
		note = fmt.Sprintf("%q has %d addresses, and %s is used: put the one that is meant into the inventory", host, len(usable), kept)
	}
	return kept, note, nil
}

func (n *Names) lookup(ctx context.Context, host string, family uint8) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, inventory.LossThreshold)
	defer cancel()
	look := n.Look
	if look == nil {
		look = net.DefaultResolver.LookupNetIP
	}
	ips, err := look(ctx, fmt.Sprintf("ip%d", family), host)
	if err == nil && len(ips) == 0 {
		err = fmt.Errorf("the resolver gave none")
	}
	if err != nil {
		return nil, fmt.Errorf("%q has no IPv%d address: %w", host, family, err)
	}
	for i := range ips {
		ips[i] = ips[i].Unmap()
	}
	return ips, nil
}

// noHostError says of an address that it is not that of one host of a network.
type noHostError struct {
	host string
	ip   netip.Addr
	what string
}

func (e noHostError) Error() string {
	if e.host == e.ip.String() {
		return fmt.Sprintf("%s is %s; it must be that of one host: correct the inventory", e.ip, e.what)
	}
	return fmt.Sprintf("%q resolves to %s, which is %s; it must be that of one host: correct the name service, or put the address into the inventory", e.host, e.ip, e.what)
}

func check(host string, ip netip.Addr, loopback bool) error {
	switch {
	case ip.IsUnspecified():
		return noHostError{host, ip, "no address at all"}
	case ip.IsMulticast(), ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return noHostError{host, ip, "that of many hosts"}
	case ip.IsLoopback() && !loopback:
		return noHostError{host, ip, "a loopback address"}
	}
	return nil
}
