package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"ixpqos/internal/store"
)

// PutPings stores them in one transaction. It refuses none.
func (s *Store) PutPings(ctx context.Context, pings []store.Ping) ([]store.RefusedPing, error) {
	if len(pings) == 0 {
		return nil, ctx.Err()
	}
	if err := s.checkFile(); err != nil {
		return nil, err
	}
	err := s.putPings(ctx, pings)
	if s.prove(err); err != nil {
		return nil, explain(fmt.Sprintf("store the pings of %q", pings[0].Source), s.path, err)
	}
	return nil, nil
}

func (s *Store) putPings(ctx context.Context, pings []store.Ping) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	put := tx.StmtContext(ctx, s.statements.putPing)
	for _, p := range pings {
		if _, err := put.ExecContext(ctx, pingArguments(p)...); err != nil {
			return ended(ctx, err)
		}
	}
	if err := tx.Commit(); err != nil {
		return ended(ctx, err)
	}
	return nil
}

// pingArguments are the values of putPing.
func pingArguments(p store.Ping) []any {
	arguments := []any{p.Source, p.Target, int64(p.Family), p.At.UnixMicro(), p.Loss, nil, nil, nil, nil}
	if p.RTT != nil {
		copy(arguments[5:], []any{p.RTT.Min, p.RTT.Max, p.RTT.Avg, p.RTT.Jitter})
	}
	return arguments
}

// LastPings are the newest pings of a source, one for each target and family.
func (s *Store) LastPings(ctx context.Context, source string) ([]store.Ping, error) {
	var all []store.Ping
	err := each(ctx, s.statements.lastPings, []any{source}, func(rows *sql.Rows) error {
		p, err := scanPing(rows)
		all = append(all, p)
		return err
	})
	if err != nil {
		return nil, explain(fmt.Sprintf("read the last pings of %q", source), s.path, err)
	}
	return all, nil
}

// scanPing reads a row of pings.
func scanPing(rows *sql.Rows) (p store.Ping, err error) {
	var at int64
	var lowest, highest, average, jitter sql.NullFloat64
	err = rows.Scan(&p.Source, &p.Target, &p.Family, &at, &p.Loss, &lowest, &highest, &average, &jitter)
	p.At = time.UnixMicro(at).UTC()
	if lowest.Valid {
		p.RTT = &store.PingRTT{Min: lowest.Float64, Max: highest.Float64, Avg: average.Float64, Jitter: jitter.Float64}
	}
	return p, err
}
