package main

import (
	"context"
	"slices"
	"time"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
	"ixpqos/internal/store/influx"
)

// changing is an exchange whose probes have been measuring for a day, to few of
// each other until just now.
var changing = shape{probes, []uint8{4, 6}, 10 * time.Minute}

const formerTargets = 10

// takeChangedMatrix reads the matrix after every source's targets changed: the
// rows of a day are then about two groups of them.
func takeChangedMatrix(ctx context.Context, r rig) (samples, error) {
	e, err := newExchange(changing)
	if err != nil {
		return nil, err
	}
	taken := samples{}
	err = withBucket(ctx, "changed", func(b bucket, store *influx.Store) error {
		return r.readChanging(ctx, e, b, store, taken)
	})
	return taken, err
}

func (r rig) readChanging(ctx context.Context, e exchange, b bucket, to store.Writer, taken samples) error {
	settings, err := b.settings(r, b.URL)
	if err != nil {
		return err
	}
	intervals := r.pick(int(24*time.Hour/changing.interval), 12)
	begin := time.Now().Truncate(changing.interval).Add(-time.Duration(intervals) * changing.interval)
	for i := range intervals {
		targets := formerTargets
		if i == intervals-1 {
			targets = probes
		}
		if err := e.put(ctx, to, begin.Add(time.Duration(i)*changing.interval), targets); err != nil {
			return err
		}
	}
	return r.serveStore(ctx, e.inventory, settings, func(url string) (err error) {
		c := newClient(url)
		defer c.close()
		taken["changed_matrix_ms"], err = c.readMatrix(ctx, r.pick(100, 20), len(changing.families)*pairs, func(int) error { return nil })
		return err
	})
}

// put stores an interval, in which all measure to the first so many.
func (e exchange) put(ctx context.Context, to store.Writer, at time.Time, targets int) error {
	for _, reporter := range e.reporters {
		batch := reporter.begun(at)
		batch.Results = slices.DeleteFunc(slices.Clone(batch.Results), func(r ippm.Result) bool { return r.Target >= name(targets) })
		if _, err := to.Put(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}
