package storetest

import (
	"errors"
	"fmt"
	"testing"

	"ixpqos/internal/ippm"
)

// readBothEnds is what BothEnds yields, by its result.
func readBothEnds(t *testing.T, s Subject, ids ...ippm.ID) map[ippm.ID]joint {
	t.Helper()
	got := map[ippm.ID]joint{}
	err := s.Reader.BothEnds(t.Context(), ids, func(flows []ippm.Flow, heard ippm.Heard) error {
		if _, twice := got[heard.ID]; twice {
			t.Errorf("%+v came twice", heard.ID)
		}
		got[heard.ID] = joint{ippm.Result{ID: heard.ID, Flows: flows}, &heard}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func checkBothEnds(t *testing.T, got map[ippm.ID]joint, want ...ippm.Result) {
	t.Helper()
	for _, r := range want {
		heard := HeardOf(r)
		if diff := diffJoint([]joint{{ippm.Result{ID: r.ID, Flows: r.Flows}, &heard}}, []joint{got[r.ID]}); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d results, not %d", len(got), len(want))
	}
}

// bothEnds has results of which all is known, only one end, or nothing.
func bothEnds(t *testing.T, s Subject) {
	var all []ippm.Result
	for n := range 4 {
		all = append(all, WithFlows(NewResult(Pair("p1", "p2"), n, 0, 200), 4))
	}
	other := WithFlows(NewResult(Pair("p1", `odd "name"`), 0, 0, 200), 2)
	flowless := NewResult(Pair("p1", "p3"), 0, 0, 200)
	put(t, s, NewBatch("p1", 0, append(all[:3:3], other, flowless)...), NewHeardBatch("p2", 0, HeardOf(all[0]), HeardOf(all[2]), HeardOf(all[3])),
		NewHeardBatch(`odd "name"`, 0, HeardOf(other)), NewHeardBatch("p3", 0, ippm.Heard{ID: flowless.ID, Length: Interval}))
	unknown := NewResult(Pair("p8", "p9"), 0, 0, 200)
	checkBothEnds(t, readBothEnds(t, s))
	checkBothEnds(t, readBothEnds(t, s, unknown.ID))
	checkBothEnds(t, readBothEnds(t, s, all[1].ID, all[3].ID, flowless.ID))
	checkBothEnds(t, readBothEnds(t, s, all[0].ID), all[0])
	checkBothEnds(t, readBothEnds(t, s, unknown.ID, all[0].ID, all[1].ID, other.ID, all[2].ID, all[3].ID), all[0], other, all[2])
	err := s.Reader.BothEnds(t.Context(), []ippm.ID{all[0].ID, all[2].ID}, func([]ippm.Flow, ippm.Heard) error { return errStop })
	if !errors.Is(err, errStop) {
		t.Errorf("the error of yield became %v", err)
	}
}

// bothEndsMany has results of many pairs and of many moments.
func bothEndsMany(t *testing.T, s Subject) {
	var all []ippm.Result
	var heard []ippm.Heard
	var ids []ippm.ID
	for i := range 600 {
		all = append(all, WithFlows(NewResult(Pair("p1", fmt.Sprintf("t%03d", i)), 7*(i%30), 0, 200), 1))
		heard, ids = append(heard, HeardOf(all[i])), append(ids, all[i].ID)
	}
	put(t, s, NewBatch("p1", 0, all...), NewHeardBatch("p2", 0, heard...))
	checkBothEnds(t, readBothEnds(t, s, ids...), all...)
	checkBothEnds(t, readBothEnds(t, s, ids[:40]...), all[:40]...)
}
