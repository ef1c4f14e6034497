package influx

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
)

const (
	// pageLength is about how many results Range reads at once.
	pageLength = 1000
	// maxPages bounds into how many parts it cuts the time of one series, which
	// may have gaps.
	maxPages = 1000
)

// walk is how results are read: by the points of a measurement, which tell when
// there are some, page by page, each about so many results long.
type walk struct {
	bucket, measurement string
	pageLength          int
	page                func(ctx context.Context, series ippm.Series, from, until time.Time) ([]store.Seen, error)
}

// Range yields the results of one pair that began in [from, until). It reads
// them page by page and holds no connection while yield works.
func (s *Store) Range(ctx context.Context, source, target string, filter store.Filter, from, until time.Time, yield func(store.Stored) error) error {
	return s.walk(ctx, walk{s.buckets.Raw, qosMeasurement, pageLength, s.page}, source, target, filter, from, until,
		func(r store.Stored, _ *ippm.Heard) error { return yield(r) })
}

func (s *Store) walk(ctx context.Context, w walk, source, target string, filter store.Filter, from, until time.Time, yield func(store.Stored, *ippm.Heard) error) error {
	tried := fmt.Sprintf("read the results from %q to %q", source, target)
	from, until, ok := bounds(from, until)
	if !ok {
		return ctx.Err()
	}
	all, err := s.extents(ctx, w, is("source", source)+is("target", target)+passing(filter), from, until)
	if err != nil {
		return s.explain(tried, err)
	}
	for _, e := range all {
		length := e.page(w.pageLength)
		for begin := e.first; !begin.After(e.last); begin = begin.Add(length) {
			results, err := w.page(ctx, e.Series, begin, minTime(begin.Add(length), e.last.Add(1)))
			if err != nil {
				return s.explain(tried, err)
			}
			if err := store.YieldAll(results, yield); err != nil {
				return err
			}
		}
	}
	return nil
}

// extent is a series and when its results begin, first and last.
type extent struct {
	ippm.Series
	first, last time.Time
	length      time.Duration // of the first
}

// page is how much time about so many results take.
func (e extent) page(results int) time.Duration {
	return max(e.length*time.Duration(results), e.last.Sub(e.first)/maxPages+1)
}

func (e extent) with(o extent) extent {
	if o.first.Before(e.first) {
		e.first, e.length = o.first, o.length
	}
	if o.last.After(e.last) {
		e.last = o.last
	}
	return e
}

// extents finds the series that pass, in order. Every point has a length.
func (s *Store) extents(ctx context.Context, w walk, filter string, from, until time.Time) ([]extent, error) {
	found := map[ippm.Series]extent{}
	flux := "all = " + inBucket(w.bucket, from, until) + is("_measurement", w.measurement) + is("_field", "length_ns") + filter + "\n"
	for _, end := range []string{"first", "last"} {
		flux += "all |> " + end + "()" + keep("_time", "_value", "source", "target", "test", "family", "dscp") +
			" |> yield(name: \"" + end + "\")\n"
	}
	err := s.query(ctx, flux, func(r record) error {
		e, err := readExtent(r)
		if known, ok := found[e.Series]; ok {
			e = known.with(e)
		}
		found[e.Series] = e
		return err
	})
	if err != nil {
		return nil, err
	}
	var all []extent
	for _, e := range found {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b extent) int { return compareSeries(&a.Series, &b.Series) })
	return all, nil
}

func readExtent(r record) (e extent, err error) {
	if e.first, err = r.time(); err != nil {
		return e, err
	}
	e.last = e.first
	length, err := strconv.ParseInt(r.get("_value"), 10, 64)
	if err != nil {
		return e, err
	}
	e.length = time.Duration(length)
	e.Series, err = readSeries(r)
	return e, err
}

// pointKey names a point of a series. A result that came again with another
// kind is two points.
type pointKey struct {
	at, kind string
}

// page reads the results of one series that began in [from, until), in order.
func (s *Store) page(ctx context.Context, series ippm.Series, from, until time.Time) (results []store.Seen, err error) {
	points, err := s.points(ctx, series, from, until)
	for _, p := range points {
		results = append(results, store.Seen{Stored: p.Stored})
	}
	return results, err
}

// points reads them. Flux could join their fields itself, by pivot, but takes
// many times as long.
func (s *Store) points(ctx context.Context, series ippm.Series, from, until time.Time) ([]*point, error) {
	points := map[pointKey]*point{}
	flux := inBucket(s.buckets.Raw, from, until) + is("_measurement", qosMeasurement) + inSeries(series) + keep("_time", "_field", "_value", "kind")
	err := s.query(ctx, flux, func(r record) error {
		key := pointKey{r.get("_time"), r.get("kind")}
		p, ok := points[key]
		if !ok {
			at, err := r.time()
			if err != nil {
				return err
			}
			key = pointKey{strings.Clone(key.at), strings.Clone(key.kind)}
			p = newPoint(series, key.kind, at)
			points[key] = p
		}
		return p.set(r.get("_field"), r.get("_value"))
	})
	if err != nil {
		return nil, err
	}
	return inTime(points)
}

// inTime orders results, and leaves one of each moment.
func inTime(points map[pointKey]*point) (all []*point, err error) {
	for _, p := range points {
		if err := p.finish(); err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *point) int {
		return cmp.Or(a.Start.Compare(b.Start), b.StoredAt.Compare(a.StoredAt), cmp.Compare(a.Kind, b.Kind))
	})
	return slices.CompactFunc(all, func(a, b *point) bool { return a.Start.Equal(b.Start) }), nil
}

func minTime(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
