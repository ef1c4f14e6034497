package show

import (
	"context"

	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
)

// joined is a result as both of its ends saw it. It is what the matrix, the series
// and the flows show of every result, so that they agree; false where nothing is
// known of what the target's reflector heard.
func joined(r ippm.Result, heard *ippm.Heard) (ippm.Result, bool) {
	if heard == nil {
		return r, false
	}
	return ippm.Join(r, *heard), true
}

// joinable tells whether the target's reflector may tell more of a result: where
// its packets were lost, that it did not answer them, or that its host missed them.
// The last seem lost forward, as no number was given to them.
func joinable(r ippm.Result) bool { return r.Kind == inventory.KindSTAMP && r.Lost() > 0 }

// join makes of results what both of their ends saw. Most have lost nothing, and
// are passed over.
func (v *Viewer) join(ctx context.Context, newest map[ippm.Series]*ippm.Result) {
	var ids []ippm.ID
	for _, r := range newest {
		if joinable(*r) {
			ids = append(ids, r.ID)
		}
	}
	if len(ids) == 0 {
		return
	}
	err := v.Store.BothEnds(ctx, ids, func(flows []ippm.Flow, heard ippm.Heard) error {
		r := newest[heard.Series]
		whole := *r
		whole.Flows = flows
		both, _ := joined(whole, &heard)
		r.Counts = both.Counts
		return nil
	})
	if err != nil {
		// The results are right as they are, if less is known of them.
		v.Log.Error("the flows could not be read, by which directions of losses are told", "error", err)
	}
}
