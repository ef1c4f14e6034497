package show

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
	"ixpqos/internal/wire"
)

// seriesSpan and flowsSpan are the times that are shown where nothing else is
// asked for.
const (
	seriesSpan = 24 * time.Hour
	flowsSpan  = 5 * time.Minute
)

const (
	// maxSeries is the number of results that one answer holds.
	maxSeries = 50_000
	// maxFlows is the number of flows that one answer holds: about 4 MB, of the 6 MB
	// that a function on AWS Lambda may answer with. It is more than one result
	// can have (ippm.MaxFlows).
	maxFlows = 10_000
)

// PairInput is the pair of a path; exported for huma, as FilterInput is.
type PairInput struct {
	Source string `path:"source" doc:"name of a probe"`
	Target string `path:"target" doc:"name of a probe or target"`
}

// RangeInput is what is asked for of a pair over time, but for its beginning.
type RangeInput struct {
	PairInput
	FilterInput
	Until Moment `query:"until" doc:"intervals that begin before this moment; now where absent"`
}

// span is the time that is asked for, which ends before the second moment.
func (v *Viewer) span(in RangeInput, from time.Time, otherwise time.Duration) (begin, end time.Time, err error) {
	begin, end = from, in.Until.Time
	if end.IsZero() {
		end = v.Now()
	}
	if begin.IsZero() {
		begin = end.Add(-otherwise)
	}
	if err := cmp.Or(writable("until", end), writable("from", begin)); err != nil {
		return begin, end, err
	}
	if begin.After(end) {
		return begin, end, huma.Error422UnprocessableEntity(fmt.Sprintf("from (%s) is after until (%s)", begin.Format(time.RFC3339), end.Format(time.RFC3339)))
	}
	return begin, end, nil
}

// errEnough ends a reading that has given all that one answer holds.
var errEnough = errors.New("enough")

// whole tells whether all of what was asked for of a pair was read, or what to
// answer instead.
func (v *Viewer) whole(in PairInput, found int, err error) (bool, error) {
	if err != nil && !errors.Is(err, errEnough) {
		return false, v.unavailable(err)
	}
	if found == 0 && !knowsPair(v.Inventory(), in) {
		return false, unknownPair(in)
	}
	return err == nil, nil
}

func knowsPair(inv *inventory.Inventory, in PairInput) bool {
	_, ok := inv.Probe(in.Source)
	return ok && in.Source != in.Target && inv.Knows(in.Target)
}

func unknownPair(in PairInput) error {
	return huma.Error404NotFound(fmt.Sprintf("nothing is known of %q to %q: /api/v2/probes and the inventory have the names", in.Source, in.Target))
}

type seriesInput struct {
	RangeInput
	From Moment `query:"from" doc:"intervals that begin at or after this moment; 24 hours before until where absent"`
}

type seriesOutput struct{ Body wire.Series }

func (v *Viewer) getSeries(ctx context.Context, in *seriesInput) (*seriesOutput, error) {
	from, until, err := v.span(in.RangeInput, in.From.Time, seriesSpan)
	if err != nil {
		return nil, err
	}
	out := wire.Series{Source: in.Source, Target: in.Target, From: from.UTC(), Until: until.UTC(), Results: []wire.Result{}}
	unplaced := unplaced{at: map[ippm.ID]int{}}
	err = v.Store.Range(ctx, in.Source, in.Target, in.filter(), from, until, func(r store.Stored) error {
		if len(out.Results) == cmp.Or(v.limit, maxSeries) {
			return errEnough
		}
		unplaced.note(r.Result, len(out.Results))
		out.Results = append(out.Results, wire.Shown(r.Result, r.StoredAt))
		return nil
	})
	if out.Complete, err = v.whole(in.PairInput, len(out.Results), err); err != nil {
		return nil, err
	}
	if err := v.place(ctx, in.RangeInput, unplaced, out.Results); err != nil {
		// The results are right as they are, if less is known of them.
		v.Log.Error("the flows could not be read, by which directions of losses are told", "error", err)
	}
	return &seriesOutput{Body: out}, nil
}

// unplaced is where, among results, those stand that have lost packets of which
// the target's reflector may tell more: their direction, or that it did not answer
// them. It is also from when to when they are.
type unplaced struct {
	at          map[ippm.ID]int
	first, last time.Time
}

func (u *unplaced) note(r ippm.Result, at int) {
	if !joinable(r) {
		return
	}
	if len(u.at) == 0 || r.Start.Before(u.first) {
		u.first = r.Start
	}
	if len(u.at) == 0 || r.Start.After(u.last) {
		u.last = r.Start
	}
	u.at[r.ID] = at
}

// place shows the results anew of which the reflector has told what it heard.
func (v *Viewer) place(ctx context.Context, in RangeInput, u unplaced, results []wire.Result) error {
	if len(u.at) == 0 {
		return nil
	}
	return v.Store.Flows(ctx, in.Source, in.Target, in.filter(), u.first, u.last.Add(1), func(r store.Stored, heard *ippm.Heard) error {
		if at, ok := u.at[r.ID]; ok {
			if both, ok := joined(r.Result, heard); ok {
				results[at] = wire.Shown(both, r.StoredAt)
			}
		}
		return nil
	})
}
