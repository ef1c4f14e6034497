package influx

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
)

// Put stores a batch. It rejects by name what InfluxDB refuses: results whose
// time is before what the bucket keeps, or fields that somebody else wrote with
// another type.
func (s *Store) Put(ctx context.Context, batch ippm.Batch) ([]store.Rejected, error) {
	tried := fmt.Sprintf("store the batch of %q", batch.Probe)
	l, err := batchLines(batch, s.now())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", tried, err)
	}
	all, err := s.writeJoined(ctx, l)
	if err != nil {
		return nil, s.explain(tried, err)
	}
	return rejected(batch, all)
}

// rejected names the results of refused lines. The report of a batch is no
// result: when it is refused the operator has to do something.
func rejected(batch ippm.Batch, all []refused) (named []store.Rejected, err error) {
	seen := make([]bool, len(batch.Results))
	for _, r := range all {
		for _, l := range r.lines {
			if l.measurement == probeMeasurement && !r.outdated() {
				err = r.error(fmt.Sprintf("the report of %q", batch.Probe))
			}
			for _, i := range l.results {
				if !seen[i] {
					seen[i] = true
					named = append(named, store.Rejected{ID: batch.Results[i].ID, Reason: r.reason})
				}
			}
		}
	}
	if err != nil {
		return nil, err
	}
	return named, nil
}

// batchLines are a batch's points: its results, then its rows, then its report,
// which is there only once all the others are.
func batchLines(batch ippm.Batch, storedAt time.Time) (*lines, error) {
	results := batch.Results
	order := inOrder(results)
	sketches := make([][]byte, len(results))
	l := &lines{text: make([]byte, 0, 1024+len(results)*1200), all: make([]line, 0, len(results)+8)}
	for at, i := range order {
		sketches[i] = results[i].RTT.Sketch.Encode()
		if err := checkNames(results[i]); err != nil {
			return nil, err
		}
		l.result(results[i], sketches[i], storedAt, order[at:at+1])
	}
	for begin, end := range groups(results, order) {
		l.row(results, sketches, order[begin:end], storedAt)
	}
	return l, l.report(batch, storedAt)
}

// checkNames keeps a name that would break a line from doing so: one bad result
// must not corrupt others.
func checkNames(r ippm.Result) error {
	for _, name := range []string{r.Source, r.Target, r.Test, r.Kind} {
		if err := ippm.CheckName(name); err != nil {
			return fmt.Errorf("the name %q %w", name, err)
		}
	}
	return nil
}

// inOrder gives the places of results so that those of one row stand together,
// in the order of their targets.
func inOrder(results []ippm.Result) []int {
	order := make([]int, len(results))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(compareRow(&results[a], &results[b]), cmp.Compare(results[a].Target, results[b].Target))
	})
	return order
}

func compareRow(a, b *ippm.Result) int {
	return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Test, b.Test),
		cmp.Compare(a.Family, b.Family), cmp.Compare(a.DSCP, b.DSCP), a.Start.Compare(b.Start))
}

// groups gives the bounds of each row.
func groups(results []ippm.Result, order []int) func(yield func(begin, end int) bool) {
	return func(yield func(begin, end int) bool) {
		for begin := 0; begin < len(order); {
			end := begin + 1
			for end < len(order) && compareRow(&results[order[begin]], &results[order[end]]) == 0 {
				end++
			}
			if !yield(begin, end) {
				return
			}
			begin = end
		}
	}
}
