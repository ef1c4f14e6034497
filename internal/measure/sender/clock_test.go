package sender

import (
	"ixpqos/internal/inventory"
	"slices"
	"testing"
	"time"
)

// starts are those of the intervals that were given.
func (w *world) starts() (all []int64) {
	for _, i := range w.intervals {
		all = append(all, i.Start.UnixNano())
	}
	return all
}

// expectNoFlood: in no tick's time more was sent than in two ticks, of the four
// flows to two targets.
func (v *virtual) expectNoFlood(t *testing.T) {
	t.Helper()
	const aTick = 2 // one flow to two targets
	for at, n := range v.sent {
		if n > 2*aTick {
			t.Errorf("%d packets in the tick of %v", n, at)
		}
	}
}

// expectWhole: every interval was given once, and has all packets with no harm.
func (w *world) expectWhole(t *testing.T) {
	t.Helper()
	starts := w.starts()
	slices.Sort(starts)
	if len(slices.Compact(starts)) != len(w.intervals) {
		t.Errorf("intervals were given twice: %v", w.starts())
	}
	for _, target := range []string{"p2", "p3"} {
		for _, r := range w.results(target) {
			expectNone(t, r.Start.String(), r.Counts)
			if r.Sent < 4*perFlow-4 || r.Sent > 4*perFlow+4 {
				t.Errorf("%v: %d packets", r.Start, r.Sent)
			}
			if r.RTT.N > 0 && (r.RTT.Min < 2000 || r.RTT.Max > 2001) {
				t.Errorf("%v: round-trip times of %g to %g us", r.Start, r.RTT.Min, r.RTT.Max)
			}
		}
	}
}

func TestOwnClockSteps(t *testing.T) {
	t.Parallel()
	for _, d := range []time.Duration{time.Second, -time.Second, time.Hour, -time.Hour, 11 * time.Minute, -11 * time.Minute, 50 * time.Millisecond, -3 * time.Second} {
		t.Run(d.String(), func(t *testing.T) {
			v := simulated(t)
			v.runInto(every + 5*time.Second)
			v.p1.Step(d)
			v.runInto(0)
			next := v.wall()
			v.runInto(every)
			v.runOut()
			v.expectNoFlood(t)
			v.expectWhole(t)
			if d >= 0 || d < -10*time.Minute {
				if !slices.Contains(v.starts(), next/int64(every)*int64(every)) {
					t.Errorf("the whole interval after the step was not given: %v", v.starts())
				}
			}
			if broken := next/int64(every)*int64(every) - int64(every); d > time.Minute && slices.Contains(v.starts(), broken) {
				t.Error("the interval in which the clock stepped was given")
			}
		})
	}
}

// TestPacketsOnTheirWayWhenTheClockStepsHaveNoTimes: but are not lost.
func TestPacketsOnTheirWayWhenTheClockStepsHaveNoTimes(t *testing.T) {
	t.Parallel()
	v := simulated(t)
	v.delay(300 * time.Millisecond)
	v.runInto(every + 5*time.Millisecond)
	v.p1.Step(-time.Hour)
	v.runOut()
	r := v.sum("p2")
	expectNone(t, "a step", r.Counts)
	if r.RTT.N == 0 || r.RTT.N == r.Received || r.RTT.Max > 302.001e3 || r.RTT.Min < 302e3 {
		t.Errorf("%d round-trip times of %d packets, %g to %g us", r.RTT.N, r.Received, r.RTT.Min, r.RTT.Max)
	}
}

// TestNoIntervalIsGivenTwice: the clock comes back to where it was.
func TestNoIntervalIsGivenTwice(t *testing.T) {
	t.Parallel()
	v := simulated(t)
	v.run(time.Minute)
	v.p1.Step(-12 * time.Minute)
	v.run(15 * time.Minute)
	v.expectWhole(t)
	if len(v.intervals) < 70 {
		t.Errorf("%d intervals in 16 minutes", len(v.intervals))
	}
}

