package ping

import (
	"errors"
	"fmt"
	"time"

	"ixpqos/internal/inventory"
)

// tally keeps the books of one pinger. Sequence number 0 is the first ping,
// which is not counted. It is used from one goroutine at a time.
type tally struct {
	opened     time.Time
	count      int
	pings      []ping // by sequence number
	sent       int
	received   int // of those counted, in time
	duplicates int
	reordered  int
	highest    int // highest sequence number answered
	refusal    error
}

// moment is one reading of two clocks: the wall clock, which may step, and one
// that only goes on, counted from when the tally was opened.
type moment struct {
	wall  time.Time
	since time.Duration
}

type ping struct {
	gone     bool
	sent     moment
	answered bool
	rtt      time.Duration
}

func newTally(count int) *tally {
	return &tally{opened: time.Now(), count: count, pings: make([]ping, count+1), highest: -1}
}

func (t *tally) now() moment {
	now := time.Now()
	return moment{wall: now.Round(0), since: now.Sub(t.opened)}
}

func (t *tally) onSend(seq int, now moment) {
	if seq < len(t.pings) {
		t.pings[seq].gone, t.pings[seq].sent = true, now
		t.sent++
	}
}

// onReply takes a reply and the RTT that pro-bing computed from two readings of
// the wall clock. How far that clock stepped between the two is taken out again.
func (t *tally) onReply(seq int, rtt time.Duration, now moment) {
	if seq >= len(t.pings) {
		return
	}
	p := &t.pings[seq]
	step := now.wall.Sub(p.sent.wall) - (now.since - p.sent.since)
	p.answered, p.rtt = true, rtt-step
	if seq < t.highest {
		t.reordered++
	}
	t.highest = max(t.highest, seq)
	if seq > 0 && p.rtt <= inventory.LossThreshold {
		t.received++
	}
}

func (t *tally) onDuplicate(seq int) {
	if seq > 0 {
		t.duplicates++
	}
}

func (t *tally) onRefused(err error) {
	t.refusal = err
}

// errTooSlow is why pings did not go out that nobody refused.
var errTooSlow = errors.New("this host was too busy to send them in time: give it less to do, or the test more spacing")

func (t *tally) sendError() error {
	if t.refusal != nil {
		return fmt.Errorf("the kernel refused: %w", t.refusal)
	}
	return errTooSlow
}

// outcome closes the books. A ping without a reply is lost once it waited
// longer than the loss threshold; a younger one is not counted at all. Where
// the run was not interrupted, pings that never went out were refused.
func (t *tally) outcome(now moment, interrupted bool) outcome {
	var out outcome
	for _, p := range t.pings[1:] {
		switch {
		case !p.gone:
		case p.answered:
			out.Sent++
			out.take(p.rtt)
		case now.since-p.sent.since >= inventory.LossThreshold:
			out.Sent++
			out.Unplaced++
		}
	}
	if first := t.pings[0]; first.answered && first.rtt >= 0 && first.rtt <= inventory.LossThreshold {
		out.first = &first.rtt
	}
	out.Duplicates, out.Reordered = t.duplicates, t.reordered
	if !interrupted {
		// pro-bing tries a refused one again: what counts is what never went out.
		out.Refused = t.count - max(t.sent-1, 0)
	}
	return out
}

func (o *outcome) take(rtt time.Duration) {
	if rtt > inventory.LossThreshold {
		o.Late++
		return
	}
	o.Received++
	if rtt >= 0 {
		// A duration is always finite, which is all that Add asks for.
		_ = o.rtt.Add(float64(rtt) / float64(time.Microsecond))
	}
}
