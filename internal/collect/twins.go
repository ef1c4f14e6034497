package collect

import (
	"fmt"
	"sync"
	"time"

	"ixpqos/internal/ippm"
)

// A host that was cloned with its key, or a second process beside the first,
// reports under one name: each overwrites the other's results. Every process
// numbers its run, so that this can be told from a restart.
const (
	// maxRuns is how many runs of one probe are remembered: a process that is
	// started again and again must not hide two that go on.
	maxRuns = 8
	// twinsFor is how near in time the reports of two runs must be: what ended is
	// told no longer.
	twinsFor = time.Hour
	// sayTwinsEvery bounds what the log says about one probe.
	sayTwinsEvery = time.Hour
)

// twins knows the latest runs of every probe.
type twins struct {
	mu sync.Mutex
	of map[string]*runs
}

type runs struct {
	known  []run // the one that reported last stands last
	saidAt time.Time
}

// run is one process: when it started, and its newest interval, by its own clock.
type run struct {
	number          string
	started, newest time.Time
}

// note takes a batch and tells which other run its probe reports under as well.
// say is set where that was not said of late.
func (t *twins) note(b ippm.Batch, now time.Time) (other run, found, say bool) {
	if b.Run == "" || b.Health.StartedAt.IsZero() {
		return run{}, false, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.of == nil {
		t.of = map[string]*runs{}
	}
	r := t.of[b.Probe]
	if r == nil {
		r = &runs{}
		t.of[b.Probe] = r
	}
	own := r.note(b)
	if other, found = r.twinOf(own, b.Start); !found {
		return other, false, false
	}
	say = now.Sub(r.saidAt).Abs() >= sayTwinsEvery
	if say {
		r.saidAt = now
	}
	return other, true, say
}

func (r *runs) note(b ippm.Batch) (own run) {
	own = run{number: b.Run, started: b.Health.StartedAt, newest: b.Start}
	for i, known := range r.known {
		if known.number == b.Run {
			if known.newest.After(own.newest) {
				own.newest = known.newest
			}
			r.known = append(r.known[:i], r.known[i+1:]...)
			break
		}
	}
	if r.known = append(r.known, own); len(r.known) > maxRuns {
		r.known = r.known[1:]
	}
	return own
}

// twinOf is a run beside which this one goes on: each measured after the other
// had started. After a restart the old run has nothing from then, however late
// its last batches leave the spool.
func (r *runs) twinOf(own run, start time.Time) (other run, found bool) {
	for _, o := range r.known {
		if o.number != own.number && !o.newest.Before(own.started) && !start.Before(o.started) && start.Sub(o.newest).Abs() <= twinsFor {
			return o, true
		}
	}
	return run{}, false
}

// tellTwins puts into the batch, so that whoever reads its report learns it, and
// into the log, that two processes report under its name. The report is where
// functions that hold no state find it too.
func (c *Collector) tellTwins(b *ippm.Batch) {
	other, found, say := c.twins.note(*b, c.Now())
	if !found {
		return
	}
	trouble := fmt.Sprintf("two processes report as %q with one key, runs %s and %s, started %s and %s: each overwrites the other's results; "+
		"stop one, and give a cloned host a name and a key of its own (an empty state folder too)",
		b.Probe, other.number, b.Run, other.started.Format(time.RFC3339), b.Health.StartedAt.Format(time.RFC3339))
	b.Health.Troubles = append(b.Health.Troubles[:min(len(b.Health.Troubles), maxTroubles-1)], trouble)
	if say {
		c.Log.Warn("two processes report under one name", "probe", b.Probe, "because", trouble)
	}
}
