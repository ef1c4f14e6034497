package sender

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"ixpqos/infra/simulation"
	"ixpqos/internal/inventory"
)

// counting has the world count the intervals that are missed.
func counting(v *virtual) (missed *int) {
	missed = new(int)
	v.apply(inventory.Part{})
	v.settings.Missed = func() { *missed++ }
	v.run(Tick)
	v.apply(partOf([]inventory.Test{plan("flows")}, "p2", "p3"))
	return missed
}

// stop stops the sender, and tells how long it took to end.
func (v *virtual) stop() (took time.Duration) {
	began := v.sim.Elapsed()
	for v.Stop(); !v.Ended() && took < time.Minute; took = v.sim.Elapsed() - began {
		v.run(step)
	}
	return took
}

// TestAtItsEndWhatWasMeasuredIsGiven: an interval that is over, whose loss has its
// direction. The one that the end comes in is missed.
func TestAtItsEndWhatWasMeasuredIsGiven(t *testing.T) {
	t.Parallel()
	for _, after := range []time.Duration{0, time.Second, 4500 * time.Millisecond, 9 * time.Second} {
		v := simulated(t)
		missed := counting(v)
		v.runInto(every + 3*time.Second)
		v.lose(forward, 0.2)
		v.run(3 * time.Second)
		met := v.heal()
		v.runInto(after + step)
		before, took := len(v.sent), v.stop()
		if took > 3*time.Second {
			t.Errorf("%v after an interval's end: it took %v", after, took)
		}
		v.run(time.Second)
		if len(v.sent) > before+1 {
			t.Errorf("%v after an interval's end: sent was in %d ticks more", after, len(v.sent)-before)
		}
		v.expectStarts(t, 2)
		if sum := v.sum("p2").Counts.Plus(v.sum("p3").Counts); sum.Forward != met[forward] || sum.Lost() != met[forward] || met[forward] == 0 {
			t.Errorf("%v after an interval's end: %+v; lost were %v", after, sum, met)
		}
		if *missed != 1 {
			t.Errorf("%v after an interval's end: %d intervals were missed", after, *missed)
		}
	}
}

// expectStarts wants so many intervals, which follow each other.
func (w *world) expectStarts(t *testing.T, count int) {
	t.Helper()
	for i, at := range w.starts() {
		if at != w.starts()[0]+int64(i)*int64(every) {
			t.Errorf("the intervals %v are not one after the other", w.starts())
		}
	}
	if len(w.intervals) != count {
		t.Errorf("%d intervals were given, not %d", len(w.intervals), count)
	}
}

// TestAtItsEndItWaitsForReplies of the interval that is over: none is lost for it.
func TestAtItsEndItWaitsForReplies(t *testing.T) {
	t.Parallel()
	v := simulated(t)
	v.delay(1900 * time.Millisecond)
	v.runInto(every + step)
	v.stop()
	v.expectStarts(t, 1)
	for _, r := range v.intervals[0].Results {
		expectNone(t, r.Target, r.Counts)
	}
}

// TestAChangedTestGivesWhatItMeasured, though the new one has the same ports.
func TestAChangedTestGivesWhatItMeasured(t *testing.T) {
	t.Parallel()
	for _, after := range []time.Duration{step, time.Second, 4 * time.Second, 8 * time.Second} {
		v := simulated(t)
		missed := counting(v)
		v.runInto(every)
		v.lose(forward, 0.1)
		v.runInto(after)
		met := v.heal()
		v.intervals = nil
		if after > settleAfter+settleTicks*Tick {
			v.runInto(after)
		}
		changed := plan("flows")
		changed.Size = 500
		v.apply(partOf([]inventory.Test{changed}, "p2", "p3"))
		if len(v.troubles) > 0 {
			t.Errorf("changed after %v: troubles %v", after, v.troubles)
		}
		v.runOut()
		v.runOut()
		if len(v.intervals) < 2 || *missed != 1 {
			t.Fatalf("changed after %v: %d intervals were given, %d missed", after, len(v.intervals), *missed)
		}
		if after < settleAfter && v.intervals[0].Results[0].Lost()+v.intervals[0].Results[1].Lost() == 0 && met[forward] > 0 {
			t.Errorf("changed after %v: the loss of the interval before is not told", after)
		}
		last := v.intervals[len(v.intervals)-1]
		expectNone(t, "the changed test", last.Results[0].Counts)
		if len(v.troubles) > 0 {
			t.Errorf("changed after %v: troubles %v", after, v.troubles)
		}
	}
}

// TestATargetThatLeavesIsGivenToItsEnd: its last whole interval.
func TestATargetThatLeavesIsGivenToItsEnd(t *testing.T) {
	t.Parallel()
	v := simulated(t)
	v.runInto(2*every + time.Second)
	v.apply(partOf([]inventory.Test{plan("flows")}, "p2"))
	v.run(step)
	v.impair(forward, v.of("p3"), simulation.Impairment{})
	v.runOut()
	if met := v.heal()[forward]; met > 0 {
		t.Errorf("%d packets were sent to it since", met)
	}
	if p2, p3 := len(v.results("p2")), len(v.results("p3")); p2 != 3 || p3 != 2 {
		t.Errorf("%d results of p2, %d of p3", p2, p3)
	}
	expectNone(t, "p3", v.sum("p3").Counts)
}

// TestRunEndsWithWhatItMeasured, in a time that is bounded.
func TestRunEndsWithWhatItMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now().UnixNano()
		s := newMirrored(t, 2)
		s.wall = now
		s.settings.Origin = now
		given := 0
		ctx, cancel := context.WithCancel(t.Context())
		parts := make(chan inventory.Part, 1)
		test := plan("flows")
		parts <- partOf([]inventory.Test{test}, "p2")
		time.AfterFunc(2*every+every/10, cancel)
		if err := s.Run(ctx, parts, func(i Interval) {
			if i.Whole {
				given++
			}
		}); err != nil {
			t.Error(err)
		}
		if took := time.Now().UnixNano() - now - int64(2*every+every/10); given != 1 || took > int64(3*time.Second) {
			t.Errorf("%d intervals were given, in %v", given, time.Duration(took))
		}
	})
}
