package sender

import (
	"time"

	"ixpqos/internal/ippm"
)

const (
	// settleAfter is how long after its end an interval is settled: the loss
	// threshold (RFC 6673), and time for what tells the direction of a loss.
	settleAfter = 5 * time.Second
	// settleTicks is over how many ticks the pairs of an interval are spread, so
	// that no tick is late for it.
	settleTicks = 20
	// lateOpening is how long after its beginning an interval may be opened and
	// still be called whole.
	lateOpening = time.Second
	// farBack is how far a clock must be behind the newest interval to have been
	// ahead before: less is a step that passes.
	farBack = 10 * time.Minute
)

// interval is an aligned period of a test.
type interval struct {
	number uint32 // from 1, in the order in which they are opened
	start  int64  // Unix time in nanoseconds
	// whole tells whether it was measured from its beginning, by a clock that did
	// not step.
	whole    bool
	closedAt time.Duration
}

// turn opens the interval that a moment is in, and closes the one before.
func (t *test) turn(m Moment, stepped bool) {
	t.interval.whole = t.interval.whole && !stepped
	start := t.startOf(m.Wall)
	if start == t.interval.start {
		return
	}
	before := t.interval
	if before.number > 0 {
		before.closedAt = m.Since
		t.closed = append(t.closed, before)
		if before.whole {
			t.newest = before.start
		}
	}
	if t.newest-start > int64(farBack) {
		t.newest = 0
	}
	t.interval = interval{
		number: before.number + 1,
		start:  start,
		whole:  before.number > 0 && !stepped && start > t.newest && m.Wall-start < int64(lateOpening),
	}
}

// startOf is the start of the interval that a time is in.
func (t *test) startOf(at int64) int64 {
	into := (at - t.origin) % int64(t.Every)
	if into < 0 {
		into += int64(t.Every)
	}
	return at - into
}

// settle goes on with the oldest closed interval, and gives it once all pairs
// are settled.
func (t *test) settle(m Moment, emit func(Interval)) {
	if len(t.closed) == 0 || m.Since-t.closed[0].closedAt < settleAfter {
		return
	}
	i := t.closed[0]
	for range (len(t.pairs) + settleTicks - 1) / settleTicks {
		if t.settled < len(t.pairs) {
			t.settlePair(t.pairs[t.settled], i)
			t.settled++
		}
	}
	if t.settled < len(t.pairs) {
		return
	}
	if i.whole {
		emit(Interval{Test: t.Name, Start: time.Unix(0, i.start).UTC(), Length: t.Every, Results: t.results, Lateness: t.lateness})
	} else if i.number > 1 { // a test begins within its first one
		t.missed()
	}
	t.tellTrouble()
	t.closed, t.settled, t.results = t.closed[1:], 0, nil
	t.lateness = ippm.Delay{}
}
