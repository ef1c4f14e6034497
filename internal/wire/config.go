package wire

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	"ixpqos/internal/inventory"
)

// Config is what a probe is told to do: its part of the inventory.
type Config struct {
	Probe     string    `json:"probe" doc:"the probe that this is for"`
	Inventory string    `json:"inventory" doc:"version of the inventory"`
	Addresses []Address `json:"addresses" doc:"the probe's own, at most one per family"`
	Interface string    `json:"interface,omitempty" doc:"network interface that tests leave by"`
	Peers     []Peer    `json:"peers" doc:"whom to measure"`
	Tests     []Test    `json:"tests" doc:"what to measure, and what to reflect"`
	Reflector
}

// Reflector is how a probe or target reflects the packets of stamp tests.
type Reflector struct {
	ReflectorPort uint16 `json:"reflector_port,omitempty" doc:"UDP port; 862 where absent"`
	Stateless     bool   `json:"stateless,omitempty" doc:"a probe whose reflector keeps no sequence numbers of its own"`
}

// Address is an address of one family.
type Address struct {
	Family uint8  `json:"family" enum:"4,6"`
	Host   string `json:"host" doc:"an IP address, or a host name from a first version's file"`
}

// Peer is another probe, or a target.
type Peer struct {
	Name      string    `json:"name"`
	Addresses []Address `json:"addresses"`
	Answers   []string  `json:"answers,omitempty" doc:"test kinds that a target answers to; all where absent, as for a probe"`
	Stateful  bool      `json:"stateful,omitempty" doc:"a target whose reflector is known to keep sequence numbers for each session"`
	Reflector
}

// Test is a test as a probe runs it.
type Test struct {
	Name      string   `json:"name"`
	Kind      string   `json:"kind"`
	EveryS    float64  `json:"every_s,omitempty" doc:"seconds; either this or cron. Of stamp the interval that a result covers"`
	Cron      string   `json:"cron,omitempty"`
	Count     int      `json:"count,omitempty" doc:"only icmp: packets of a round"`
	Flows     int      `json:"flows,omitempty" doc:"only stamp: source ports, from port on"`
	Port      uint16   `json:"port,omitempty" doc:"only stamp"`
	SpacingMS float64  `json:"spacing_ms" doc:"milliseconds between two packets of a round, or of a flow, to one target"`
	TimeoutMS float64  `json:"timeout_ms,omitempty" doc:"only icmp: milliseconds to listen after the last packet"`
	Size      int      `json:"size" doc:"bytes of the IP packet"`
	DF        bool     `json:"df,omitempty" doc:"only stamp: set the DF bit"`
	DSCP      uint8    `json:"dscp" maximum:"63"`
	Families  []int    `json:"families" enum:"4,6"` // of bytes encoding/json would make base64
	Sources   []string `json:"sources,omitempty" doc:"names of the probes that measure; all where absent"`
	Targets   []string `json:"targets,omitempty" doc:"names of peers; all where absent"`
}

// FromPart is the configuration of one probe.
func FromPart(p inventory.Part) Config {
	c := Config{Probe: p.Probe, Inventory: p.Inventory, Interface: p.Interface, Addresses: fromAddresses(p.Addresses),
		Peers: make([]Peer, len(p.Peers)), Tests: make([]Test, len(p.Tests)), Reflector: fromReflector(p.ReflectorPort, p.Stateless)}
	for i, peer := range p.Peers {
		c.Peers[i] = Peer{Name: peer.Name, Addresses: fromAddresses(peer.Addresses), Answers: peer.Answers, Stateful: !peer.IsProbe() && peer.Stateful,
			Reflector: fromReflector(peer.ReflectorPort, peer.IsProbe() && !peer.Stateful)}
	}
	for i, t := range p.Tests {
		c.Tests[i] = Test{Name: t.Name, Kind: t.Kind, EveryS: t.Every.Seconds(), Cron: t.Cron, Count: t.Count, Flows: t.Flows, Port: t.Port,
			SpacingMS: milliseconds(t.Spacing), TimeoutMS: milliseconds(t.Timeout), Size: t.Size, DF: t.DontFragment, DSCP: t.DSCP,
			Families: fromFamilies(t.Families), Sources: t.Sources, Targets: t.Targets}
	}
	return c
}

