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

// addresses looks at the own addresses, and at the names of all others. What a name
// stands for is what the tests take it for.
func (c *checker) addresses(ctx context.Context, part inventory.Part) {
	own := map[uint8]netip.Addr{}
	for _, a := range part.Addresses {
		ip, note, err := c.names.Own(ctx, a.Host, a.Family)
		switch {
		case err == nil && ip.IsValid():
			err = checkLocal(ip, part.Interface)
		case err == nil:
			err = errors.New(note)
		}
		own[a.Family] = ip
		c.say(fmt.Sprintf("address IPv%d", a.Family), err, sentences(named(a, ip)+" is configured here", note))
	}
	c.others(ctx, part, own)
}

// others looks at the names of the others.
func (c *checker) others(ctx context.Context, part inventory.Part, own map[uint8]netip.Addr) {
	var wrong, notes []string
	n := 0
	for _, p := range part.Peers {
		for _, a := range p.Addresses {
			if _, is := a.IP(); is {
				continue
			}
			n++
			if _, note, err := c.names.Target(ctx, a.Host, a.Family, own[a.Family]); err != nil {
				wrong = append(wrong, fmt.Sprintf("%s: %v", p.Name, err))
			} else {
				notes = append(notes, note)
			}
		}
	}
	var err error
	if wrong != nil {
		err = errors.New(strings.Join(wrong, "; "))
	}
	if n > 0 {
		c.say("host names", err, sentences(append([]string{fmt.Sprintf("all %d of the others have an address", n)}, notes...)...))
	}
}

// sentences joins those that are there.
func sentences(all ...string) string {
	return strings.Join(slices.DeleteFunc(all, func(s string) bool { return s == "" }), "; ")
}

// named is an address with what its name stands for.
func named(a inventory.Address, ip netip.Addr) string {
	if a.Host == ip.String() {
		return a.Host
	}
	return fmt.Sprintf("%s (%s)", a.Host, ip)
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
