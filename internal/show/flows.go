package show

import (
	"cmp"
	"context"
	"fmt"

	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
	"ixpqos/internal/wire"
)

type flowsInput struct {
	RangeInput
	From Moment `query:"from" doc:"intervals that begin at or after this moment; 5 minutes before until where absent"`
}

type flowsOutput struct{ Body wire.Flows }

func (v *Viewer) getFlows(ctx context.Context, in *flowsInput) (*flowsOutput, error) {
	from, until, err := v.span(in.RangeInput, in.From.Time, flowsSpan)
	if err != nil {
		return nil, err
	}
	out := wire.Flows{Source: in.Source, Target: in.Target, From: from.UTC(), Until: until.UTC(), Results: []wire.FlowResult{}}
	flows := 0
	err = v.Store.Flows(ctx, in.Source, in.Target, in.filter(), from, until, func(r store.Stored, heard *ippm.Heard) error {
		if flows += len(r.Flows); flows > cmp.Or(v.limit, maxFlows) {
			return errEnough
		}
		result, placed := joined(r.Result, heard)
		out.Results = append(out.Results, wire.FlowsOf(result, placed))
		return nil
	})
	if out.Complete, err = v.whole(in.PairInput, len(out.Results), err); err != nil {
		return nil, err
	}
	if len(out.Results) == 0 {
		out.Note = flowless(v.Inventory(), in.PairInput, in.Test)
	}
	return &flowsOutput{Body: out}, nil
}

// flowless is why a pair has no flows at all, of the test where one is asked for;
// empty where it may have some at another time.
func flowless(inv *inventory.Inventory, in PairInput, test string) string {
	if measuresFlows(inv, in, test) {
		return ""
	}
	named := ""
	if test != "" {
		named = fmt.Sprintf(" and of the name %q", test)
	}
	return fmt.Sprintf("no test of kind %s%s measures from %q to %q, and only such a test has flows: /series has the results of all others",
		inventory.KindSTAMP, named, in.Source, in.Target)
}
