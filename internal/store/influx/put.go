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
// another type. First it finds out which: a row must not show what was rejected,
// nor shall it leave flows behind.
func (s *Store) Put(ctx context.Context, batch ippm.Batch) (named []store.Rejected, err error) {
	tried := fmt.Sprintf("store the batch of %q", batch.Probe)
	w := writing{batch: batch, order: inOrder(batch.Results), storedAt: s.now()}
	results, err := w.resultLines()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", tried, err)
	}
	all, err := s.writeJoined(ctx, s.raw, results)
	if err != nil {
		return nil, s.explain(tried, err)
	}
	why := reasons(all)
	kept := w.without(why)
	others, err := w.otherLines(kept)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", tried, err)
	}
	var unkept []refused
	if flows := w.flowLines(kept); len(flows.all) > 0 {
		if unkept, err = s.writeJoined(ctx, s.flows, flows); err != nil {
			return nil, s.explain(tried, err)
		}
	}
	if all, err = s.writeJoined(ctx, s.raw, others); err != nil {
		return nil, s.explain(tried, err)
	}
	if err := incomplete(batch, append(unkept, all...)); err != nil {
		return nil, fmt.Errorf("%s: %w", tried, err)
	}
	for i, r := range batch.Results {
		if reason, is := why[i]; is {
			named = append(named, store.Rejected{ID: r.ID, Reason: reason})
		}
	}
	return named, nil
}

// incomplete is an error where InfluxDB refuses flows, a row or the report of a
// batch for another reason than its age: none of them is a result that could be
// rejected, and without it the batch is not stored as a whole, so that somebody
// has to do something. What is too old is about to go in any case.
func incomplete(batch ippm.Batch, all []refused) error {
	for _, r := range all {
		if r.outdated() {
			continue
		}
		measurement := r.lines[0].measurement
		what, without := fmt.Sprintf("the report of %q", batch.Probe), ""
		switch measurement {
		case rowMeasurement:
			what, without = "a row of "+namely(batch, r), "not shown without it"
		case flowMeasurement:
			what, without = "flows of "+namely(batch, r), "without their flows"
		case heardMeasurement:
			what, without = fmt.Sprintf("what %q heard", batch.Probe), "without what was heard"
		}
		if without == "" {
			return r.error(what)
		}
		return fmt.Errorf("%w: its results are stored, but %s: delete what somebody else wrote to the measurement %q",
			r.error(what), without, measurement)
	}
	return nil
}

// namely is the first result of which refused lines tell.
func namely(batch ippm.Batch, r refused) string {
	first := batch.Results[r.lines[0].results[0]]
	return fmt.Sprintf("%q (test %q, IPv%d)", first.Source, first.Test, first.Family)
}

// writing is a batch on its way.
type writing struct {
	batch    ippm.Batch
	order    []int
	sketches [][]byte
	storedAt time.Time
}

// resultLines are the points of the results.
func (w *writing) resultLines() (*lines, error) {
	results := w.batch.Results
	w.sketches = make([][]byte, len(results))
	l := &lines{text: make([]byte, 0, len(results)*600), all: make([]line, 0, len(results))}
	for at, i := range w.order {
		w.sketches[i] = results[i].RTT.Sketch.Encode()
		if err := checkNames(results[i].Series, results[i].Kind); err != nil {
			return nil, err
		}
		l.result(results[i], w.sketches[i], w.storedAt, w.order[at:at+1])
	}
	for _, h := range w.batch.Heard { // before anything is sent
		if err := checkNames(h.Series); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// without are the places of the results that were not refused.
func (w *writing) without(refused map[int]string) []int {
	if len(refused) == 0 {
		return w.order
	}
	return slices.DeleteFunc(slices.Clone(w.order), func(i int) bool { _, is := refused[i]; return is })
}

// flowLines are the flows of those results, and what was heard.
func (w *writing) flowLines(kept []int) *lines {
	l := &lines{}
	for at, i := range kept {
		if len(w.batch.Results[i].Flows) > 0 {
			l.flows(w.batch.Results[i], kept[at:at+1])
		}
	}
	for _, h := range w.batch.Heard {
		l.heard(h, w.storedAt)
	}
	return l
}

// otherLines are the rows of those results, then the report, which is there only
// once all the others are.
func (w *writing) otherLines(kept []int) (*lines, error) {
	results := w.batch.Results
	l := &lines{text: make([]byte, 0, 1024+len(kept)*600)}
	for begin, end := range groups(results, kept) {
		l.row(results, w.sketches, kept[begin:end], w.storedAt)
	}
	return l, l.report(w.batch, w.storedAt)
}

// checkNames keeps a name that would break a line from doing so: one bad result
// must not corrupt others.
func checkNames(series ippm.Series, others ...string) error {
	for _, name := range append(others, series.Source, series.Target, series.Test) {
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
