package exchange

import (
	"fmt"
	"strings"

	"ixpqos/infra/lab/netns"
)

// Fault is one that is active, and how many packets it touched so far.
type Fault struct {
	At      Place
	What    string // such as "loss of 5 %"
	Packets uint64
}

// Faults are those that are active, as they stand in the kernel.
func (x *Exchange) Faults() ([]Fault, error) {
	var active []Fault
	for _, l := range x.Links {
		for _, direction := range []Direction{Forward, Backward} {
			b, _ := l.bundle(direction)
			here, err := x.tables(b, l, direction)
			if err != nil {
				return nil, err
			}
			active = append(active, here...)
		}
	}
	return active, nil
}

// tables are the faults of a direction: those of its egress are in one
// multiplexer, those of its arrival in the other.
func (x *Exchange) tables(b bundle, l Link, d Direction) ([]Fault, error) {
	var active []Fault
	for _, end := range []struct {
		namespace string
		arrives   bool
	}{{b.name(), false}, {b.reverse().name(), true}} {
		counters, err := x.Counters(end.namespace)
		if err != nil {
			return nil, err
		}
		for _, c := range counters {
			if member, k, ok := parseTable(c); ok && k.arrives == end.arrives {
				active = append(active, Fault{At: Place{l.Name, member, d}, What: c.Comment, Packets: c.Packets})
			}
		}
	}
	return active, nil
}

// parseTable tells whose counter it is.
func parseTable(c netns.Counter) (member int, of kind, ok bool) {
	for _, k := range []kind{dead, loss, remarking, duplicate, reorder, delay} {
		number, found := strings.CutSuffix(c.Table, "-"+k.name)
		if n, _ := fmt.Sscanf(number, "m%d", &member); found && n == 1 {
			return member, k, true
		}
	}
	return 0, kind{}, false
}

// Heal removes every fault, and tells how many packets each has touched: no
// further one is, once that is read. What is held back still arrives.
func (x *Exchange) Heal() ([]Fault, error) {
	if err := x.everyFault("flush chain netdev %s fault\n"); err != nil {
		return nil, err
	}
	ended, err := x.Faults()
	if err != nil {
		return nil, err
	}
	return ended, x.everyFault("delete table netdev %s\n")
}

// everyFault runs a command of nft on the table of every fault.
func (x *Exchange) everyFault(command string) error {
	for _, b := range x.bundles() {
		counters, err := x.Counters(b.name())
		if err != nil {
			return err
		}
		var rules strings.Builder
		for _, c := range counters {
			if _, _, ok := parseTable(c); ok {
				fmt.Fprintf(&rules, command, c.Table)
			}
		}
		if err := x.NFT(b.name(), rules.String()); err != nil {
			return err
		}
	}
	return nil
}
