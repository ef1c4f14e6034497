package exchange

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"ixpqos/infra/lab/netns"
)

// A bundle in one direction: from a switch towards another. Its namespace, the
// multiplexer at the first switch, has the device uplink to that, one a member,
// and a pair hold and held: what is sent into the one is read from the other by
// a holder.
type bundle struct{ from, to string }

func (b bundle) name() string { return b.from + "-" + b.to }

func (b bundle) reverse() bundle { return bundle{b.to, b.from} }

// bundles are all directions of all links.
func (x *Exchange) bundles() []bundle {
	var all []bundle
	for _, l := range x.Links {
		all = append(all, bundle{l.From, l.To}, bundle{l.To, l.From})
	}
	return all
}

func (x *Exchange) build() error {
	for _, s := range x.Sites {
		if err := x.AddSwitch(s.Switch); err != nil {
			return err
		}
		if err := x.Sysctl(s.Switch, "net.ipv6.conf.all.disable_ipv6", "1"); err != nil {
			return err
		}
	}
	for i, b := range x.bundles() {
		if err := x.addMultiplexer(b, i); err != nil {
			return err
		}
	}
	for _, l := range x.Links {
		if err := x.join(l); err != nil {
			return err
		}
	}
	return x.addProbes()
}

// addMultiplexer makes the one that sends a bundle's direction, without members.
func (x *Exchange) addMultiplexer(b bundle, number int) error {
	if err := x.Add(b.name()); err != nil {
		return err
	}
	// With IPv6 the kernel itself would send on the members.
	if err := x.Sysctl(b.name(), "net.ipv6.conf.default.disable_ipv6", "1"); err != nil {
		return err
	}
	err := x.IP(b.name(),
		fmt.Sprintf("link add uplink type veth peer name %s netns %s", b.to, x.Namespace(b.from)),
		"link add hold type veth peer name held",
		"link set hold up",
		"link set held up",
		"link set uplink up",
	)
	if err != nil {
		return err
	}
	h, err := newHolder(x.Network, b.name())
	if err != nil {
		return err
	}
	x.holders = append(x.holders, h)
	return nil
}

// join makes the members of a link between its two multiplexers.
func (x *Exchange) join(l Link) error {
	forward := bundle{l.From, l.To}
	var add, up []string
	for m := range l.Members {
		add = append(add, fmt.Sprintf("link add m%d type veth peer name m%[1]d netns %s", m, x.Namespace(forward.reverse().name())))
		up = append(up, fmt.Sprintf("link set m%d up", m))
	}
	if err := x.IP(forward.name(), slices.Concat(add, up)...); err != nil {
		return err
	}
	if err := x.IP(forward.reverse().name(), up...); err != nil {
		return err
	}
	for _, b := range []bundle{forward, forward.reverse()} {
		if err := x.NFT(b.name(), spreading(l.Members, x.seed(b))); err != nil {
			return err
		}
		if err := x.IP(b.from, fmt.Sprintf("link set %s master %s up", b.to, netns.Bridge)); err != nil {
			return err
		}
		if err := x.AwaitLink(b.from, b.to, "UP"); err != nil {
			return err
		}
	}
	return nil
}

// seed is that of a bundle's hash.
func (x *Exchange) seed(b bundle) uint32 { return 0x5eed + uint32(slices.Index(x.bundles(), b)) }

func (x *Exchange) addProbes() error {
	for _, p := range x.Probes {
		if err := x.AddHost(x.Host(p)); err != nil {
			return err
		}
	}
	for _, p := range x.Probes {
		if err := x.IP(p.Name, x.neighbours(p)...); err != nil {
			return err
		}
	}
	for _, s := range x.Sites {
		if _, err := x.Run(s.Switch, x.forwarding(s.Switch), "bridge", "-batch", "-"); err != nil {
			return err
		}
	}
	return nil
}

// Host is how a probe is plugged in.
func (x *Exchange) Host(p Probe) netns.Host {
	return netns.Host{Name: p.Name, Switch: p.Switch, Port: p.Name, MAC: p.mac,
		Addresses: []netip.Prefix{netip.PrefixFrom(p.IPv4, 24), netip.PrefixFrom(p.IPv6, 64)}}
}

// neighbours tell a probe all others, so that a broken member 0 does not break
// what crosses the others.
func (x *Exchange) neighbours(of Probe) []string {
	var lines []string
	for _, p := range x.Probes {
		if p.Name == of.Name {
			continue
		}
		for _, address := range []netip.Addr{p.IPv4, p.IPv6} {
			lines = append(lines, fmt.Sprintf("neigh replace %s lladdr %s dev %s nud permanent", address, p.mac, netns.Device))
		}
	}
	return lines
}

// forwarding tells a switch behind which port each probe is (bridge(8)).
func (x *Exchange) forwarding(sw string) string {
	var lines strings.Builder
	for _, p := range x.Probes {
		port := p.Switch
		switch {
		case p.Switch == sw:
			port = p.Name
		case sw != middle:
			port = middle
		}
		fmt.Fprintf(&lines, "fdb replace %s dev %s master static\n", p.mac, port)
	}
	return lines.String()
}

// countMembers looks how many members the bundles of a standing exchange have.
func (x *Exchange) countMembers() (int, error) {
	first := x.bundles()[0].name()
	if !slices.Contains(x.Names(), first) {
		return 0, ErrNone
	}
	out, err := x.Run(first, "", "ip", "-j", "link", "show")
	if err != nil {
		return 0, err
	}
	var links []struct {
		Name string `json:"ifname"`
	}
	if err := json.Unmarshal(out, &links); err != nil {
		return 0, err
	}
	members := 0
	for _, l := range links {
		var number int
		if n, _ := fmt.Sscanf(l.Name, "m%d", &number); n == 1 {
			members++
		}
	}
	return members, nil
}
