package influx

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"ixpqos/internal/ippm"
)

// maxParts is how many parts of what both ends saw one query reads at most.
const maxParts = 16

// BothEnds yields the flows of results, and what was heard of them, where there
// are both. It names the pairs of each moment: InfluxDB takes longer to find out
// that a series has nothing there than to read what is asked for.
func (s *Store) BothEnds(ctx context.Context, results []ippm.ID, yield func([]ippm.Flow, ippm.Heard) error) error {
	found := map[ippm.Series]map[int64]*bothEnds{}
	for _, id := range results {
		if found[id.Series] == nil {
			found[id.Series] = map[int64]*bothEnds{}
		}
		found[id.Series][id.Start.UnixNano()] = newBothEnds(id.Series)
	}
	for parts := range slices.Chunk(s.bothEndsParts(results), maxParts) {
		flux := ""
		for i, part := range parts {
			flux += part + fmt.Sprintf(" |> yield(name: \"%d\")\n", i)
		}
		if err := s.query(ctx, flux, addTo(found)); err != nil {
			return s.explain("read what both ends of pairs saw", err)
		}
	}
	for _, all := range found {
		for at, both := range all {
			if err := both.yield(at, yield); err != nil {
				return err
			}
		}
	}
	return nil
}

const bothMeasurements = ` |> filter(fn: (r) => r._measurement == "` + flowMeasurement + `" or r._measurement == "` + heardMeasurement + `")`

// bothEndsParts are queries, each of some pairs at one moment.
func (s *Store) bothEndsParts(results []ippm.ID) (parts []string) {
	pairs := map[time.Time]map[string]bool{}
	for _, id := range results {
		start := id.Start.UTC()
		if pairs[start] == nil {
			pairs[start] = map[string]bool{}
		}
		pairs[start]["(r.source == "+literal(id.Source)+" and r.target == "+literal(id.Target)+")"] = true
	}
	for start, terms := range pairs {
		for some := range slices.Chunk(slices.Collect(maps.Keys(terms)), maxTerms) {
			parts = append(parts, inBucket(s.buckets.Flows, start, start.Add(1))+bothMeasurements+
				" |> filter(fn: (r) => "+strings.Join(some, " or ")+")"+
				` |> filter(fn: (r) => r._field == "`+flowsField+`" or r._field == "length_ns")`+
				keep("_time", "_measurement", "_field", "_value", "kind", "source", "target", "test", "family", "dscp"))
		}
	}
	return parts
}

// addTo takes in one field of what is wanted.
func addTo(found map[ippm.Series]map[int64]*bothEnds) func(record) error {
	return func(r record) error {
		at, err := r.time()
		if err != nil {
			return err
		}
		series, err := readSeries(r)
		if err != nil {
			return err
		}
		if both, ok := found[series][at.UnixNano()]; ok {
			return both.add(r)
		}
		return nil
	}
}

// yield gives both, where there are both. A result that came again with another
// kind has flows of each: which are its own, who has the result can tell.
func (b *bothEnds) yield(at int64, yield func([]ippm.Flow, ippm.Heard) error) error {
	heard, ok := b.heard[at]
	if !ok {
		return nil
	}
	for _, flows := range b.flows {
		if err := yield(flows, *heard); err != nil {
			return err
		}
	}
	return nil
}
