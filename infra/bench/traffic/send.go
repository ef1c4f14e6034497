package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
	"ixpqos/internal/measure/sender"
	"ixpqos/internal/measure/timestamp"
)

// interval is what one was like, over all pairs.
type interval struct {
	Start time.Time
	ippm.Counts
	Lost               int
	Samples            int
	KernelT1, KernelT3 int
	// RTT and Lateness are quantiles in microseconds.
	RTT, Lateness map[string]float64
	Drops         uint64 // since the start
	// Answering is how many pairs had a reply at all, Answered their counts.
	Answering int
	Answered  ippm.Counts
}

// send runs the Session-Sender of a probe.
func send(ctx context.Context, s settings) error {
	var sockets []*timestamp.Socket
	open := func(o timestamp.Options) (sender.Socket, error) {
		if s.buffer > 0 {
			o.Buffer = min(o.Buffer, s.buffer)
		}
		socket, err := timestamp.Open(o)
		sockets = append(sockets, socket)
		return socket, err
	}
	engine := sender.New(sender.Settings{Name: "near", Open: open, Clock: timestamp.ClockError, Origin: s.origin,
		Random: func() uint16 { return uint16(rand.Uint32()) }, Trouble: trouble})
	parts := make(chan inventory.Part, 1)
	parts <- s.part()
	var failed error
	ready()
	err := engine.Run(ctx, parts, func(i sender.Interval) {
		if !i.Whole {
			return
		}
		if err := tell(summary(i, sockets)); err != nil {
			failed = err
		}
	})
	if failed != nil {
		return failed
	}
	return err
}

func (s settings) part() inventory.Part {
	part := inventory.Part{Probe: "near", Addresses: []inventory.Address{{Family: 4, Host: s.from.String()}}}
	for i, a := range addresses(s.to, s.targets) {
		part.Peers = append(part.Peers, inventory.Peer{Name: fmt.Sprintf("t%03d", i), ReflectorPort: uint16(s.port),
			Stateful: true, Addresses: []inventory.Address{{Family: 4, Host: a.String()}}})
	}
	part.Tests = []inventory.Test{{Name: "fabric", Kind: inventory.KindSTAMP, Every: s.every, Spacing: s.spacing, Size: size,
		Families: []uint8{4}, Flows: s.flows, Port: firstPort}}
	return part
}

func summary(i sender.Interval, sockets []*timestamp.Socket) interval {
	sum := interval{Start: i.Start}
	var rtt ippm.Delay
	for _, r := range i.Results {
		sum.Counts = sum.Counts.Plus(r.Counts)
		sum.Lost += r.Lost()
		if r.Received > 0 {
			sum.Answering++
			sum.Answered = sum.Answered.Plus(r.Counts)
		}
		sum.Samples += r.RTT.N
		sum.KernelT1 += r.Detail.KernelT1
		sum.KernelT3 += r.Detail.KernelT3
		rtt = rtt.Merged(r.RTT)
	}
	for _, socket := range sockets {
		sum.Drops += socket.Drops()
	}
	sum.RTT, sum.Lateness = quantiles(rtt), quantiles(i.Lateness)
	return sum
}

// points are the quantiles that a distribution is told by.
var points = map[string]float64{"p1": 0.01, "p10": 0.1, "p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999, "max": 1}

func quantiles(d ippm.Delay) map[string]float64 {
	all := map[string]float64{}
	for name, q := range points {
		if us, ok := d.Quantile(q); ok {
			all[name] = us
		}
	}
	return all
}
