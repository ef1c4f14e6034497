package influx

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
)

const (
	// maxRounds is how often the last row about other targets is looked for, before
	// all rows of the sources are looked at of which a result is still missing.
	maxRounds = 8
	// maxTerms is how many series one condition names: Flux bears no more than about
	// a hundred in one.
	maxTerms = 25
)

// search looks for the newest result of each series that may pass. As a rule the
// last row of each source has them all. Where some are missing, the last row about
// other targets may have them, and so on: whatever the targets of a source once
// were costs nothing once all that is asked for is found.
func (s *Store) search(ctx context.Context, filter store.Filter, from, until time.Time) ([]store.Stored, error) {
	l := newLooking(filter)
	if err := s.query(ctx, s.lastHeads(filter, from, until), l.heads.add); err != nil {
		return nil, err
	}
	for range maxRounds {
		wanted := l.wanted(from, until)
		if len(wanted) == 0 {
			return l.found, nil
		}
		some, err := s.read(ctx, l.filter, wanted)
		if err != nil {
			return nil, err
		}
		if l.take(some); len(l.missing) == 0 {
			return l.found, nil
		}
		if err := s.query(ctx, s.otherHeads(l, from, until, " |> last()"), l.heads.add); err != nil {
			return nil, err
		}
	}
	if err := s.query(ctx, s.otherHeads(l, from, until, ""), l.heads.add); err != nil {
		return nil, err
	}
	rest, err := s.read(ctx, l.filter, l.wanted(from, until))
	return append(l.found, rest...), err
}

// looking is what was found of the latest results, and what is still missing.
type looking struct {
	// filter lets pass what is missing.
	filter store.Filter
	found  []store.Stored
	// missing is how many results are, by the series without its target.
	missing map[ippm.Series]int
	// known are the hashes of the rows that were read.
	known map[ippm.Series][]int64
	heads heads
}

func newLooking(filter store.Filter) *looking {
	l := &looking{filter: filter, missing: map[ippm.Series]int{}, known: map[ippm.Series][]int64{}, heads: heads{}}
	l.filter.Only = map[ippm.Series]bool{}
	for series := range filter.Only {
		if filter.Passes(series) {
			l.filter.Only[series] = true
			l.missing[rowOf(series)]++
		}
	}
	return l
}

// rowOf is the series whose rows have results of this one.
func rowOf(series ippm.Series) ippm.Series {
	series.Target = ""
	return series
}

// wanted are those of the heads that came that may have what is missing. Series
// of which no head came have no other row.
func (l *looking) wanted(from, until time.Time) map[rowKey]bool {
	came := l.heads
	l.heads = heads{}
	maps.DeleteFunc(came, func(series ippm.Series, _ []head) bool { return l.missing[series] == 0 })
	maps.DeleteFunc(l.missing, func(series ippm.Series, _ int) bool { return len(came[series]) == 0 })
	wanted := came.wanted(from, until)
	for series, some := range came {
		for _, h := range some {
			if h.start().Before(until) { // one behind is not read, and hides none before it
				l.known[series] = append(l.known[series], h.hash)
			}
		}
	}
	return wanted
}

// take keeps what was read.
func (l *looking) take(some []store.Stored) {
	l.found = append(l.found, some...)
	for _, r := range some {
		if l.filter.Only[r.Series] {
			delete(l.filter.Only, r.Series)
			l.missing[rowOf(r.Series)]--
		}
	}
	maps.DeleteFunc(l.missing, func(_ ippm.Series, n int) bool { return n == 0 })
}

// lastHeads asks for the last row of each series that stands before until, and
// for those that stand behind it but may have begun before it.
func (s *Store) lastHeads(filter store.Filter, from, until time.Time) string {
	return s.targets(filter, from, until) + " |> last()" + headColumns + " |> yield(name: \"last\")\n" +
		s.targets(filter, until, until.Add(maxOffset)) + headColumns + " |> yield(name: \"behind\")\n"
}

// otherHeads asks for rows about other targets than those that are known, of each
// series of which a result is missing.
func (s *Store) otherHeads(l *looking, from, until time.Time, which string) (flux string) {
	var terms []string
	for series := range l.missing {
		terms = append(terms, otherThan(series, l.known[series]))
	}
	i := 0
	for some := range slices.Chunk(terms, maxTerms) {
		flux += s.targets(l.filter, from, until) + " |> filter(fn: (r) => " + strings.Join(some, " or ") + ")" + which + headColumns +
			fmt.Sprintf(" |> yield(name: \"%d\")\n", i)
		i++
	}
	return flux
}

// otherThan is the condition of a row of the series whose hash is none of the known.
func otherThan(series ippm.Series, known []int64) string {
	term := fmt.Sprintf(`r.source == %s and r.test == %s and r.family == "%d" and r.dscp == "%d"`,
		literal(series.Source), literal(series.Test), series.Family, series.DSCP)
	for _, hash := range known {
		term += fmt.Sprintf(" and r._value != %d", hash)
	}
	return "(" + term + ")"
}
