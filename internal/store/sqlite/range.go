package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"time"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
)

// Results are read so many at once; those with flows may be as large as hundreds
// of others.
const (
	pageLength      = 1000
	flowsPageLength = 100
)

// paging is how results are read page by page.
type paging struct {
	statement *sql.Stmt
	length    int
	read      func(ippm.Series, *packed) (store.Seen, error)
}

// Range yields the results of one pair that began in [from, until). It holds no
// connection while yield works, which may take its time and call the store.
func (s *Store) Range(ctx context.Context, source, target string, filter store.Filter, from, until time.Time, yield func(store.Stored) error) error {
	read := func(series ippm.Series, p *packed) (store.Seen, error) {
		r, err := readDetailed(series, p)
		return store.Seen{Stored: r}, err
	}
	return s.walk(ctx, paging{s.statements.page, pageLength, read}, source, target, filter, from, until,
		func(r store.Stored, _ *ippm.Heard) error { return yield(r) })
}

// Flows is Range for results with their flows, and what was heard of them.
func (s *Store) Flows(ctx context.Context, source, target string, filter store.Filter, from, until time.Time, yield func(store.Stored, *ippm.Heard) error) error {
	return s.walk(ctx, paging{s.statements.flowsPage, flowsPageLength, readSeen}, source, target, filter, from, until, yield)
}

func (s *Store) walk(ctx context.Context, by paging, source, target string, filter store.Filter, from, until time.Time, yield func(store.Stored, *ippm.Heard) error) error {
	tried := fmt.Sprintf("read the results from %q to %q", source, target)
	if err := s.catalogue.refresh(ctx, s.statements.newSeries); err != nil {
		return explain(tried, s.path, err)
	}
	for _, series := range passing(s.catalogue.pair(source, target), filter) {
		for results, err := range by.pages(ctx, series, nanoseconds(from), nanoseconds(until)) {
			if err != nil {
				return explain(tried, s.path, err)
			}
			if err := store.YieldAll(results, yield); err != nil {
				return err
			}
		}
	}
	return nil
}

// pages gives the results of one series that began in [from, until), many at a time.
func (p paging) pages(ctx context.Context, series numbered, from, until int64) iter.Seq2[[]store.Seen, error] {
	return func(yield func([]store.Seen, error) bool) {
		for {
			results, err := p.page(ctx, series, from, until)
			if !yield(results, err) || len(results) < p.length {
				return
			}
			from = nanoseconds(results[p.length-1].Start) + 1
		}
	}
}

func (p paging) page(ctx context.Context, series numbered, from, until int64) (results []store.Seen, err error) {
	var row sql.RawBytes
	err = each(ctx, p.statement, []any{series.id, from, until, p.length}, func(rows *sql.Rows) error {
		if err := rows.Scan(&row); err != nil {
			return err
		}
		r, err := p.read(series.Series, &packed{bytes: row})
		results = append(results, r)
		return err
	})
	return results, err
}
