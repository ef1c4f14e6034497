package sqlite

import (
	"context"
	"database/sql"
	"strconv"
	"time"

	"ixpqos/internal/ippm"
)

// bothEndsPage is of how many results both ends are read at once: they are in
// memory until all of them were.
const bothEndsPage = 500

// BothEnds yields the flows of results, and what was heard of them, where there
// are both. It holds no connection while yield works.
func (s *Store) BothEnds(ctx context.Context, results []ippm.ID, yield func([]ippm.Flow, ippm.Heard) error) error {
	const tried = "read what both ends of pairs saw"
	if err := s.catalogue.refresh(ctx, s.statements.newSeries); err != nil {
		return explain(tried, s.path, err)
	}
	for len(results) > 0 {
		some := results[:min(bothEndsPage, len(results))]
		results = results[len(some):]
		found, err := s.bothEnds(ctx, some)
		if err != nil {
			return explain(tried, s.path, err)
		}
		for _, f := range found {
			if err := yield(f.flows, f.heard); err != nil {
				return err
			}
		}
	}
	return nil
}

type seenByBoth struct {
	flows []ippm.Flow
	heard ippm.Heard
}

func (s *Store) bothEnds(ctx context.Context, some []ippm.ID) (found []seenByBoth, err error) {
	list, known := s.pointList(some)
	var place int
	var row sql.RawBytes
	err = each(ctx, s.statements.bothEnds, []any{list}, func(rows *sql.Rows) error {
		if err := rows.Scan(&place, &row); err != nil {
			return err
		}
		f, err := readBothEnds(known[place], &packed{bytes: row})
		found = append(found, f)
		return err
	})
	return found, err
}

// pointList is a JSON array of the series and the moment of each of the results
// whose series are known, and these.
func (s *Store) pointList(some []ippm.ID) (list string, known []ippm.ID) {
	b := []byte("[")
	for _, one := range some {
		id, ok := s.catalogue.id(one.Series)
		if !ok {
			continue
		}
		if len(known) > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(append(b, '['), id, 10)
		b = strconv.AppendInt(append(b, ','), nanoseconds(one.Start), 10)
		b, known = append(b, ']'), append(known, one)
	}
	return string(append(b, ']')), known
}

// readBothEnds reads packed flows and what was heard of them.
func readBothEnds(id ippm.ID, p *packed) (f seenByBoth, err error) {
	flows := p.blob()
	f.heard = ippm.Heard{ID: id, Length: time.Duration(p.integer())}
	heard := p.blobOrNull()
	if p.err != nil {
		return f, resultError(id, p.err)
	}
	if f.flows, err = ippm.DecodeFlows(flows); err != nil {
		return f, resultError(id, err)
	}
	if f.heard.Flows, err = ippm.DecodeHeardFlows(heard); err != nil {
		return f, resultError(id, err)
	}
	return f, nil
}
