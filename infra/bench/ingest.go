package main

import (
	"context"
	"math"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"ixpqos/internal/store/sqlite"
)

// connections is how many batches are on their way at once.
const connections = 4

// turn is how long results go one way before they go the other.
const turn = 2 * time.Second

// putter stores the batch of an interval and tells how many results it had.
type putter func(ctx context.Context, r reporter, at time.Time) (int, error)

// takeIngest lets results go through the server and into a store of its own in
// turns, so that both meet the same machine.
func takeIngest(ctx context.Context, r rig) (samples, error) {
	e, err := newExchange(wide)
	if err != nil {
		return nil, err
	}
	store, err := sqlite.Open(ctx, filepath.Join(r.dir, "alone.db"), sqlite.Options{})
	if err != nil {
		return nil, err
	}
	defer store.Close()
	alone := func(ctx context.Context, r reporter, at time.Time) (int, error) {
		_, err := store.Put(ctx, r.begun(at))
		return len(r.batch.Results), err
	}
	taken := samples{}
	err = r.serve(ctx, e.inventory, "ingest.db", func(url string) error {
		c := newClient(url)
		defer c.close()
		return takeTurns(ctx, e, r.pick(10, 2), taken, map[string]putter{"ingest_results_per_s": c.post, "store_results_per_s": alone})
	})
	return taken, err
}

func takeTurns(ctx context.Context, e exchange, turns int, taken samples, putters map[string]putter) error {
	next := map[string]*rounds{}
	for range turns {
		for name, put := range putters {
			if next[name] == nil {
				next[name] = newRounds(e)
			}
			rate, err := next[name].during(ctx, turn, put)
			if err != nil {
				return err
			}
			taken[name] = append(taken[name], rate)
		}
	}
	return nil
}

// rounds are all reporters' batches, interval after interval. Each worker has
// reporters of its own, in its own order of time.
type rounds struct {
	reporters []reporter
	begin     time.Time
	done      [connections]int // batches, by worker
}

// newRounds begins so long ago that no interval lies ahead, within what is kept.
func newRounds(e exchange) *rounds {
	return &rounds{reporters: e.reporters, begin: time.Now().Truncate(interval).Add(-7 * 24 * time.Hour)}
}

// during puts batches for a time and gives the results a second.
func (r *rounds) during(ctx context.Context, length time.Duration, put putter) (float64, error) {
	began := time.Now()
	var results atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for worker := range connections {
		group.Go(func() error {
			for time.Since(began) < length {
				reporter, at := r.next(worker)
				n, err := put(ctx, reporter, at)
				if err != nil {
					return err
				}
				results.Add(int64(n))
			}
			return nil
		})
	}
	err := group.Wait()
	return math.Round(float64(results.Load()) / time.Since(began).Seconds()), err
}

func (r *rounds) next(worker int) (reporter, time.Time) {
	own := len(r.reporters) / connections
	n := r.done[worker]
	r.done[worker]++
	return r.reporters[worker*own+n%own], r.begin.Add(time.Duration(n/own) * interval)
}
