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
