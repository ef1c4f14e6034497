package main

import (
	"context"
	"slices"
	"time"

	influxd "ixpqos/infra/influx"
	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
	"ixpqos/internal/store/influx"
)

// changing is an exchange whose probes have been measuring for a day when one
// more is made a target of all others.
var changing = shape{probes, []uint8{4, 6}, 10 * time.Minute}

// takeChangedMatrix reads the matrix before and after a change of every source's
// targets: the rows of a day are then about two groups of them.
func takeChangedMatrix(ctx context.Context, r rig) (samples, error) {
	e, err := newExchange(changing)
	if err != nil {
		return nil, err
	}
	taken := samples{}
	err = withInflux(ctx, func(s *influxd.Server) error {
		b, err := newBucket(ctx, s, "changed")
		if err != nil {
			return err
		}
		store, err := influx.Open(ctx, influx.Options{URL: b.URL, Org: b.Org, Token: b.token, Buckets: all(b.name)})
		if err != nil {
			return err
		}
		defer store.Close()
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
	for i := range intervals - 1 {
		if err := e.put(ctx, to, begin.Add(time.Duration(i)*changing.interval), name(probes-1)); err != nil {
			return err
		}
	}
	read := func(name string, cells int) error {
		return r.serveStore(ctx, e.inventory, settings, func(url string) (err error) {
			c := newClient(url)
			defer c.close()
			taken[name], err = c.readMatrix(ctx, r.pick(50, 20), cells, func(int) error { return nil })
			return err
		})
	}
	families := len(changing.families)
	if err := read("unchanged_matrix_ms", families*(probes-1)*(probes-1)); err != nil {
		return err
	}
	if err := e.put(ctx, to, begin.Add(time.Duration(intervals-1)*changing.interval), ""); err != nil {
		return err
	}
	return read("changed_matrix_ms", families*probes*(probes-1))
}

// put stores an interval, in which nobody measures to one of the probes.
func (e exchange) put(ctx context.Context, to store.Writer, at time.Time, without string) error {
	for _, reporter := range e.reporters {
		batch := reporter.begun(at)
		batch.Results = slices.DeleteFunc(slices.Clone(batch.Results), func(r ippm.Result) bool { return r.Target == without })
		if _, err := to.Put(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}
