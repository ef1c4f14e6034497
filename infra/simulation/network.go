// Package simulation is a network for tests of what sends and answers UDP
// packets: hosts, links that harm packets, and a virtual time.
//
// What it promises: nothing happens but in Advance, at its virtual time and in
// order; all chance comes from the seed, so that a run can be repeated; and its
// sockets do as those of package timestamp do, each stamp being of its own
// host's clock, which may be wrong, drift and step.
//
// A network is one goroutine's: a test steps the sender, the network and the
// reflector in turn.
package simulation

import (
	"container/heap"
	"math/rand/v2"
	"net/netip"
	"time"
)

// Start is the true time at which every network begins.
var Start = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// Network joins hosts.
type Network struct {
	elapsed     time.Duration
	random      *rand.Rand
	due         events
	scheduled   uint64
	hosts       map[netip.Addr]*Host
	impairments []*Impairment
	arrivals    map[flow]time.Duration
}

// New makes a network without hosts, whose packets arrive at once and unharmed.
func New(seed uint64) *Network {
	return &Network{
		random:   rand.New(rand.NewPCG(seed, 0)),
		hosts:    map[netip.Addr]*Host{},
		arrivals: map[flow]time.Duration{},
	}
}

// Elapsed is the virtual time since the beginning. It never steps.
func (n *Network) Elapsed() time.Duration { return n.elapsed }

// Advance moves the time on, and lets happen on the way what is due.
func (n *Network) Advance(d time.Duration) {
	end := n.elapsed + d
	for len(n.due) > 0 && n.due[0].at <= end {
		e := heap.Pop(&n.due).(event)
		n.elapsed = e.at
		e.happen()
	}
	n.elapsed = end
}

func (n *Network) after(d time.Duration, happen func()) {
	n.scheduled++
	heap.Push(&n.due, event{at: n.elapsed + max(d, 0), order: n.scheduled, happen: happen})
}

func (n *Network) chance(p float64) bool { return p > 0 && n.random.Float64() < p }

// event is something that is going to happen; of two at the same time the one
// that was scheduled first.
type event struct {
	at     time.Duration
	order  uint64
	happen func()
}

type events []event

func (e events) Len() int { return len(e) }

func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].order < e[j].order
}

func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }

func (e *events) Push(x any) { *e = append(*e, x.(event)) }

func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}
