// Package exchange makes an exchange out of network namespaces, whose bundles
// spread flows over their members as real ones do, breaks it and heals it, and
// tells which flow crosses which member.
//
//	rome-1            rome-2            milan-1
//	p1 ── sw1 ══════════ sw2 ══════════ sw3 ── p3
//	                    ║   │
//	milan-2             ║   p2
//	p4 ── sw4 ══════════╝
//
// Four sites have a switch each; sw2 is in the middle, so that a path is one
// bundle long or two, and three pairs of sites cross each bundle in each
// direction. ══ is a bundle, by default of 8 members, which are numbered from 0.
// More probes than four go to the sites in turn: p5 to rome-1.
//
// What it promises:
//   - A bundle works on layer 2, the TTL stays. The member is chosen by a hash of
//     addresses and ports of UDP, in IPv4 and IPv6; all else crosses member 0.
//     Each direction of each bundle has a seed of its own, so that no bundle
//     polarises another, and the same in every exchange: what is measured can be
//     measured again.
//   - A flow crosses the bundles of its path and no others: where a probe is, is
//     written into switches and probes, nothing is flooded and nothing asked for.
//   - A fault is in one direction of one member and leaves all else alone.
//     Several may be active at once. What is broken, how often a fault struck and
//     which flows there are stands in the kernel alone, for every process to see.
package exchange

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"ixpqos/infra/lab/netns"
)

// Options of an exchange; what is 0 has a default.
type Options struct {
	ProbesPerSite int // 1
	Members       int // of each bundle: 8
}

// Site is a place with one switch.
type Site struct{ Name, Switch string }

// Link is a bundle between two switches.
type Link struct {
	Name     string
	From, To string // its forward direction
	Members  int
}

// Probe is a host for a probe, with both families.
type Probe struct {
	Name, Site, Switch string
	IPv4, IPv6         netip.Addr

	mac net.HardwareAddr
}

const middle = "sw2"

// mostProbes is how many a site can have: the addresses are those of a /24.
const mostProbes = 60

// Exchange is one that stands.
type Exchange struct {
	Sites  []Site
	Links  []Link
	Probes []Probe
	*netns.Network

	holders []*holder
}

// plan is the exchange that the options ask for; nothing of it stands.
func plan(network *netns.Network, o Options) (*Exchange, error) {
	if o.ProbesPerSite == 0 {
		o.ProbesPerSite = 1
	}
	if o.Members == 0 {
		o.Members = 8
	}
	if o.ProbesPerSite < 0 || o.ProbesPerSite > mostProbes || o.Members < 0 {
		return nil, wrongf("an exchange with %d probes a site and %d members a bundle: it has 1 to %d probes, and at least 1 member",
			o.ProbesPerSite, o.Members, mostProbes)
	}
	x := &Exchange{Network: network, Sites: []Site{{"rome-1", "sw1"}, {"rome-2", middle}, {"milan-1", "sw3"}, {"milan-2", "sw4"}}}
	for _, ends := range [][2]string{{"sw1", middle}, {middle, "sw3"}, {middle, "sw4"}} {
		x.Links = append(x.Links, Link{Name: ends[0] + "-" + ends[1], From: ends[0], To: ends[1], Members: o.Members})
	}
	for i := range o.ProbesPerSite * len(x.Sites) {
		x.Probes = append(x.Probes, newProbe(i+1, x.Sites[i%len(x.Sites)]))
	}
	return x, nil
}

func newProbe(number int, site Site) Probe {
	return Probe{
		Name: fmt.Sprintf("p%d", number), Site: site.Name, Switch: site.Switch,
		IPv4: netip.AddrFrom4([4]byte{198, 18, 0, byte(number)}), // RFC 2544
		IPv6: netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", number)),
		mac:  net.HardwareAddr{2, 0, 0, 0, 0, byte(number)}, // a local one
	}
}

// New makes an exchange whose namespaces have a prefix. Who makes it closes it,
// and lives as long: what faults hold back, this process holds.
func New(prefix string, o Options) (*Exchange, error) {
	x, err := plan(netns.New(prefix), o)
	if err != nil {
		return nil, err
	}
	if err := x.build(); err != nil {
		return nil, errors.Join(err, x.Close())
	}
	return x, nil
}

// ErrNone: no exchange stands.
var ErrNone = errors.New("no lab is running")

// Open is an exchange that another process made.
func Open(prefix string) (*Exchange, error) {
	network, err := netns.Open(prefix)
	if err != nil {
		return nil, err
	}
	x, err := plan(network, Options{})
	if err != nil {
		return nil, err
	}
	members, err := x.countMembers()
	if err != nil {
		return nil, err
	}
	probes := 0
	for _, name := range network.Names() {
		var number int
		if n, _ := fmt.Sscanf(name, "p%d", &number); n == 1 {
			probes++
		}
	}
	return plan(network, Options{ProbesPerSite: probes / len(x.Sites), Members: members})
}

// Close ends what runs in the exchange and removes it.
func (x *Exchange) Close() error {
	for _, h := range x.holders {
		h.close()
	}
	return x.Network.Close()
}

// wrongError is an error in what was asked for, as package program knows it.
type wrongError struct{ error }

func (wrongError) Usage() {}

func wrongf(format string, args ...any) error { return wrongError{fmt.Errorf(format, args...)} }
