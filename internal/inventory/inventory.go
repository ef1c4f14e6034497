// Package inventory is the one description of an exchange: its sites, switches,
// links, probes, targets and tests. It turns configuration files into a
// validated, typed Inventory, and an Inventory into the Part that one probe
// needs.
//
// What it promises: a YAML inventory is parsed strictly, and every error names
// file, line, what is wrong and what was expected; the first version's
// probes.json and schedule.json load leniently, as they are; an Inventory that
// Load returned is consistent (every name resolves, every round fits its
// interval, no source port belongs to two tests, no probe sends more than its
// budget) and its Version changes if and only if its content does. It also says
// how surely its tests measure every member of every link.
package inventory

import (
	"net/netip"
	"slices"
	"time"

	"ixpqos/internal/schedule"
)

// The kinds of tests: ICMP pings in rounds, STAMP measures many flows all the
// time (RFC 8762).
const (
	KindICMP  = "icmp"
	KindSTAMP = "stamp"
)

// Inventory describes an exchange. It is never changed once loaded.
type Inventory struct {
	Exchange string
	Sites    []Site
	Links    []Link
	Probes   []Probe
	Targets  []Target
	Tests    []Test
	Viewers  []Viewer
	// Version is a hash of the content, keys left out.
	Version string
}

// Site is where probes stand.
type Site struct {
	Name     string
	Switches []string
}

// Link is a bundle of parallel cables between two switches.
type Link struct {
	Name    string
	Between [2]string
	Members int
	// Hash is what the switches spread traffic over the members by: HashL4 where
	// the file does not say.
	Hash string
}

// What switches hash, of a packet's headers, to choose a member of a bundle:
// addresses and ports, addresses alone, or those of the hardware.
const (
	HashL4 = "l4"
	HashL3 = "l3"
	HashL2 = "l2"
)

// Address is where a probe or target is reached in one family (4 or 6). Host is
// an IP address; in the first version's files it may be a host name.
type Address struct {
	Family uint8
	Host   string
}

// IP is the address, where Host is one.
func (a Address) IP() (netip.Addr, bool) {
	ip, err := netip.ParseAddr(a.Host)
	return ip, err == nil
}

// Node is what probes and targets have in common. Addresses holds at most one
// per family.
type Node struct {
	Name, Site, Switch string
	Addresses          []Address
	// ReflectorPort is the UDP port at which STAMP packets are reflected.
	ReflectorPort uint16
}

// DefaultReflectorPort is that of the IANA registry (RFC 8762, section 4.1).
const DefaultReflectorPort = 862

// Probe is a host that measures.
type Probe struct {
	Node
	// Interface is the network interface that tests leave by; any where empty.
	Interface string
	// KeyHashes are the SHA-256 of the keys that the probe may use.
	KeyHashes [][32]byte
	// Drain: the probe is measured but not judged.
	Drain bool
	// Stateless: its reflector keeps no sequence numbers of its own (RFC 8762,
	// section 4), so that the direction of a loss cannot be told from its replies.
	Stateless bool
}

// Target is something that only answers.
type Target struct {
	Node
	// Answers are the test kinds that it answers to.
	Answers []string
	// Stateful: its reflector is known to keep sequence numbers for each session
	// (RFC 8762, section 4.3.1). Of most of other makes nothing is known.
	Stateful bool `json:",omitempty"` // so that the version of who has none is as before
}

// Viewer is somebody who may read.
type Viewer struct {
	Name      string
	KeyHashes [][32]byte
}

// Test is what to measure among which probes.
type Test struct {
	Name, Kind string
	// Every or Cron says when: exactly one is set. For KindSTAMP, which measures all
	// the time, Every is the interval that a result covers.
	Every time.Duration
	Cron  string
	// Spacing lies between two packets: of a round to one target, or of one flow
	// to one target.
	Spacing time.Duration
	// Size is that of the IP packet in bytes.
	Size int
	DSCP uint8
	// Families are the address families to measure in, where both ends have them.
	Families []uint8
	// Sources and Targets name who measures and who is measured; all where empty.
	Sources, Targets []string

	// KindICMP: Count pings go out after one that is not counted. A round listens
	// for Timeout after the last one.
	Count   int
	Timeout time.Duration
	// FirstVersion: the results are kept in the first version's form too. One
	// test at most.
	FirstVersion bool

	// KindSTAMP: Flows source ports from Port on. Tests have no port in common:
	// a reflector knows by the port which test it hears.
	Flows int
	Port  uint16
	// DontFragment sets the DF bit, so that what is too large for the way is lost
	// and not cut to pieces.
	DontFragment bool
}

// LossThreshold is the round-trip time beyond which a reply is late (RFC 6673).
const LossThreshold = 2 * time.Second

// MinSize4 and MinSize6 are the smallest pings in bytes of the IP packet: the
// IP and ICMP headers, and the 24 octets by which pro-bing knows its own.
const (
	MinSize4 = 20 + 8 + 24
	MinSize6 = 40 + 8 + 24
)

// MinSize is the smallest ping of a test in these families.
func MinSize(families []uint8) int {
	if slices.Contains(families, 6) {
		return MinSize6
	}
	return MinSize4
}

// What a test may ask for besides. A probe keeps to it too, whatever it is sent.
const (
	MaxCount   = 10_000
	MaxSize    = 9_000
	MinSpacing = time.Millisecond
	MaxSpacing = time.Minute
	MaxTimeout = time.Minute
)

// RoundBound is the number of pairs that a round measures side by side.
const RoundBound = 256

// MinSlack is what an interval is longer than the round in it, at least: timers
// and hosts are not exact, and probes begin at different moments.
const MinSlack = 200 * time.Millisecond

// RoundTime is the longest that a round over so many pairs takes.
func (t Test) RoundTime(pairs int) time.Duration {
	waves := (pairs + RoundBound - 1) / RoundBound
	return t.Spacing + time.Duration(waves)*(time.Duration(t.Count)*t.Spacing+t.Timeout)
}

// Timetable is when the test runs, or which intervals its results cover. The error can only be that of a test that
// did not come from an Inventory.
func (t Test) Timetable() (schedule.Timetable, error) {
	if t.Cron != "" {
		return schedule.Cron(t.Cron)
	}
	return schedule.Every(t.Every)
}

// Probe is the probe of that name.
func (inv *Inventory) Probe(name string) (Probe, bool) {
	i := slices.IndexFunc(inv.Probes, func(p Probe) bool { return p.Name == name })
	if i < 0 {
		return Probe{}, false
	}
	return inv.Probes[i], true
}

// FirstVersionTest is the test whose results are kept in the first version's
// form too; false where there is none.
func (inv *Inventory) FirstVersionTest() (Test, bool) {
	i := slices.IndexFunc(inv.Tests, func(t Test) bool { return t.FirstVersion })
	if i < 0 {
		return Test{}, false
	}
	return inv.Tests[i], true
}

// Node is the probe or target of that name.
func (inv *Inventory) Node(name string) (Node, bool) {
	if probe, found := inv.Probe(name); found {
		return probe.Node, true
	}
	i := slices.IndexFunc(inv.Targets, func(t Target) bool { return t.Name == name })
	if i < 0 {
		return Node{}, false
	}
	return inv.Targets[i].Node, true
}

// Address is where the probe or target of that name is reached in a family.
func (inv *Inventory) Address(name string, family uint8) (host string, ok bool) {
	node, _ := inv.Node(name)
	return addressOf(node.Addresses, family)
}

// Knows tells whether a probe or target has that name.
func (inv *Inventory) Knows(name string) bool {
	_, ok := inv.Node(name)
	return ok
}