// TestAClockThatWasAheadGoesBack: what has its time again was not given before.
func TestAClockThatWasAheadGoesBack(t *testing.T) {
	t.Parallel()
	v := simulated(t)
	v.p1.Step(24 * time.Hour)
	v.run(2 * time.Minute)
	v.p1.Step(-24 * time.Hour)
	given := len(v.intervals)
	v.run(2 * time.Minute)
	v.expectWhole(t)
	if n := len(v.intervals) - given; n < 9 {
		t.Errorf("%d intervals in two minutes", n)
	}
}

func TestTheFarClockSteps(t *testing.T) {
	t.Parallel()
	for _, d := range []time.Duration{time.Hour, -time.Hour} {
		v := simulated(t)
		v.runInto(every + 3*time.Second)
		for range 5 {
			v.stepBetweenT2AndT3("p2", d)
		}
		v.runOut()
		r := v.sum("p2")
		expectNone(t, "a step", r.Counts)
		if r.RTT.Max > 2001 || r.RTT.N < r.Received-5 {
			t.Errorf("%v: %d round-trip times of up to %g us", d, r.RTT.N, r.RTT.Max)
		}
		if d := r.Detail; d.IPDVForward.Max > 1 || d.IPDVBackward.Max > 1 || d.IPDVForward.N < r.Received-25 {
			t.Errorf("IPDV %+v and %+v", d.IPDVForward, d.IPDVBackward)
		}
	}
}

// stepBetweenT2AndT3 steps a far clock when packets have come there and have no
// answer yet.
func (v *virtual) stepBetweenT2AndT3(name string, d time.Duration) {
	for next := v.next; v.next == next; {
		v.run(step)
	}
	v.sim.Advance(step / 2)
	v.far[name].host.Step(d)
}

func TestTicksThatAreLate(t *testing.T) {
	t.Parallel()
	for _, d := range []time.Duration{200 * time.Millisecond, 5 * time.Second, time.Hour} {
		v := simulated(t)
		v.runInto(every + 5*time.Second)
		v.pass = true
		v.run(d)
		v.pass = false
		v.runInto(every)
		v.runOut()
		v.expectNoFlood(t)
		for _, r := range v.results("p2") {
			if r.Received != r.Sent || r.Sent < 4*(perFlow-4) {
				t.Errorf("%v held up: %+v", d, r.Counts)
			}
		}
		if len(v.intervals) < 3 {
			t.Errorf("%v held up: %d intervals", d, len(v.intervals))
		}
	}
}

// TestAShortPauseCostsNoInterval: it has less sent in it, and says so.
func TestAShortPauseCostsNoInterval(t *testing.T) {
	t.Parallel()
	v := simulated(t)
	v.runInto(every + 3*time.Second)
	given := len(v.intervals)
	v.pass = true
	v.run(2 * time.Second)
	v.pass = false
	v.runOut()
	after := v.intervals[given:]
	if len(after) < 2 || after[1].Start.Sub(after[0].Start) != every {
		t.Fatalf("%d intervals after the pause", len(after))
	}
	least := perFlow
	for _, r := range v.results("p2") {
		if r.Received != r.Sent {
			t.Errorf("%+v", r.Counts)
		}
		least = min(least, r.Flows[0].Sent)
	}
	if least > perFlow-7 || least < perFlow-9 {
		t.Errorf("in the interval with a pause of 2 s %d of %d packets of a flow were sent", least, perFlow)
	}
}

// TestNoIntervalMissesWhatThereWasNoRoomFor: an interval that a clock made twice as
// long is not settled in time for all of the next.
func TestNoIntervalMissesWhatThereWasNoRoomFor(t *testing.T) {
	t.Parallel()
	test := plan("flows")
	test.Every, test.Spacing = time.Minute, 100*time.Millisecond
	v := simulatedWith(t, partOf([]inventory.Test{test}, "p2"))
	v.runInto(59 * time.Second)
	v.p1.Step(-59 * time.Second)
	v.runOut()
	v.runOut()
	v.runOut()
	if len(v.intervals) == 0 {
		t.Error("nothing was given")
	}
	for _, i := range v.intervals {
		if r := i.Results[0]; r.Sent < 4*600-4 {
			t.Errorf("%v: %+v", i.Start, r.Counts)
		}
	}
}
