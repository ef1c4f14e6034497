package sqlite

import (
	"context"
	"database/sql"
	"time"
)

// pruneStep bounds one transaction of Prune, in rows and searches: some
// milliseconds, for which a batch may have to wait.
const pruneStep = 1000

// Prune deletes pings that are older than the given moment, and results and
// reports whose intervals began before it, but keeps the newest report of every
// probe. Flows and what was heard go where they are older than that or than a
// moment of their own. It says how many of all these it deleted. Others can write
// in between. The file does not shrink: what becomes free is used again.
func (s *Store) Prune(ctx context.Context, before, flowsBefore time.Time) (int64, error) {
	if err := s.checkFile(); err != nil {
		return 0, err
	}
	deleted, err := s.prune(ctx, nanoseconds(before), max(nanoseconds(before), nanoseconds(flowsBefore)))
	if err != nil {
		return deleted, explain("delete what is too old", s.path, err)
	}
	return deleted, nil
}

func (s *Store) prune(ctx context.Context, before, flowsBefore int64) (deleted int64, err error) {
	series, err := s.everySeries(ctx)
	if err != nil {
		return 0, err
	}
	probes, err := s.everyProbe(ctx)
	if err != nil {
		return 0, err
	}
	pinged, err := s.everyPinged(ctx)
	if err != nil {
		return 0, err
	}
	for _, old := range []struct {
		statement *sql.Stmt
		keys      [][]any
		before    int64
	}{
		{s.statements.pruneFlows, series, flowsBefore},
		{s.statements.pruneHeard, series, flowsBefore},
		{s.statements.pruneResults, series, before},
		{s.statements.pruneReports, probes, before},
		{s.statements.prunePings, pinged, before},
	} {
		n, err := s.pruneAll(ctx, old.statement, old.keys, old.before)
		deleted += n
		if err != nil {
			return deleted, err
		}
	}
	return deleted, nil
}

func (s *Store) everySeries(ctx context.Context) (ids [][]any, err error) {
	err = s.catalogue.refresh(ctx, s.statements.newSeries)
	for _, series := range s.catalogue.all() {
		ids = append(ids, []any{series.id})
	}
	return ids, err
}

func (s *Store) everyProbe(ctx context.Context) (names [][]any, err error) {
	err = each(ctx, s.statements.probes, nil, func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		names = append(names, []any{name})
		return err
	})
	return names, err
}

func (s *Store) everyPinged(ctx context.Context) (all [][]any, err error) {
	err = each(ctx, s.statements.pinged, nil, func(rows *sql.Rows) error {
		var source, target string
		var family int64
		err := rows.Scan(&source, &target, &family)
		all = append(all, []any{source, target, family})
		return err
	})
	return all, err
}

// pruneAll runs the statement for all keys, in as many transactions as it takes.
func (s *Store) pruneAll(ctx context.Context, statement *sql.Stmt, keys [][]any, before int64) (deleted int64, err error) {
	for len(keys) > 0 {
		done, n, err := s.pruneSome(ctx, statement, keys, before)
		deleted += n
		if err != nil {
			return deleted, err
		}
		keys = keys[done:]
	}
	return deleted, nil
}

// pruneSome does one transaction and says how many keys are done with.
func (s *Store) pruneSome(ctx context.Context, statement *sql.Stmt, keys [][]any, before int64) (done int, deleted int64, err error) {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return 0, 0, err
	}
	defer tx.Rollback()
	for left := int64(pruneStep); done < len(keys) && left > 0; left-- {
		n, err := affected(tx.StmtContext(ctx, statement).ExecContext(ctx, append([]any{before, left}, keys[done]...)...))
		if err != nil {
			return 0, 0, ended(ctx, err)
		}
		deleted += n
		if n < left {
			done++
		}
		left -= n
	}
	if err := tx.Commit(); err != nil {
		return 0, 0, ended(ctx, err)
	}
	return done, deleted, nil
}

func affected(r sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}
