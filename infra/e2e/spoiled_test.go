package e2e

import (
	"context"
	"os"
	"testing"
	"time"

	bundles "ixpqos/infra/lab/exchange"
	"ixpqos/internal/wire"
)

const delayed = 20 * time.Millisecond

// membersSpoil breaks four places at once, none of which loses anything.
func (f *fabric) membersSpoil(t *testing.T) {
	before := f.flows(t, f.idle)
	slow, late := f.place(t, "sw1-sw2", bundles.Backward)
	coloured, remarked := f.place(t, "sw2-sw3", bundles.Forward)
	twice, duplicated := f.place(t, "sw2-sw4", bundles.Forward)
	mixed, overtaken := f.place(t, "sw2-sw4", bundles.Backward)
	f.bundled.Delay(t, slow, delayed)
	f.bundled.Remark(t, coloured, 10)
	f.bundled.Duplicate(t, twice, 100)
	f.bundled.Reorder(t, mixed, 20, 450*time.Millisecond)
	s := intervals(nextInterval(), 1)
	flows := f.flows(t, s)
	f.bundled.Heal(t)
	lossless(t, flows, nil)
	for k, intervals := range flows {
		rose(t, k, late[k], before[k][0], intervals[0])
		sum := total(intervals)
		if want := expected(duplicated, k, sum.Received); sum.Duplicates != want {
			t.Errorf("%v has %d duplicates, want %d", k, sum.Duplicates, want)
		}
		if _, is := overtaken[k]; is != (sum.Reordered > 0) {
			t.Errorf("%v has %d reordered packets: %s", k, sum.Reordered, overtaken[k])
		}
	}
	f.remarked(t, s, flows, remarked)
}

// expected is a number where the flow is struck, and otherwise 0.
func expected(s struck, k flowKey, n int) int {
	if _, is := s[k]; is {
		return n
	}
	return 0
}

// rose: the delays of a flow rose by what the member holds packets back, in the
// direction in which the flow crosses it, or stayed.
func rose(t *testing.T, k flowKey, way bundles.Direction, before, after wire.Flow) {
	t.Helper()
	for _, delay := range []struct {
		what          string
		before, after *float64
		rises         bool
	}{
		{"round-trip time", before.RTTMedianUS, after.RTTMedianUS, way != ""},
		{"forward delay", before.OneWayForwardUS, after.OneWayForwardUS, way == bundles.Forward},
		{"backward delay", before.OneWayBackwardUS, after.OneWayBackwardUS, way == bundles.Backward},
	} {
		if delay.before == nil || delay.after == nil {
			t.Errorf("%v has no %s: %s", k, delay.what, show(after))
			continue
		}
		by := time.Duration((*delay.after - *delay.before) * float64(time.Microsecond))
		if rises := by > delayed*9/10 && by < delayed*2; rises != delay.rises || !rises && by.Abs() > delayed/2 {
			t.Errorf("%v (delayed: %q): the median %s went from %g to %g us", k, way, delay.what, *delay.before, *delay.after)
		}
	}
}

// remarked: the packets that arrived with another DSCP are all of the flows that
// are struck, in their direction.
func (f *fabric) remarked(t *testing.T, s span, flows seen, remarked struck) {
	t.Helper()
	for _, r := range f.results(t, "fabric", s) {
		forward, backward := 0, 0
		for k, way := range remarked {
			if k.source != r.Source || k.target != r.Target || k.family != r.Family {
				continue
			}
			if way == bundles.Forward {
				forward += total(flows[k]).Received
			} else {
				backward += total(flows[k]).Received
			}
		}
		if r.RemarkedForward != forward || r.RemarkedBackward != backward || r.LowTTL > 0 {
			t.Errorf("%s→%s IPv%d: %d and %d remarked, want %d and %d; TTL too low on %d", r.Source, r.Target, r.Family,
				r.RemarkedForward, r.RemarkedBackward, forward, backward, r.LowTTL)
		}
	}
}

// hostsBusy lets two processes that spin have the processors too.
func (f *fabric) hostsBusy(t *testing.T) {
	idle := f.results(t, "fabric", f.idle)
	for _, host := range []string{"p1", "p2"} {
		spin := f.probes[host].Command(context.Background(), os.Args[0])
		spin.Env = append(os.Environ(), role+"=spin")
		start(t, "spinner", spin)
	}
	s := intervals(nextInterval(), 2)
	lossless(t, f.flows(t, s), nil)
	busy := f.results(t, "fabric", s)
	for _, q := range []struct {
		name string
		of   func(wire.Result) *float64
	}{{"p50", func(r wire.Result) *float64 { return r.RTTP50US }}, {"p95", func(r wire.Result) *float64 { return r.RTTP95US }}} {
		before, after := worst(idle, q.of), worst(busy, q.of)
		t.Logf("worst %s: %.1f us idle, %.1f us busy", q.name, before, after)
		if after > 3*before+100 {
			t.Errorf("the worst %s of the round-trip times rose from %.1f to %.1f us", q.name, before, after)
		}
	}
}

func worst(results []wire.Result, of func(wire.Result) *float64) (us float64) {
	for _, r := range results {
		if v := of(r); v != nil {
			us = max(us, *v)
		}
	}
	return us
}
