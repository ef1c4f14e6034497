package influx

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
)

// Latest is the newest result of every series that began in [since, at]. It
// reads the newest row of every source, test, family and DSCP, and of each
// group of targets: of one that is not reported any more the last remains.
func (s *Store) Latest(ctx context.Context, filter store.Filter, since, at time.Time) ([]store.Stored, error) {
	const tried = "read the latest results"
	from, until, ok := bounds(since, at.Add(1))
	if !ok {
		return nil, ctx.Err()
	}
	flux := s.from(from, until) + is("_measurement", rowMeasurement) + passing(filter) +
		" |> last()" + keep("_time", "_value", "source", "test", "family", "dscp")
	var rows []packedRow
	err := s.query(ctx, flux, func(r record) error {
		row, err := readRow(r)
		rows = append(rows, row)
		return err
	})
	if err != nil {
		return nil, s.explain(tried, err)
	}
	all, err := unpack(rows)
	if err != nil {
		return nil, s.explain(tried, err)
	}
	return newest(all), nil
}

// packedRow is a field of a row; its ID has no target.
type packedRow struct {
	ippm.ID
	cells string
}

func readRow(r record) (row packedRow, err error) {
	if row.Start, err = r.time(); err != nil {
		return row, err
	}
	row.Series, err = readSeries(r)
	row.cells = r.get("_value")
	return row, err
}

// readSeries reads the tags, of which a target may be missing.
func readSeries(r record) (series ippm.Series, err error) {
	family, err := strconv.ParseUint(r.get("family"), 10, 8)
	if err != nil {
		return series, fmt.Errorf("the tag family: %w", err)
	}
	dscp, err := strconv.ParseUint(r.get("dscp"), 10, 8)
	if err != nil {
		return series, fmt.Errorf("the tag dscp: %w", err)
	}
	return ippm.Series{Source: strings.Clone(r.get("source")), Target: strings.Clone(r.get("target")), Test: strings.Clone(r.get("test")),
		Family: uint8(family), DSCP: uint8(dscp)}, nil
}

// unpack reads all rows, side by side.
func unpack(rows []packedRow) ([]store.Stored, error) {
	unpacked := make([][]store.Stored, len(rows))
	var working errgroup.Group
	working.SetLimit(runtime.GOMAXPROCS(0))
	for i, row := range rows {
		working.Go(func() error {
			err := readCells(row.ID, row.cells, func(s store.Stored) { unpacked[i] = append(unpacked[i], s) })
			if err != nil {
				return fmt.Errorf("the row of %q at %s: %w", row.Source, row.Start.Format(time.RFC3339Nano), err)
			}
			return nil
		})
	}
	if err := working.Wait(); err != nil {
		return nil, err
	}
	return slices.Concat(unpacked...), nil
}

// newest orders results and leaves one of each series: the newest, and of
// several of one moment the one that was stored last.
func newest(all []store.Stored) []store.Stored {
	order := make([]*store.Stored, len(all))
	for i := range all {
		order[i] = &all[i]
	}
	slices.SortFunc(order, func(a, b *store.Stored) int {
		return cmp.Or(compareSeries(&a.Series, &b.Series), b.Start.Compare(a.Start), b.StoredAt.Compare(a.StoredAt))
	})
	var kept []store.Stored
	if len(all) > 0 {
		kept = make([]store.Stored, 0, len(all))
	}
	for i, s := range order {
		if i == 0 || s.Series != order[i-1].Series {
			kept = append(kept, *s)
		}
	}
	return kept
}

func compareSeries(a, b *ippm.Series) int {
	return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Target, b.Target), cmp.Compare(a.Test, b.Test),
		cmp.Compare(a.Family, b.Family), cmp.Compare(a.DSCP, b.DSCP))
}
