package influx

import (
	"context"
	"fmt"
	"strings"

	"ixpqos/internal/ippm"
)

// maxNamed is how many pairs a query names one by one: of more it is faster to
// read all of the moment and to pass over the others.
const maxNamed = 50

// BothEnds yields the flows of results, and what was heard of them, where there
// are both. All results of one moment cost about as much as one.
func (s *Store) BothEnds(ctx context.Context, results []ippm.ID, yield func([]ippm.Flow, ippm.Heard) error) error {
	if len(results) == 0 {
		return nil
	}
	found := map[ippm.Series]map[int64]*bothEnds{}
	wanted := map[rowKey]bool{}
	for _, id := range results {
		if found[id.Series] == nil {
			found[id.Series] = map[int64]*bothEnds{}
		}
		found[id.Series][id.Start.UnixNano()] = newBothEnds(id.Series)
		wanted[rowKey{id.Series, id.Start.UnixNano()}] = true
	}
	if err := s.query(ctx, s.bothEndsQuery(results, wanted), addTo(found)); err != nil {
		return s.explain("read what both ends of pairs saw", err)
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

func (s *Store) bothEndsQuery(results []ippm.ID, wanted map[rowKey]bool) (flux string) {
	among := amongPairs(results)
	for i, t := range timesOf(wanted) {
		flux += inBucket(s.buckets.Flows, t.first, t.last.Add(1)) + bothMeasurements + among +
			` |> filter(fn: (r) => r._field == "` + flowsField + `" or r._field == "length_ns")` +
			keep("_time", "_measurement", "_field", "_value", "kind", "source", "target", "test", "family", "dscp") +
			fmt.Sprintf(" |> yield(name: \"%d\")\n", i)
	}
	return flux
}

const bothMeasurements = ` |> filter(fn: (r) => r._measurement == "` + flowMeasurement + `" or r._measurement == "` + heardMeasurement + `")`

// amongPairs keeps what is of the pairs of results, where they are few.
func amongPairs(results []ippm.ID) string {
	pairs := map[[2]string]bool{}
	for _, id := range results {
		pairs[[2]string{id.Source, id.Target}] = true
	}
	if len(pairs) > maxNamed {
		return ""
	}
	var all []string
	for pair := range pairs {
		all = append(all, "(r.source == "+literal(pair[0])+" and r.target == "+literal(pair[1])+")")
	}
	return " |> filter(fn: (r) => " + strings.Join(all, " or ") + ")"
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
