package inventory

import (
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
	"unicode"
)

// maxInterface is the longest name of a network interface in bytes: IFNAMSIZ
// less the zero at its end (linux/if.h).
const maxInterface = 15

// nodeNames is the space that the names of probes and targets share.
const nodeNames = "node"

func (c *checker) probes(raw at[[]at[rawProbe]]) {
	if len(raw.Value) == 0 {
		c.add(max(raw.Line, 1), "the inventory has no probe; list at least one under probes")
	}
	for _, r := range raw.Value {
		o := c.named(nodeNames, "probe", r.Value.Name, r.Line)
		c.inv.Probes = append(c.inv.Probes, Probe{
			Node:      c.node(o, r.Value.rawNode),
			Interface: c.networkInterface(o, r.Value.Interface),
			KeyHashes: c.keys(o, r.Value.KeySHA256.Value),
			Drain:     r.Value.Drain.Value,
			Stateless: r.Value.Stateless.Value,
		})
	}
}

func (c *checker) targets(raw []at[rawTarget]) {
	for _, r := range raw {
		o := c.named(nodeNames, "target", r.Value.Name, r.Line)
		t := Target{Node: c.node(o, r.Value.rawNode), Answers: c.answers(o, r.Value.Answers), Stateful: r.Value.Stateful.Value}
		if t.Stateful && !slices.Contains(t.Answers, KindSTAMP) {
			c.fail(o, r.Value.Stateful.Line, "stateful is for targets that answer %s; add it to its answers, or leave stateful out", KindSTAMP)
		}
		c.inv.Targets = append(c.inv.Targets, t)
	}
}

func (c *checker) answers(o owner, raw at[[]at[string]]) (answers []string) {
	if !filled(c, o, "answers", raw, KindICMP) {
		return []string{KindICMP}
	}
	for _, kind := range raw.Value {
		if once(c, o, "answers", answers, kind) {
			answers = append(answers, c.choice(o, "answers", kind, kinds, ""))
		}
	}
	return answers
}

func (c *checker) node(o owner, raw rawNode) Node {
	return Node{Name: raw.Name.Value, Site: c.place(o, raw), Switch: raw.Switch.Value, Addresses: c.addresses(o, raw.Addresses),
		ReflectorPort: uint16(c.number(o, "reflector_port", raw.ReflectorPort, 1, maxPort, DefaultReflectorPort))}
}

// place is the site that a node stands at; where only its switch is given, the
// site of that.
func (c *checker) place(o owner, raw rawNode) (site string) {
	site = raw.Site.Value
	if raw.Site.given() && !c.hasSite(site) {
		c.fail(o, raw.Site.Line, "there is no site %.80q%s", site, hint(site, c.siteNames(), "sites are"))
	}
	if !raw.Switch.given() {
		return site
	}
	home, known := c.siteOf[raw.Switch.Value]
	switch {
	case !known:
		c.fail(o, raw.Switch.Line, "there is no switch %.80q%s", raw.Switch.Value, hint(raw.Switch.Value, c.switches, "switches are"))
	case !raw.Site.given():
		return home
	case home != site && c.hasSite(site):
		c.fail(o, raw.Switch.Line, "switch %q stands at site %q, not at %q", raw.Switch.Value, home, site)
	}
	return site
}

func (c *checker) hasSite(name string) bool {
	_, ok := c.taken[claim{"site", name}]
	return ok
}

func (c *checker) siteNames() []string {
	names := make([]string, len(c.inv.Sites))
	for i, site := range c.inv.Sites {
		names[i] = site.Name
	}
	return names
}

func (c *checker) addresses(o owner, raw at[[]at[string]]) (addresses []Address) {
	if len(raw.Value) == 0 {
		c.fail(o, raw.Line, "has no addresses; give it one, or one IPv4 and one IPv6 address")
	}
	for _, r := range raw.Value {
		ip, reason := parseAddress(r.Value)
		if reason != "" {
			c.fail(o, r.Line, "address %.80q %s", r.Value, reason)
			continue
		}
		address := Address{Family: familyOf(ip), Host: ip.String()}
		if other, twice := addressOf(addresses, address.Family); twice {
			c.fail(o, r.Line, "addresses %s and %s are both of IPv%d; a second LAN is a second name", other, address.Host, address.Family)
			continue
		}
		if holder := c.claim("address", address.Host, o, r.Line); holder != "" {
			c.fail(o, r.Line, "address %s is that of %s", address.Host, holder)
		}
		addresses = append(addresses, address)
	}
	return addresses
}

func familyOf(ip netip.Addr) uint8 {
	if ip.Is4() {
		return 4
	}
	return 6
}

// parseAddress is the address of a host, or the reason why it is none.
func parseAddress(text string) (ip netip.Addr, reason string) {
	ip, err := netip.ParseAddr(text)
	switch {
	case err != nil:
		return ip, "is not an IP address"
	case ip.Zone() != "":
		return ip, "has a zone; leave out %" + ip.Zone()
	case ip.Is4In6():
		return ip, "is an IPv4 address in IPv6 form; write " + ip.Unmap().String()
	case ip.IsUnspecified(), ip.IsMulticast(), ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return ip, "is not that of a host"
	}
	return ip, ""
}

func (c *checker) networkInterface(o owner, raw at[string]) string {
	odd := func(r rune) bool { return r == '/' || unicode.IsSpace(r) || unicode.IsControl(r) }
	switch name := raw.Value; {
	case len(name) > maxInterface:
		c.fail(o, raw.Line, "interface %.80q has %d bytes; a network interface has at most %d", name, len(name), maxInterface)
	case strings.ContainsFunc(name, odd):
		c.fail(o, raw.Line, "interface %q has a space or a slash; a network interface has none", name)
	case name == "." || name == "..":
		c.fail(o, raw.Line, "interface %q cannot be one's name; write that of one, as ip link shows it", name)
	}
	return raw.Value
}

// keys are the hashes of keys. What stands there is never shown in full: it may
// be a key that was written in place of its hash.
func (c *checker) keys(o owner, raw []at[string]) (hashes [][32]byte) {
	for _, r := range raw {
		var hash [32]byte
		if strings.HasPrefix(r.Value, KeyPrefix) {
			c.fail(o, r.Line, "has a key itself where a key_sha256 belongs, the SHA-256 of the key: "+
				"whoever reads this file may use it now, so make another by ixpqos-server key new and write its sha256 here")
			continue
		}
		if len(r.Value) != hex.EncodedLen(len(hash)) {
			c.fail(o, r.Line, "a key_sha256 has %d characters; it is the SHA-256 of the key, 64 hex digits", len(r.Value))
			continue
		}
		if _, err := hex.Decode(hash[:], []byte(r.Value)); err != nil {
			c.fail(o, r.Line, "a key_sha256 has 64 characters that are not all hex digits; it is the SHA-256 of the key")
			continue
		}
		if holder := c.claim("key", string(hash[:]), o, r.Line); holder != "" {
			c.fail(o, r.Line, "key_sha256 %.8s… is that of %s; a key belongs to one", r.Value, holder)
		}
		hashes = append(hashes, hash)
	}
	return hashes
}
