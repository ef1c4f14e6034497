package agent

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
	"ixpqos/internal/measure/ping"
	"ixpqos/internal/measure/sender"
	"ixpqos/internal/wire"
)

// What a probe does at most in all its tests together, whatever it is told to:
// a mistake or a stolen server must not make it flood. An inventory that asks
// for more is not valid.
const (
	maxPeers         = inventory.MaxPeers
	maxTests         = inventory.MaxTests
	maxPacketsSecond = inventory.MaxPacketsPerSecond
	// maxFlowsKept bounds the memory of flows, those sent and those heard.
	maxFlowsKept = inventory.MaxFlowsKept
)

// load is what tests ask of a probe.
type load struct {
	perSecond float64
	flowsKept int
}

// readConfig is the one door by which a server's configuration comes in,
// whoever asks for it and whether it was kept since.
func readConfig(body []byte) (part inventory.Part, unknown string, err error) {
	part, unknown, err = wire.DecodeConfig(body)
	if err != nil {
		return part, unknown, err
	}
	if err := checkCeilings(part); err != nil {
		return inventory.Part{}, "", fmt.Errorf("the configuration asks for what a probe does not do, and is not used: %w", err)
	}
	return part, unknown, nil
}

// checkCeilings tells why a probe would not work by a configuration. It looks
// at every part of it, before any of it is used.
func checkCeilings(part inventory.Part) error {
	if err := errors.Join(checkSizes(part), checkNames(part)); err != nil {
		return err
	}
	if err := checkHosts(part); err != nil {
		return err
	}
	var all load
	for _, t := range part.Tests {
		if err := all.take(part, t); err != nil {
			return fmt.Errorf("test %q: %w", t.Name, err)
		}
	}
	return nil
}

func checkSizes(part inventory.Part) error {
	switch {
	case len(part.Peers) > maxPeers:
		return fmt.Errorf("the configuration has %d peers; a probe takes at most %d", len(part.Peers), maxPeers)
	case len(part.Tests) > maxTests:
		return fmt.Errorf("the configuration has %d tests; a probe takes at most %d", len(part.Tests), maxTests)
	}
	return nil
}

// checkNames: results are told from each other by these names.
func checkNames(part inventory.Part) error {
	peers, tests := map[string]bool{part.Probe: true}, map[string]bool{}
	for _, p := range part.Peers {
		if err := checkName("peer", p.Name, peers); err != nil {
			return err
		}
	}
	for _, t := range part.Tests {
		if err := checkName("test", t.Name, tests); err != nil {
			return err
		}
	}
	return nil
}

func checkName(what, name string, taken map[string]bool) error {
	if err := ippm.CheckName(name); err != nil {
		return fmt.Errorf("%s %q %w", what, name, err)
	}
	if taken[name] {
		return fmt.Errorf("%s %q is in the configuration twice; a name must be that of one", what, name)
	}
	taken[name] = true
	return nil
}

// checkHosts: one packet must reach one host.
func checkHosts(part inventory.Part) error {
	own := inventory.Peer{Name: part.Probe, Addresses: part.Addresses}
	for _, p := range append([]inventory.Peer{own}, part.Peers...) {
		seen := map[uint8]bool{}
		for _, a := range p.Addresses {
			if err := checkHost(a); err != nil {
				return fmt.Errorf("%q: address %q %w", p.Name, a.Host, err)
			}
			if seen[a.Family] {
				return fmt.Errorf("%q has two addresses of IPv%d; there must be one at most", p.Name, a.Family)
			}
			seen[a.Family] = true
		}
	}
	return nil
}

func checkHost(a inventory.Address) error {
	if a.Family != 4 && a.Family != 6 {
		return fmt.Errorf("is of family %d; it must be 4 or 6", a.Family)
	}
	ip, err := netip.ParseAddr(a.Host)
	if err != nil {
		return nil // a host name, which is looked at when it is resolved
	}
	ip = ip.Unmap()
	switch {
	case ip.Is4() != (a.Family == 4):
		return fmt.Errorf("must be one of IPv%d", a.Family)
	case ip.IsMulticast(), ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return errors.New("is that of many hosts; it must be that of one")
	}
	return nil
}

// take adds what a test asks for, and tells why the probe would not do so much.
func (l *load) take(part inventory.Part, t inventory.Test) error {
	if err := checkFamilies(t.Families); err != nil {
		return err
	}
	pairs, sources := len(part.Pairs(t)), len(part.Sources(t))
	switch t.Kind {
	case inventory.KindICMP:
		if err := ping.Fits(t, pairs); err != nil {
			return err
		}
		l.perSecond += t.PacketRate(pairs)
	case inventory.KindSTAMP:
		if err := errors.Join(checkInterval(t.Every), sender.Check(t, pairs)); err != nil {
			return err
		}
		l.perSecond += t.PacketRate(pairs)
		l.flowsKept += (pairs + sources) * t.Flows
	}
	return l.check()
}

// checkInterval: each interval is a batch, which is written to the disk, and both
// ends must begin it at the same moment.
func checkInterval(every time.Duration) error {
	if every < inventory.MinInterval || every%time.Second != 0 || time.Minute%every != 0 {
		return fmt.Errorf("interval %v is not %v to %v, whole seconds that divide a minute", every, inventory.MinInterval, inventory.MaxInterval)
	}
	return nil
}

// checkFamilies: a family that stands there twice would be measured twice.
func checkFamilies(families []uint8) error {
	seen := map[uint8]bool{}
	for _, family := range families {
		if seen[family] {
			return fmt.Errorf("families has %d twice; each must stand there once", family)
		}
		seen[family] = true
	}
	return nil
}

func (l *load) check() error {
	switch {
	case l.perSecond > maxPacketsSecond:
		return fmt.Errorf("with the tests before it, this makes %.0f packets a second; a probe sends at most %d in all its tests: raise spacing, or lower flows or targets",
			l.perSecond, maxPacketsSecond)
	case l.flowsKept > maxFlowsKept:
		return fmt.Errorf("with the tests before it, this makes %d flows to send and to hear; a probe keeps at most %d: lower flows or targets",
			l.flowsKept, maxFlowsKept)
	}
	return nil
}
