package storetest

import (
	"time"

	"ixpqos/internal/ippm"
)

// Start is when the first interval of the made results begins.
var Start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// Interval is the length of the made results.
const Interval = 10 * time.Second

// At is the start of the n-th interval, from 0.
func At(n int) time.Time { return Start.Add(time.Duration(n) * Interval) }

// Pair is an IPv4 series of the test "fabric" without a DSCP.
func Pair(source, target string) ippm.Series {
	return ippm.Series{Source: source, Target: target, Test: "fabric", Family: 4}
}

// NewResult makes a result of the n-th interval, in which so many packets were
// lost, and each of the round-trip times, in microseconds, was measured.
func NewResult(series ippm.Series, n, lost int, rtts ...float64) ippm.Result {
	r := ippm.Result{
		ID:     ippm.ID{Series: series, Start: At(n)},
		Counts: ippm.Counts{Sent: len(rtts) + lost, Received: len(rtts), Unplaced: lost},
		Kind:   "stamp",
		Length: Interval,
	}
	for _, us := range rtts {
		if err := r.RTT.Add(us); err != nil {
			panic(err)
		}
	}
	return r
}

// NewBatch makes the batch of the n-th interval.
func NewBatch(probe string, n int, results ...ippm.Result) ippm.Batch {
	return ippm.Batch{
		Probe:     probe,
		Inventory: "4f1d",
		Peers:     []string{"p1", "p2", "p3"},
		Start:     At(n),
		Health:    ippm.Health{Version: "1.0", StartedAt: Start.Add(-time.Hour)},
		Results:   results,
	}
}

// NewDetail makes the detail of a test, from samples in microseconds: IPDV and
// one-way delays forward and, twice as large, IPDV backward. There are no one-way
// delays backward.
func NewDetail(samples ...float64) *ippm.Detail {
	d := &ippm.Detail{RemarkedForward: 1, RemarkedBackward: 2, LowTTL: 3, KernelT1: 4, KernelT2: 5, KernelT3: 6, KernelT4: 7}
	for _, us := range samples {
		for to, us := range map[*ippm.Moments]float64{&d.IPDVForward: us, &d.IPDVBackward: 2 * us, &d.OneWayForward.Moments: us} {
			if err := to.Add(us); err != nil {
				panic(err)
			}
		}
	}
	if len(samples) > 0 {
		d.OneWayForward.Error = 1.0 / 3
	}
	return d
}

// NewFlows makes so many flows of 40 packets each. Every third lost some, every
// fourth all.
func NewFlows(n int) (flows []ippm.Flow) {
	for i := range n {
		f := ippm.Flow{Port: uint16(61000 + 7*i), Counts: ippm.Counts{Sent: 40, Received: 40}, Samples: 40,
			Median: 180.25 + float64(i), Max: 7000.5, OneWayForward: -3_600_000_000.125, OneWayBackward: 3_600_000_321}
		switch {
		case i%4 == 3:
			f.Received, f.Unplaced, f.LossyUnplaced = 0, 40, 1<<10-1
			f.Samples, f.Median, f.Max, f.OneWayForward, f.OneWayBackward = 0, 0, 0, 0, 0
		case i%3 == 2:
			f.Received, f.Late, f.Forward, f.Backward = 30, 3, 5, 2
			f.LossyForward, f.LossyBackward, f.Duplicates, f.Reordered, f.Refused, f.Unserved = 1<<9|1, 1<<3, 4, 5, 6, 7
			f.Samples = 29
		}
		flows = append(flows, f)
	}
	return flows
}

// WithFlows is a result with so many of NewFlows, whose counts are its own.
func WithFlows(r ippm.Result, n int) ippm.Result { return withFlows(r, NewFlows(n)) }

func withFlows(r ippm.Result, flows []ippm.Flow) ippm.Result {
	if r.Flows = flows; len(flows) > 0 {
		r.Counts = ippm.Counts{}
	}
	for _, f := range flows {
		r.Counts = r.Counts.Plus(f.Counts)
	}
	return r
}

// HeardOf is what the target of a result heard: of each flow one packet less
// than of the one before, all answered but one.
func HeardOf(r ippm.Result) ippm.Heard {
	h := ippm.Heard{ID: r.ID, Length: r.Length}
	for i, f := range r.Flows {
		h.Flows = append(h.Flows, ippm.HeardFlow{Port: f.Port, Heard: 40 - i, Answered: 39 - i})
	}
	return h
}

// NewHeardBatch makes the batch of the n-th interval of a probe that has only heard.
func NewHeardBatch(probe string, n int, heard ...ippm.Heard) ippm.Batch {
	b := NewBatch(probe, n)
	b.Heard = heard
	return b
}
