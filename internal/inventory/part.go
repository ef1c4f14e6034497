package inventory

import "slices"

// Part is what one probe needs of the inventory.
type Part struct {
	Probe     string
	Inventory string
	Addresses []Address
	Interface string
	// ReflectorPort and Stateless are the probe's own reflector's.
	ReflectorPort uint16
	Stateless     bool
	Peers         []Peer
	// Tests are those that the probe is a source of, or reflects.
	Tests []Test
}

// Peer is another probe or a target as a probe sees it.
type Peer struct {
	Name      string
	Addresses []Address
	// Answers are the test kinds that may be run to it; empty for all, as a probe.
	Answers       []string
	ReflectorPort uint16
	// Stateful: its reflector is known to keep sequence numbers of its own.
	Stateful bool
}

// IsProbe tells a probe, which answers whatever there is, from a target.
func (p Peer) IsProbe() bool { return len(p.Answers) == 0 }

// Pair is one target to measure in one family. ReflectorPort and Stateful are
// the target's.
type Pair struct {
	Target        string
	Family        uint8
	From, To      string
	ReflectorPort uint16
	Stateful      bool
}

// Source is another probe, in one family, as the reflector of this one hears it:
// from Address, at Own.
type Source struct {
	Name         string
	Family       uint8
	Address, Own string
}

// PeerNames are the names of all peers.
func (p Part) PeerNames() []string {
	names := make([]string, len(p.Peers))
	for i, peer := range p.Peers {
		names[i] = peer.Name
	}
	return names
}

// Pairs are what the test measures from this probe: every peer that it means
// and that answers its kind, in each of its families that both ends have.
func (p Part) Pairs(t Test) []Pair {
	if !t.measuresFrom(p.Probe) {
		return nil
	}
	var pairs []Pair
	for _, peer := range p.Peers {
		if !t.measuresTo(peer.Name) || !peer.IsProbe() && !slices.Contains(peer.Answers, t.Kind) {
			continue
		}
		for _, family := range t.Families {
			from, here := addressOf(p.Addresses, family)
			to, there := addressOf(peer.Addresses, family)
			if here && there {
				pairs = append(pairs, Pair{Target: peer.Name, Family: family, From: from, To: to,
					ReflectorPort: peer.ReflectorPort, Stateful: peer.Stateful})
			}
		}
	}
	return pairs
}

// Sources are what the probe's reflector hears of a test: every other probe that
// measures to this one by it, in each of its families that both ends have.
func (p Part) Sources(t Test) []Source {
	if !t.reflectedBy(p.Probe) {
		return nil
	}
	var sources []Source
	for _, peer := range p.Peers {
		if !peer.IsProbe() || !t.measuresFrom(peer.Name) {
			continue
		}
		for _, family := range t.Families {
			own, here := addressOf(p.Addresses, family)
			address, there := addressOf(peer.Addresses, family)
			if here && there {
				sources = append(sources, Source{Name: peer.Name, Family: family, Address: address, Own: own})
			}
		}
	}
	return sources
}

func (t Test) measuresFrom(probe string) bool {
	return len(t.Sources) == 0 || slices.Contains(t.Sources, probe)
}

func (t Test) measuresTo(name string) bool {
	return len(t.Targets) == 0 || slices.Contains(t.Targets, name)
}

// reflectedBy: only STAMP has a reflector that knows of tests; a ping is
// answered by the kernel.
func (t Test) reflectedBy(probe string) bool {
	return t.Kind == KindSTAMP && t.measuresTo(probe)
}

func addressOf(addresses []Address, family uint8) (host string, ok bool) {
	for _, a := range addresses {
		if a.Family == family {
			return a.Host, true
		}
	}
	return "", false
}

// Part is what the named probe needs; false where there is no such probe.
func (inv *Inventory) Part(name string) (Part, bool) {
	self, ok := inv.Probe(name)
	if !ok {
		return Part{}, false
	}
	part := Part{Probe: name, Inventory: inv.Version, Addresses: self.Addresses, Interface: self.Interface,
		ReflectorPort: self.ReflectorPort, Stateless: self.Stateless}
	for _, probe := range inv.Probes {
		if probe.Name != name {
			part.Peers = append(part.Peers, Peer{Name: probe.Name, Addresses: probe.Addresses,
				ReflectorPort: probe.ReflectorPort, Stateful: !probe.Stateless})
		}
	}
	for _, target := range inv.Targets {
		part.Peers = append(part.Peers, Peer{Name: target.Name, Addresses: target.Addresses, Answers: target.Answers,
			ReflectorPort: target.ReflectorPort, Stateful: target.Stateful})
	}
	for _, test := range inv.Tests {
		if test.measuresFrom(name) || test.reflectedBy(name) {
			part.Tests = append(part.Tests, test)
		}
	}
	return part, true
}
