package agent

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"ixpqos/internal/inventory"
	"ixpqos/internal/measure/timestamp"
)

// addresses looks at the own addresses, and at the names of all others.
func (c *checker) addresses(ctx context.Context, part inventory.Part) {
	loopback := onLoopback(part)
	for _, a := range part.Addresses {
		ip, err := resolved(ctx, a, loopback)
		if err == nil {
			err = checkLocal(ip, part.Interface)
		}
		c.say(fmt.Sprintf("address IPv%d", a.Family), err, named(a, ip)+" is configured here")
	}
	c.names(ctx, part, loopback)
}

func (c *checker) names(ctx context.Context, part inventory.Part, loopback bool) {
	var wrong []string
	names := 0
	for _, p := range part.Peers {
		for _, a := range p.Addresses {
			if _, is := a.IP(); is {
				continue
			}
			names++
			if _, err := resolved(ctx, a, loopback); err != nil {
				wrong = append(wrong, fmt.Sprintf("%s: %v", p.Name, err))
			}
		}
	}
	var err error
	if wrong != nil {
		err = errors.New(strings.Join(wrong, "; "))
	}
	if names > 0 {
		c.say("host names", err, fmt.Sprintf("all %d of the others have an address", names))
	}
}

// named is an address with what its name stands for.
func named(a inventory.Address, ip netip.Addr) string {
	if a.Host == ip.String() {
		return a.Host
	}
	return fmt.Sprintf("%s (%s)", a.Host, ip)
}

// onLoopback tells an exchange that is on one machine, where no other address is
// right, from all others.
func onLoopback(part inventory.Part) bool {
	return !slices.ContainsFunc(part.Peers, func(p inventory.Peer) bool {
		return slices.ContainsFunc(p.Addresses, func(a inventory.Address) bool {
			ip, is := a.IP()
			return !is && a.Host != "localhost" || is && !ip.IsLoopback()
		})
	})
}

// resolved is the address that a host has. Of a name it must be one that others
// reach too: Debian gives a host's own name 127.0.1.1 (/etc/hosts, Debian
// Reference, section 5.1.1).
func resolved(ctx context.Context, a inventory.Address, loopback bool) (netip.Addr, error) {
	if ip, is := a.IP(); is {
		return ip, nil
	}
	all, err := lookup(ctx, a.Host)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("host name %q has no address: %w", a.Host, err)
	}
	i := slices.IndexFunc(all, func(ip netip.Addr) bool { return ip.Unmap().Is4() == (a.Family == 4) })
	if i < 0 {
		return netip.Addr{}, fmt.Errorf("host name %q has no IPv%d address: correct the inventory, or the name", a.Host, a.Family)
	}
	ip := all[i].Unmap()
	if ip.IsUnspecified() || ip.IsMulticast() || ip.IsLoopback() && !loopback {
		return ip, fmt.Errorf("host name %q stands for %s here, which no other host reaches: write the address into the inventory, or correct where it stands, such as /etc/hosts", a.Host, ip)
	}
	return ip, nil
}

// checkLocal tries to take the address as a local one, as the tests do: by the
// same interface, which may be that of a VRF. Looking through the interfaces'
// addresses would miss those that a prefix makes local.
func checkLocal(ip netip.Addr, netif string) error {
	socket, err := timestamp.Open(timestamp.Options{Local: netip.AddrPortFrom(ip, 0), Interface: netif, Batch: 1, MaxPacket: 1})
	if err != nil {
		return fmt.Errorf("%s cannot be used here (%w)", ip, err)
	}
	return socket.Close()
}
