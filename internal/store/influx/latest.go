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

// maxSpans bounds in how many parts of time Latest reads rows.
const maxSpans = 16

// Latest is the newest result of every series that began in [since, at]. It
// finds out which rows it needs from their hashes, and then reads no others:
// InfluxDB takes many times as long to pass over rows as to tell a number of each.
func (s *Store) Latest(ctx context.Context, filter store.Filter, since, at time.Time) ([]store.Stored, error) {
	from, until, ok := bounds(since, at.Add(1))
	if !ok {
		return nil, ctx.Err()
	}
	all, enough, err := s.lastRows(ctx, filter, from, until)
	if err == nil && !enough {
		all, err = s.everyRow(ctx, filter, from, until)
	}
	if err != nil {
		return nil, s.explain("read the latest results", err)
	}
	return newest(all), nil
}

// lastRows reads the last row of each series (without target), and says whether
// that is all: where all other rows are about the same targets. It finds that
// out meanwhile, since as a rule it is so.
func (s *Store) lastRows(ctx context.Context, filter store.Filter, from, until time.Time) (all []store.Stored, enough bool, err error) {
	lasts, extremes := heads{}, heads{}
	if err := s.query(ctx, s.targets(filter, from, until)+" |> last()"+headColumns, lasts.add); err != nil {
		return nil, false, err
	}
	if !lasts.begin(until) {
		return nil, false, nil
	}
	reading, ctx := errgroup.WithContext(ctx)
	reading.Go(func() error {
		flux := "all = " + s.targets(filter, from, until) + "\n"
		for _, one := range []string{"min", "max"} {
			flux += "all |> " + one + "()" + headColumns + " |> yield(name: \"" + one + "\")\n"
		}
		return s.query(ctx, flux, extremes.add)
	})
	reading.Go(func() (err error) {
		all, err = s.read(ctx, filter, lasts.wanted(from, until))
		return err
	})
	err = reading.Wait()
	return all, lasts.same(extremes), err
}

// everyRow reads of each series and group of targets the last row.
func (s *Store) everyRow(ctx context.Context, filter store.Filter, from, until time.Time) ([]store.Stored, error) {
	every := heads{}
	if err := s.query(ctx, s.targets(filter, from, until)+headColumns, every.add); err != nil {
		return nil, err
	}
	return s.read(ctx, filter, every.wanted(from, until))
}

var headColumns = keep("_time", "_value", "source", "test", "family", "dscp")

// targets are the hashes of all rows that may have begun in [from, until).
func (s *Store) targets(filter store.Filter, from, until time.Time) string {
	return inBucket(s.buckets.Raw, from, until.Add(maxOffset)) + is("_measurement", rowMeasurement) + is("_field", targetsField) + passing(filter)
}

// read reads the wanted rows and unpacks them.
func (s *Store) read(ctx context.Context, filter store.Filter, wanted map[rowKey]bool) ([]store.Stored, error) {
	rows, err := s.rows(ctx, filter, wanted)
	if err != nil {
		return nil, err
	}
	return unpack(rows)
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

// begin says whether all began before the given moment. A row stands after the
// start of its interval, so that one may be found which did not.
func (k heads) begin(until time.Time) bool {
	for _, some := range k {
		for _, h := range some {
			if !h.start().Before(until) {
				return false
			}
		}
	}
	return true
}

// same says whether each, the last of its series, is about the same targets as
// those with the least and the greatest hash, and so as all.
func (k heads) same(extremes heads) bool {
	for series, some := range extremes {
		for _, h := range some {
			if last := k[series]; len(last) != 1 || h.hash != last[0].hash {
				return false
			}
		}
	}
	return true
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
	if len(wanted) == 0 {
		return nil, nil
	}
	flux := ""
	for i, t := range timesOf(wanted) {
		flux += inBucket(s.buckets.Raw, t.first, t.last.Add(1)) + is("_measurement", rowMeasurement) + ` |> filter(fn: (r) => r._field != "` + targetsField + `")` +
			passing(filter) + keep("_time", "_field", "_value", "source", "test", "family", "dscp") + fmt.Sprintf(" |> yield(name: \"%d\")\n", i)
	}
	err = s.query(ctx, flux, func(r record) error {
		h := head{}
		if h.at, err = r.time(); err != nil {
			return err
		}
		if h.Series, err = readSeries(r); err != nil {
			return err
		}
		if wanted[h.key()] {
			rows = append(rows, packedRow{h.Series, r.get("_value")})
		}
		return nil
	})
	return rows, err
}

// times are from the first to the last.
type times struct{ first, last time.Time }

// timesOf are the parts of time in which the wanted rows stand. Those of one
// interval are one part: all sources report it at about the same time.
func timesOf(wanted map[rowKey]bool) (parts []times) {
	var moments []int64
	for key := range wanted {
		moments = append(moments, key.at)
	}
	slices.Sort(moments)
	for gap := int64(maxOffset); ; gap *= 4 {
		parts = parts[:0]
		for i, m := range moments {
			if i == 0 || m-moments[i-1] > gap {
				parts = append(parts, times{first: time.Unix(0, m).UTC()})
			}
			parts[len(parts)-1].last = time.Unix(0, m).UTC()
		}
		if len(parts) <= maxSpans {
			return parts
		}
	}
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
			err := readCells(row.Series, row.cells, func(s store.Stored) { unpacked[i] = append(unpacked[i], s) })
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
