package storetest

import (
	"testing"
	"time"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
)

func heardJoins(t *testing.T, s Subject) {
	var results []ippm.Result
	for n := range 3 {
		results = append(results, WithFlows(NewResult(Pair("p1", "p2"), n, 0, 200), 4))
	}
	before, after := HeardOf(results[0]), HeardOf(results[1])
	put(t, s, NewHeardBatch("p2", 0, before))
	checkFlows(t, s, "p1", "p2")
	put(t, s, NewBatch("p1", 2, results...), NewHeardBatch("p2", 1, after))
	checkFlows(t, s, "p1", "p2", joint{results[0], &before}, joint{results[1], &after}, joint{results[2], nil})
	if got := everything(t, s, "p1", "p2"); len(got) != 3 {
		t.Errorf("%d results, not 3", len(got))
	}
	lonely := HeardOf(WithFlows(NewResult(Pair("p3", "p2"), 0, 0), 2))
	put(t, s, NewHeardBatch("p2", 0, lonely))
	checkFlows(t, s, "p3", "p2")
	if got := everything(t, s, "p3", "p2"); len(got) != 0 {
		t.Errorf("what was heard became results: %+v", got)
	}
	if got := latest(t, s, store.Filter{}, At(0), At(9)); len(got) != 1 {
		t.Errorf("%d series have results, not 1", len(got))
	}
}

func heardTwice(t *testing.T, s Subject) {
	r := WithFlows(NewResult(Pair("p1", "p2"), 0, 0, 200), 4)
	all, none := HeardOf(r), HeardOf(r)
	none.Flows, none.Length = nil, 5*time.Second
	for _, h := range []ippm.Heard{all, none, all} {
		put(t, s, NewBatch("p1", 0, r), NewHeardBatch("p2", 0, h))
		checkFlows(t, s, "p1", "p2", joint{r, &h})
	}
}

// heardElsewhere has of each part of an ID one that is another.
func heardElsewhere(t *testing.T, s Subject) {
	r := WithFlows(NewResult(Pair("p1", "p2"), 0, 0, 200), 4)
	var elsewhere []ippm.Heard
	for _, change := range []func(*ippm.ID){
		func(id *ippm.ID) { id.Source = "p3" }, func(id *ippm.ID) { id.Target = "p3" }, func(id *ippm.ID) { id.Test = "large" },
		func(id *ippm.ID) { id.Family = 6 }, func(id *ippm.ID) { id.DSCP = 46 }, func(id *ippm.ID) { id.Start = id.Start.Add(1) },
		func(id *ippm.ID) { id.Source, id.Target = id.Target, id.Source },
	} {
		h := HeardOf(r)
		change(&h.ID)
		elsewhere = append(elsewhere, h)
	}
	put(t, s, NewBatch("p1", 0, r), NewHeardBatch("p2", 0, elsewhere...))
	checkFlows(t, s, "p1", "p2", joint{r, nil})
}