// DecodeConfig reads a configuration. It is lenient, so that an old probe works
// with a new server: unknown tells, as a sentence, of the first key that this
// probe does not know, and is empty where it knows all.
func DecodeConfig(body []byte) (part inventory.Part, unknown string, err error) {
	var c Config
	if err := unmarshalObject(body, &c); err != nil {
		return part, "", fmt.Errorf("the configuration cannot be read: %w", err)
	}
	strict := json.NewDecoder(bytes.NewReader(body))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&Config{}); err != nil {
		unknown = fmt.Sprintf("the configuration has more than this probe knows (%v); it is ignored, update the probe", err)
	}
	part = inventory.Part{Probe: c.Probe, Inventory: c.Inventory, Interface: c.Interface, Addresses: toAddresses(c.Addresses),
		ReflectorPort: c.port(), Stateless: c.Stateless}
	for _, peer := range c.Peers {
		part.Peers = append(part.Peers, peer.peer())
	}
	for _, t := range c.Tests {
		test, err := t.test()
		if err != nil {
			return part, "", fmt.Errorf("the configuration's test %q: %w", t.Name, err)
		}
		part.Tests = append(part.Tests, test)
	}
	return part, unknown, nil
}

// fromReflector leaves the usual out, so that configurations in which nothing
// is reflected stay as they were.
func fromReflector(port uint16, stateless bool) Reflector {
	if port == inventory.DefaultReflectorPort {
		port = 0
	}
	return Reflector{ReflectorPort: port, Stateless: stateless}
}

func (r Reflector) port() uint16 { return cmp.Or(r.ReflectorPort, inventory.DefaultReflectorPort) }

// peer: of probes it is known that their reflectors keep sequence numbers where
// nothing else is said, of targets only where it is.
func (p Peer) peer() inventory.Peer {
	peer := inventory.Peer{Name: p.Name, Addresses: toAddresses(p.Addresses), Answers: p.Answers, ReflectorPort: p.port()}
	peer.Stateful = peer.IsProbe() && !p.Stateless || !peer.IsProbe() && p.Stateful
	return peer
}

func (t Test) test() (inventory.Test, error) {
	test := inventory.Test{Name: t.Name, Kind: t.Kind, Cron: t.Cron, Count: t.Count, Flows: t.Flows, Port: t.Port,
		Size: t.Size, DontFragment: t.DF, DSCP: t.DSCP, Sources: t.Sources, Targets: t.Targets}
	var err error
	if test.Families, err = toFamilies(t.Families); err != nil {
		return test, err
	}
	if test.Every, err = duration("every_s", t.EveryS, time.Second); err != nil {
		return test, err
	}
	if test.Spacing, err = duration("spacing_ms", t.SpacingMS, time.Millisecond); err != nil {
		return test, err
	}
	test.Timeout, err = duration("timeout_ms", t.TimeoutMS, time.Millisecond)
	return test, err
}

func fromFamilies(in []uint8) []int {
	out := make([]int, len(in))
	for i, family := range in {
		out[i] = int(family)
	}
	return out
}

func toFamilies(in []int) ([]uint8, error) {
	var out []uint8
	for _, family := range in {
		if family != 4 && family != 6 {
			return nil, fmt.Errorf("families has %d; a family is 4 or 6", family)
		}
		out = append(out, uint8(family))
	}
	return out, nil
}

func fromAddresses(in []inventory.Address) []Address {
	out := make([]Address, len(in))
	for i, a := range in {
		out[i] = Address{Family: a.Family, Host: a.Host}
	}
	return out
}

func toAddresses(in []Address) []inventory.Address {
	var out []inventory.Address
	for _, a := range in {
		out = append(out, inventory.Address{Family: a.Family, Host: a.Host})
	}
	return out
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
