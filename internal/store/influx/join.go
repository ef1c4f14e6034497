package influx

import (
	"context"
	"slices"
	"sync"
)

// maxAtOnce is how many requests with batches are on their way at once. Batches
// that come meanwhile wait and go together: InfluxDB takes many lines in one
// request for less than in many, each of which it brings to the disk.
const maxAtOnce = 4

// joiner lets batches go together.
type joiner struct {
	mu      sync.Mutex
	atOnce  int
	waiting []*waiter
}

// waiter is a batch that waits to be told how it goes on.
type waiter struct {
	lines *lines
	told  chan told // has room for one
}

// told is what becomes of a waiter: it is to send its lines with those of
// others, or its lines were sent, or it is to send them alone.
type told struct {
	lead, sent bool
	others     []*waiter
	err        error // of a request that was sent
}

// writeJoined is write, with the lines of other batches where there are many.
func (s *Store) writeJoined(ctx context.Context, to *bucket, l *lines) ([]refused, error) {
	w := &waiter{l, make(chan told, 1)}
	if !to.join.begin(w) {
		select {
		case t := <-w.told:
			return s.goOn(ctx, to, w, t)
		case <-ctx.Done():
			if to.join.leave(w) {
				return nil, ctx.Err()
			}
			return s.goOn(ctx, to, w, <-w.told)
		}
	}
	defer to.join.next()
	return s.write(ctx, to, l)
}

func (s *Store) goOn(ctx context.Context, to *bucket, w *waiter, t told) ([]refused, error) {
	switch {
	case t.sent:
		return nil, t.err
	case !t.lead:
		return s.write(ctx, to, w.lines)
	}
	defer to.join.next()
	if len(t.others) == 0 {
		return s.write(ctx, to, w.lines)
	}
	text := slices.Clone(w.lines.text)
	for _, o := range t.others {
		text = append(text, o.lines.text...)
	}
	err := s.post(ctx, to, text)
	// Where InfluxDB takes offence at a line, or who sends gives up, that is no
	// matter of the others.
	sent := err == nil || transient(err) != ""
	for _, o := range t.others {
		o.told <- told{sent: sent, err: err}
	}
	if sent {
		return nil, err
	}
	return s.write(ctx, to, w.lines)
}

// begin says whether a batch may go now; else it waits.
func (j *joiner) begin(w *waiter) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.atOnce < maxAtOnce {
		j.atOnce++
		return true
	}
	j.waiting = append(j.waiting, w)
	return false
}

// leave says whether a batch was still waiting.
func (j *joiner) leave(w *waiter) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	at := slices.Index(j.waiting, w)
	if at >= 0 {
		j.waiting = slices.Delete(j.waiting, at, at+1)
	}
	return at >= 0
}

// next gives the place of a request that has ended to those who wait: the first
// of them, with as many others as fit in one request.
func (j *joiner) next() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.waiting) == 0 {
		j.atOnce--
		return
	}
	n, lines, bytes := 0, 0, 0
	for _, w := range j.waiting {
		lines, bytes = lines+len(w.lines.all), bytes+len(w.lines.text)
		if n > 0 && (lines > maxLines || bytes > maxBytes) {
			break
		}
		n++
	}
	group := slices.Clone(j.waiting[:n])
	j.waiting = slices.Delete(j.waiting, 0, n)
	group[0].told <- told{lead: true, others: group[1:]}
}
