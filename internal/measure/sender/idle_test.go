package sender

import (
	"testing"
	"time"

	"ixpqos/internal/inventory"
)

// TestWithNothingToSendItSeldomWakesUp, before and after it has something, and
// tells of every interval all the same.
func TestWithNothingToSendItSeldomWakesUp(t *testing.T) {
	t.Parallel()
	s, given := simulatedWith(t, partOf([]inventory.Test{plan("flows")})).Sender, 0
	ticks := map[bool]int{}
	run := func(part inventory.Part, from, until time.Duration) {
		s.Apply(part)
		for now := from; now < until; {
			m := Moment{Wall: int64(time.Hour + now), Since: time.Hour + now}
			now += s.Wait(m)
			s.Tick(m, func(i Interval) {
				if i.Whole {
					given++
				}
			})
			ticks[len(part.Peers) > 0]++
		}
	}
	run(partOf([]inventory.Test{plan("flows")}), 0, 50*time.Second)
	run(partOf([]inventory.Test{plan("flows")}, "p2"), 50*time.Second, 60*time.Second)
	run(partOf([]inventory.Test{plan("flows")}), 60*time.Second, 110*time.Second)
	if got := ticks[false]; got < 2*50*4-2 || got > 2*50*4+2 {
		t.Errorf("%d ticks in 100 s with nothing to send", got)
	}
	if got := ticks[true]; got < 10*20-1 {
		t.Errorf("%d ticks in 10 s", got)
	}
	if given < 8 {
		t.Errorf("%d whole intervals were given", given)
	}
}
