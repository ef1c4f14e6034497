package sender

import (
	"time"

	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
)

const (
	// settleAfter is how long after its end an interval is settled: the loss
	// threshold (RFC 6673), and time for what tells the direction of a loss.
	settleAfter = 5 * time.Second
	// endAfter is how long after its end an interval is settled once the test sends
	// no more: nothing comes then that tells more of a direction.
	endAfter = inventory.LossThreshold + Tick
	// settleTicks is over how many ticks the pairs of an interval are spread, so
	// that no tick is late for it.
	settleTicks = 20
	// pausesIn is what part of an interval the ticks may stay away, at its beginning
	// too, for it to be given still: one half. What was sent in the other says
	// enough, and it says how much that was.
	pausesIn = 2
	// shortGap is how long no interval is given for what passes, such as a step of
	// the clock: a clock that goes back there finds nothing to give.
	shortGap = int64(10 * time.Minute)
)

// interval is an aligned period of a test.
type interval struct {
	number uint32 // from 1, in the order in which they are opened
	start  int64  // Unix time in nanoseconds
	// whole tells whether it was measured from its beginning to its end, but for a
	// pause, by a clock that did not step, and was not before.
	whole    bool
	closedAt time.Duration
}

// turn opens the interval that a moment is in, and closes the one before.
func (t *test) turn(m Moment, stepped bool, pause time.Duration) {
	longest := t.Every / pausesIn
	start := t.startOf(m.Wall)
	t.interval.whole = t.interval.whole && !stepped && pause <= longest && start >= t.interval.start
	if start == t.interval.start {
		return
	}
	before := t.interval
	if before.number > 0 {
		before.closedAt = m.Since
		t.closed = append(t.closed, before)
		if before.whole {
			t.isGiven(before.start)
		}
	}
	t.interval = interval{
		number: before.number + 1,
		start:  start,
		whole:  before.number > 0 && !stepped && !t.given.hold(start) && m.Wall-start <= int64(longest),
	}
}

// isGiven notes the start of an interval that is given, and must not be again
// when the clock goes back.
func (t *test) isGiven(start int64) {
	from := start - int64(t.Every)
	if newest := t.given[0].to; start-newest < shortGap {
		from = min(from, newest)
	}
	t.given.add(from, start)
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
	if !t.settlesAt(m) {
		return
	}
	i := t.closed[0]
	share := (len(t.pairs) + settleTicks - 1) / settleTicks
	if t.ending { // no tick of its own can be late for it
		share = len(t.pairs)
	}
	for range share {
		if t.settled < len(t.pairs) {
			t.settlePair(t.pairs[t.settled], i)
			t.settled++
		}
	}
	if t.settled < len(t.pairs) {
		return
	}
	emit(Interval{Test: t.Name, Start: time.Unix(0, i.start).UTC(), Length: t.Every, Whole: i.whole, Results: t.results, Lateness: t.lateness})
	if !i.whole && i.number > 1 { // a test begins within its first one
		t.missed()
	}
	if !t.ending {
		t.tellTrouble()
	}
	t.closed, t.settled, t.results = t.closed[1:], 0, nil
	t.lateness = ippm.Delay{}
	t.dropLeft(i.number)
}

// settlesAt tells whether the oldest closed interval has waited for long enough.
func (t *test) settlesAt(m Moment) bool {
	wait := settleAfter
	if t.ending {
		wait = endAfter
	}
	return len(t.closed) > 0 && m.Since-t.closed[0].closedAt >= wait
}

// end has the test send no more. The interval that it is in is never whole.
func (t *test) end() {
	t.ending = true
	if t.interval.number > 1 { // a test begins within its first one
		t.missed()
	}
}
