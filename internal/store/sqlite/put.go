package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
)

// Put stores a batch in one transaction. It rejects nothing: what was checked fits.
func (s *Store) Put(ctx context.Context, batch ippm.Batch) ([]store.Rejected, error) {
	if err := s.checkFile(); err != nil {
		return nil, err
	}
	err := s.put(ctx, batch)
	if s.prove(err); err != nil {
		return nil, explain(fmt.Sprintf("store the batch of %q", batch.Probe), s.path, err)
	}
	return nil, nil
}

func (s *Store) put(ctx context.Context, batch ippm.Batch) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	p := s.newPutting(ctx, tx)
	if err := p.all(ctx, batch); err != nil {
		return ended(ctx, err)
	}
	if err := tx.Commit(); err != nil {
		return ended(ctx, err)
	}
	s.catalogue.learn(p.fresh)
	return nil
}

// ended is the error of the context if that has ended: database/sql then ends
// the transaction under its statements, whose error says nothing else.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// putting is one transaction's work.
type putting struct {
	known                                       *catalogue
	fresh                                       map[ippm.Series]int64 // true once committed
	storedAt                                    time.Time
	findSeries, addSeries, putResult, putReport *sql.Stmt
	putFlows, dropFlows, putHeard               *sql.Stmt
}

func (s *Store) newPutting(ctx context.Context, tx *sql.Tx) *putting {
	return &putting{
		known:      &s.catalogue,
		fresh:      map[ippm.Series]int64{},
		storedAt:   s.now(),
		findSeries: tx.StmtContext(ctx, s.statements.findSeries),
		addSeries:  tx.StmtContext(ctx, s.statements.addSeries),
		putResult:  tx.StmtContext(ctx, s.statements.putResult),
		putReport:  tx.StmtContext(ctx, s.statements.putReport),
		putFlows:   tx.StmtContext(ctx, s.statements.putFlows),
		dropFlows:  tx.StmtContext(ctx, s.statements.dropFlows),
		putHeard:   tx.StmtContext(ctx, s.statements.putHeard),
	}
}

func (p *putting) all(ctx context.Context, batch ippm.Batch) error {
	// The driver starts a goroutine for every statement whose context can end.
	// Here each takes microseconds, so that it is enough to look in between.
	quick := context.WithoutCancel(ctx)
	for _, r := range batch.Results {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := p.result(quick, r); err != nil {
			return err
		}
	}
	for _, h := range batch.Heard {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := p.heard(quick, h); err != nil {
			return err
		}
	}
	return p.report(quick, batch)
}

func (p *putting) result(ctx context.Context, r ippm.Result) error {
	id, err := p.seriesID(ctx, r.Series)
	if err != nil {
		return err
	}
	if _, err := p.putResult.ExecContext(ctx, resultArguments(id, r, p.storedAt)...); err != nil {
		return err
	}
	if len(r.Flows) == 0 { // those of an older writing go
		_, err = p.dropFlows.ExecContext(ctx, id, nanoseconds(r.Start))
		return err
	}
	_, err = p.putFlows.ExecContext(ctx, id, nanoseconds(r.Start), ippm.EncodeFlows(r.Flows))
	return err
}

func (p *putting) heard(ctx context.Context, h ippm.Heard) error {
	id, err := p.seriesID(ctx, h.Series)
	if err != nil {
		return err
	}
	_, err = p.putHeard.ExecContext(ctx, id, nanoseconds(h.Start), nanoseconds(p.storedAt), int64(h.Length), ippm.EncodeHeardFlows(h.Flows))
	return err
}

func (p *putting) report(ctx context.Context, batch ippm.Batch) error {
	arguments, err := reportArguments(batch, p.storedAt)
	if err != nil {
		return err
	}
	_, err = p.putReport.ExecContext(ctx, arguments...)
	return err
}

func (p *putting) seriesID(ctx context.Context, series ippm.Series) (int64, error) {
	if id, ok := p.known.id(series); ok {
		return id, nil
	}
	if id, ok := p.fresh[series]; ok {
		return id, nil
	}
	id, err := p.findOrAdd(ctx, series)
	if err == nil {
		p.fresh[series] = id
	}
	return id, err
}

func (p *putting) findOrAdd(ctx context.Context, series ippm.Series) (id int64, err error) {
	names := []any{series.Source, series.Target, series.Test, int64(series.Family), int64(series.DSCP)}
	err = p.findSeries.QueryRowContext(ctx, names...).Scan(&id)
	if !errors.Is(err, sql.ErrNoRows) {
		return id, err
	}
	added, err := p.addSeries.ExecContext(ctx, names...)
	if err != nil {
		return 0, err
	}
	return added.LastInsertId()
}
