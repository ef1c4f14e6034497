package ping

import (
	"context"
	"time"

	"ixpqos/internal/inventory"
)

// noticeEnd is how late the end of a context may be noticed.
const noticeEnd = 250 * time.Millisecond

// echoes are the pings of a pinger, one after the other, and what comes of them.
type echoes struct {
	conn    *conn
	way     way
	tally   *tally
	count   int
	spacing time.Duration
	changed func()

	next int       // sequence number
	due  time.Time // of the next one
	end  time.Time
	left []int64 // the kernel's times of sending, by sequence number
}

// run sends until all are sent, and listens until all are answered or the time
// is over. Once the context has ended nothing is sent any more, and what is on
// its way has the time in which a reply is not lost.
func (e *echoes) run(ctx context.Context) {
	e.left = make([]int64, e.count+1)
	stopped := false
	for now := time.Now(); now.Before(e.end); now = time.Now() {
		if !stopped && ctx.Err() != nil {
			stopped = true
			e.end = earlier(e.end, now.Add(inventory.LossThreshold))
		}
		sending := !stopped && e.next <= e.count
		if sending && !now.Before(e.due) {
			e.send(now)
			_, _ = e.conn.poll(e.take) // a host that is behind reads too; an error is seen below
			continue
		}
		if !sending && e.tally.awaits() == 0 {
			return
		}
		until := earlier(e.end, now.Add(noticeEnd))
		if sending {
			until = earlier(until, e.due)
		}
		if err := e.conn.read(until, e.take); err != nil {
			e.tally.onRefused(err)
			return
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// send sends one. After a standstill the next is due a spacing later: what was
// not sent is not caught up with.
func (e *echoes) send(now time.Time) {
	before := e.tally.now()
	if err := e.conn.send(e.next); err != nil {
		e.tally.onRefused(err)
	} else {
		e.tally.onSend(e.next, before)
	}
	e.next++
	if e.due = e.due.Add(e.spacing); e.due.Before(now) {
		e.due = now.Add(e.spacing)
	}
	e.changed()
}

func (e *echoes) take(a arrival) {
	switch {
	case a.seq >= len(e.left):
	case a.left:
		e.left[a.seq] = a.at
	case a.from.Unmap() != e.way.to.WithZone(""):
		e.tally.onForeign(a.from)
	case a.at == 0 || e.left[a.seq] == 0:
		e.tally.onUntimed(a.seq, e.tally.now())
		e.changed()
	default:
		e.tally.onReply(a.seq, time.Duration(a.at-e.left[a.seq]), e.tally.now())
		e.changed()
	}
}
