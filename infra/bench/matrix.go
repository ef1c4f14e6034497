package main

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"time"

	"ixpqos/internal/store"
	"ixpqos/internal/store/sqlite"
)

// takeMatrix reads the matrix from a server whose store has some history, first
// for itself, then with a batch arriving before each read.
func takeMatrix(ctx context.Context, r rig) (samples, error) {
	e, err := newExchange(wide)
	if err != nil {
		return nil, err
	}
	newest := time.Now().Truncate(interval).Add(-interval)
	if err := r.fill(ctx, e, "matrix.db", newest); err != nil {
		return nil, err
	}
	taken := samples{}
	err = r.serve(ctx, e.inventory, "matrix.db", func(url string) error {
		c := newClient(url)
		defer c.close()
		reads := r.pick(200, 40)
		if taken["matrix_ms"], err = c.readMatrix(ctx, reads, pairs, func(int) error { return nil }); err != nil {
			return err
		}
		taken["matrix_busy_ms"], err = c.readMatrix(ctx, reads, pairs, func(i int) error {
			// The same interval cannot come twice: the next one begins a second later.
			_, err := c.post(ctx, e.reporters[i%probes], newest.Add(time.Duration(1+i/probes)*time.Second))
			return err
		})
		return err
	})
	return taken, err
}

// fill makes a database that holds the intervals up to the newest.
func (r rig) fill(ctx context.Context, e exchange, database string, newest time.Time) error {
	db, err := sqlite.Open(ctx, filepath.Join(r.dir, database), sqlite.Options{})
	if err != nil {
		return err
	}
	defer db.Close()
	return r.fillStore(ctx, e, db, newest)
}

// fillStore puts the intervals up to the newest into a store.
func (r rig) fillStore(ctx context.Context, e exchange, to store.Writer, newest time.Time) error {
	intervals := r.pick(12, 3)
	for i := range intervals {
		for _, reporter := range e.reporters {
			if _, err := to.Put(ctx, reporter.begun(newest.Add(time.Duration(i+1-intervals)*interval))); err != nil {
				return err
			}
		}
	}
	return nil
}

// warmUp is how many reads come before those that count.
const warmUp = 3

// readMatrix gives the milliseconds of each read, from the request to the last
// byte of the answer. Before each one, which is not counted, it calls before.
func (c *client) readMatrix(ctx context.Context, reads, cells int, before func(int) error) (ms []float64, err error) {
	for i := range warmUp + reads {
		if err := before(i); err != nil {
			return nil, err
		}
		began := time.Now()
		body, err := c.get(ctx, "/api/v2/matrix")
		took := time.Since(began)
		if err != nil {
			return nil, err
		}
		if err := checkMatrix(body, cells); err != nil {
			return nil, err
		}
		if i >= warmUp {
			ms = append(ms, milliseconds(took))
		}
	}
	return ms, nil
}

// pairs are those of a wide exchange, in one family.
const pairs = probes * (probes - 1)

// checkMatrix makes sure that the work was done: so many cells have a fresh value.
func checkMatrix(body []byte, cells int) error {
	fresh, values := bytes.Count(body, []byte(`"state":"fresh"`)), bytes.Count(body, []byte(`"rtt_p95_us":`))
	if nulls := bytes.Count(body, []byte(`"rtt_p95_us":null`)); fresh != cells || values-nulls != cells {
		return fmt.Errorf("of %d cells in the matrix %d are fresh and %d have a 95th percentile", cells, fresh, values-nulls)
	}
	return nil
}

// milliseconds keeps microseconds and no more.
func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
