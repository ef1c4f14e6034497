package sqlite

import (
	"context"
	"database/sql"
	"iter"
	"runtime"
	"strconv"
	"sync"
	"time"

	"ixpqos/internal/store"
)

// partLength is how many series are worth a connection of their own.
const partLength = 500

// Latest is the newest result of every series that began in [since, at].
func (s *Store) Latest(ctx context.Context, filter store.Filter, since, at time.Time) ([]store.Stored, error) {
	all, err := s.latest(ctx, filter, nanoseconds(since), nanoseconds(at))
	if err != nil {
		return nil, explain("read the latest results", s.path, err)
	}
	return all, nil
}

// latest works on parts of the series side by side: what takes the time is not
// the file but the rows.
func (s *Store) latest(ctx context.Context, filter store.Filter, since, at int64) ([]store.Stored, error) {
	if err := s.catalogue.refresh(ctx, s.statements.newSeries); err != nil {
		return nil, err
	}
	some := passing(s.catalogue.all(), filter)
	all := make([]store.Stored, len(some))
	var parts []*part
	for begin, end := range split(len(some), min(readers, runtime.GOMAXPROCS(0))) {
		parts = append(parts, &part{some[begin:end], all[begin:begin:end], nil})
	}
	var working sync.WaitGroup
	for _, p := range parts {
		working.Go(func() { p.err = p.read(ctx, s.statements.latest, since, at) })
	}
	working.Wait()
	return join(all[:0], parts)
}

// part is the work of one connection: series, and room for a result of each.
type part struct {
	series []numbered
	found  []store.Stored
	err    error
}

// split makes at most n parts of so many things, fewer where it does not pay.
func split(things, n int) iter.Seq2[int, int] {
	length := max(partLength, (things+n-1)/n)
	return func(yield func(begin, end int) bool) {
		for begin := 0; begin < things; begin += length {
			if !yield(begin, min(begin+length, things)) {
				return
			}
		}
	}
}

func (p *part) read(ctx context.Context, latest *sql.Stmt, since, at int64) error {
	var place int64
	var row sql.RawBytes
	return each(ctx, latest, []any{idList(p.series), since, at}, func(rows *sql.Rows) error {
		if err := rows.Scan(&place, &row); err != nil || row == nil {
			return err
		}
		r, err := readResult(p.series[place].Series, &packed{bytes: row})
		p.found = append(p.found, r)
		return err
	})
}

// join closes the gaps that series without a result left.
func join(all []store.Stored, parts []*part) ([]store.Stored, error) {
	for _, p := range parts {
		if p.err != nil {
			return nil, p.err
		}
		all = append(all, p.found...)
	}
	return all, nil
}

// idList is the list of the ids.
func idList(some []numbered) string {
	ids := make([]int64, len(some))
	for i, n := range some {
		ids[i] = n.id
	}
	return jsonList(ids)
}

// jsonList is a JSON array, the one kind of list that a query takes.
func jsonList[N uint32 | int64](numbers []N) string {
	list := []byte("[")
	for i, n := range numbers {
		if i > 0 {
			list = append(list, ',')
		}
		list = strconv.AppendInt(list, int64(n), 10)
	}
	return string(append(list, ']'))
}

// Reports is the newest batch of every probe that began at or before the given moment.
func (s *Store) Reports(ctx context.Context, at time.Time) ([]store.Report, error) {
	var all []store.Report
	err := each(ctx, s.statements.reports, []any{nanoseconds(at)}, func(rows *sql.Rows) error {
		r, err := scanReport(rows)
		all = append(all, r)
		return err
	})
	if err != nil {
		return nil, explain("read the reports", s.path, err)
	}
	return all, nil
}

// each runs a query and calls scan with every row.
func each(ctx context.Context, query *sql.Stmt, arguments []any, scan func(*sql.Rows) error) error {
	rows, err := query.QueryContext(ctx, arguments...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
