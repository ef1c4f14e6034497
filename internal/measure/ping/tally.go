package ping

import (
	"errors"
	"fmt"
	"net/netip"
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
	timed      int // of those received, by the kernel
	foreign    int // replies from elsewhere
	stranger   netip.Addr
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
	sample   bool
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

// stepNoise is how far two clocks may seem apart that are read one after the
// other, or that are slewed.
const stepNoise = 500 * time.Microsecond

// onReply takes a reply and its RTT, the difference of two stamps of the wall
// clock. How far that clock stepped between the two is taken out again, and what
// is more than passed by the other clock is not believed.
func (t *tally) onReply(seq int, rtt time.Duration, now moment) {
	if seq >= len(t.pings) || !t.pings[seq].gone {
		return
	}
	passed := now.since - t.pings[seq].sent.since
	if step := now.wall.Sub(t.pings[seq].sent.wall) - passed; step.Abs() > stepNoise {
		rtt -= step
	}
	t.answer(seq, min(rtt, passed), true)
}

// onUntimed takes a reply that the kernel gave no time: a kernel begins with that
// a moment after it was asked, and some drivers never do.
func (t *tally) onUntimed(seq int, now moment) {
	if seq >= len(t.pings) || !t.pings[seq].gone {
		return
	}
	t.answer(seq, now.since-t.pings[seq].sent.since, false)
}

func (t *tally) answer(seq int, rtt time.Duration, timed bool) {
	p := &t.pings[seq]
	if p.answered {
		t.onDuplicate(seq)
		return
	}
	// Once the kernel gives times, a reply without one is no sample.
	p.answered, p.rtt, p.sample = true, rtt, timed || t.timed == 0
	if seq < t.highest {
		t.reordered++
	}
	t.highest = max(t.highest, seq)
	if seq > 0 && p.rtt <= inventory.LossThreshold {
		t.received++
		if timed {
			t.timed++
		}
	}
}

// untimed tells whether round-trip times are this process's, for want of others.
func (t *tally) untimed() bool { return t.received > 0 && t.timed == 0 }

// onFirst is told what became of a first ping that was not sent by number.
func (t *tally) onFirst(rtt time.Duration, answered bool) {
	t.pings[0].answered, t.pings[0].rtt = answered, rtt
}

// onForeign takes a reply from another address than was asked: it tells nothing
// of the target's.
func (t *tally) onForeign(from netip.Addr) {
	t.foreign++
	t.stranger = from
}

// gone is how many of those that count were sent.
func (t *tally) gone() (n int) {
	n = t.sent
	if t.pings[0].gone {
		n--
	}
	return n
}

// awaits is how many of those that count were sent and not answered.
func (t *tally) awaits() (n int) {
	for _, p := range t.pings[1:] {
		if p.gone && !p.answered {
			n++
		}
	}
	return n
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
			out.take(p.rtt, p.sample)
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
		out.Refused = t.count - t.gone()
	}
	return out
}

// take counts a reply. Only a sample has a round-trip time.
func (o *outcome) take(rtt time.Duration, sample bool) {
	if rtt > inventory.LossThreshold {
		o.Late++
		return
	}
	o.Received++
	if sample && rtt >= 0 {
		// A duration is always finite, which is all that Add asks for.
		_ = o.rtt.Add(float64(rtt) / float64(time.Microsecond))
	}
}
