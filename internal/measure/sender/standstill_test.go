package sender

import (
	"testing"
	"time"
)

// TestEveryIntervalOfAStandstillIsMissed: those that passed unseen, and those at its
// edges that are not given; a step of the clock passes none.
func TestEveryIntervalOfAStandstillIsMissed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		begins      time.Duration // in an interval
		lasts, step time.Duration
		want        int
	}{
		{"none", 3 * time.Second, 2 * time.Second, 0, 0},
		{"most of one, and a bit of the next", 3 * time.Second, 11 * time.Second, 0, 1},
		{"the end of one, two, and less than half of another", 8 * time.Second, 2*every + 6*time.Second, 0, 3},
		{"two, the end of one and most of another", 3 * time.Second, 2*every + 16*time.Second, 0, 4},
		{"an hour", 8 * time.Second, time.Hour, 0, int(time.Hour/every) + 1},
		{"a step", 5 * time.Second, Tick, time.Hour, 2},
	} {
		v := simulated(t)
		missed := 0
		v.tests[0].missed = func() { missed++ }
		v.runInto(every + c.begins)
		v.pass = true
		v.run(c.lasts)
		v.p1.Step(c.step)
		v.pass = false
		v.runInto(every)
		v.runOut()
		if missed != c.want {
			t.Errorf("%s: %d missed; want %d", c.name, missed, c.want)
		}
	}
}
