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

// maxSpans is in how many parts of time one query reads rows at most.
const maxSpans = 64

// Latest is the newest result of every series that began in [since, at]. It
// finds out which rows it needs from their hashes, and then reads no others:
// InfluxDB takes many times as long to pass over rows as to tell a number of each.
func (s *Store) Latest(ctx context.Context, filter store.Filter, since, at time.Time) ([]store.Stored, error) {
	from, until, ok := bounds(since, at.Add(1))
	if !ok {
		return nil, ctx.Err()
	}
	var all []store.Stored
	var err error
	if filter.Only == nil {
		all, err = s.everyRow(ctx, filter, from, until)
	} else {
		all, err = s.search(ctx, filter, from, until)
	}
	if err != nil {
		return nil, s.explain("read the latest results", err)
	}
	return newest(all), nil
}

// everyRow reads of each series and group of targets the last row.
func (s *Store) everyRow(ctx context.Context, filter store.Filter, from, until time.Time) ([]store.Stored, error) {
	every := heads{}
	if err := s.query(ctx, s.targets(filter, from, until.Add(maxOffset))+headColumns, every.add); err != nil {
		return nil, err
	}
	return s.read(ctx, filter, every.wanted(from, until))
}

var headColumns = keep("_time", "_value", "source", "test", "family", "dscp")

// targets are the hashes of all rows that stand in [from, until).
func (s *Store) targets(filter store.Filter, from, until time.Time) string {
	return inBucket(s.buckets.Raw, from, until) + is("_measurement", rowMeasurement) + is("_field", targetsField) + passing(filter)
}

// read reads the wanted rows and unpacks them.
func (s *Store) read(ctx context.Context, filter store.Filter, wanted map[rowKey]bool) ([]store.Stored, error) {
	rows, err := s.rows(ctx, filter, wanted)
	if err != nil {
		return nil, err
	}
	return unpack(rows, filter)
}

// head is a row without its results; the target of its series is empty.
type head struct {
	ippm.Series
	at   time.Time // where the point stands
	hash int64
}

func (h head) start() time.Time { return h.at.Add(-rowOffset(h.hash)) }

// rowKey names a row.
type rowKey struct {
	ippm.Series
	at int64
}

func (h head) key() rowKey { return rowKey{h.Series, h.at.UnixNano()} }

// heads are rows of each series (without target).
type heads map[ippm.Series][]head

func (k heads) add(r record) error {
	h, err := readHead(r)
	k[h.Series] = append(k[h.Series], h)
	return err
}

// wanted are the last of each series and group of targets that began in [from, until).
func (k heads) wanted(from, until time.Time) map[rowKey]bool {
	wanted := map[rowKey]bool{}
	for _, some := range k {
		slices.SortFunc(some, func(a, b head) int { return b.at.Compare(a.at) })
		seen := map[int64]bool{}
		for _, h := range some {
			if start := h.start(); !seen[h.hash] && !start.Before(from) && start.Before(until) {
				seen[h.hash] = true
				wanted[h.key()] = true
			}
		}
	}
	return wanted
}

func readHead(r record) (h head, err error) {
	if h.at, err = r.time(); err != nil {
		return h, err
	}
	if h.hash, err = strconv.ParseInt(r.get("_value"), 10, 64); err != nil {
		return h, fmt.Errorf("the field %s: %w", targetsField, err)
	}
	h.Series, err = readSeries(r)
	return h, err
}

// packedRow is a field of a row; its series has no target.
type packedRow struct {
	ippm.Series
	cells string
}

// rows reads the wanted rows.
func (s *Store) rows(ctx context.Context, filter store.Filter, wanted map[rowKey]bool) (rows []packedRow, err error) {
	for parts := range slices.Chunk(timesOf(wanted), maxSpans) {
		flux := ""
		for i, t := range parts {
			flux += inBucket(s.buckets.Raw, t.first, t.last.Add(1)) + is("_measurement", rowMeasurement) + ` |> filter(fn: (r) => r._field != "` + targetsField + `")` +
				passing(filter) + keep("_time", "_field", "_value", "source", "test", "family", "dscp") + fmt.Sprintf(" |> yield(name: \"%d\")\n", i)
		}
		err = s.query(ctx, flux, func(r record) error {
			row, at, err := readRow(r)
			if err == nil && wanted[rowKey{row.Series, at}] {
				row.cells = r.get("_value")
				rows = append(rows, row)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// readRow reads what a row is of, and where it stands.
func readRow(r record) (row packedRow, at int64, err error) {
	t, err := r.time()
	if err != nil {
		return row, 0, err
	}
	row.Series, err = readSeries(r)
	return row, t.UnixNano(), err
}

// times are from the first to the last.
type times struct{ first, last time.Time }

// timesOf are the parts of time in which the wanted rows stand, and no others.
// Those of one interval are one part: all sources report it at about the same time.
func timesOf(wanted map[rowKey]bool) (parts []times) {
	var moments []int64
	for key := range wanted {
		moments = append(moments, key.at)
	}
	slices.Sort(moments)
	for i, m := range moments {
		if i == 0 || m-moments[i-1] > int64(maxOffset) {
			parts = append(parts, times{first: time.Unix(0, m).UTC()})
		}
		parts[len(parts)-1].last = time.Unix(0, m).UTC()
	}
	return parts
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

// unpack reads all rows, side by side, and of them what the filter lets pass.
func unpack(rows []packedRow, filter store.Filter) ([]store.Stored, error) {
	unpacked := make([][]store.Stored, len(rows))
	var working errgroup.Group
	working.SetLimit(runtime.GOMAXPROCS(0))
	for i, row := range rows {
		working.Go(func() error {
			err := readCells(row.Series, row.cells, filter, func(s store.Stored) { unpacked[i] = append(unpacked[i], s) })
			if err != nil {
				return fmt.Errorf("a row of %q: %w", row.Source, err)
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
