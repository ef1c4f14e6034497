package show_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store/storetest"
	"ixpqos/internal/wire"
)

// TestMatrixSeriesAndFlowsAgree, whatever each end of a pair saw: now, at a moment
// long ago, and of what the target tells late or never.
func TestMatrixSeriesAndFlowsAgree(t *testing.T) {
	const seed = 7
	random := rand.New(rand.NewPCG(seed, seed))
	s := serve(t, exchange)
	const intervals = 40
	s.now = storetest.At(intervals)
	s.put(t, batch("p1", -1, names("p2")), batch("p2", -1, names("p1")))
	for n := range intervals {
		r, h := bothSaw(random, n)
		s.put(t, batch("p1", n, names("p2"), r))
		if random.IntN(4) > 0 {
			s.put(t, storetest.NewHeardBatch("p2", n, h))
		}
	}
	s.now = storetest.At(intervals).Add(30 * time.Hour) // flows are kept for 48 hours
	placed := 0
	for n := range intervals {
		span := fmt.Sprintf("test=fabric&from=%s&until=%s", at(n), at(n+1))
		series, flows := s.series(t, "p1/p2/series?"+span), s.flows(t, "p1/p2/flows?"+span)
		shown := cell(t, s.matrix(t, "?at="+at(n)), "p1", "p2")
		got := countsOf(shown)
		r := series.Results[0]
		if diff := cmp.Diff(got, [9]int{r.Sent, r.Received, r.Forward, r.Backward, r.Unplaced, r.Duplicates, r.Reordered, r.Refused, r.Unserved}); diff != "" {
			t.Errorf("%d, the series (-matrix +series):\n%s", n, diff)
		}
		f := flows.Results[0]
		if diff := cmp.Diff(got, [9]int{f.Sent, f.Received, f.Forward, f.Backward, f.Unplaced, f.Duplicates, f.Reordered, f.Refused, f.Unserved}); diff != "" {
			t.Errorf("%d, the flows (-matrix +flows):\n%s", n, diff)
		}
		if f.Placed && *shown.Unserved > 0 && *shown.Unplaced == 0 {
			placed++
		}
	}
	if placed < 5 {
		t.Errorf("only %d of %d intervals had packets that were not served", placed, intervals)
	}
}

func countsOf(c wire.Cell) [9]int {
	return [9]int{*c.Sent, *c.Received, *c.Forward, *c.Backward, *c.Unplaced, *c.Duplicates, *c.Reordered, *c.Refused, *c.Unserved}
}

// bothSaw are a result of two flows, and what its target heard: random, but
// possible.
func bothSaw(random *rand.Rand, n int) (ippm.Result, ippm.Heard) {
	series := storetest.Pair("p1", "p2")
	r := ippm.Result{ID: ippm.ID{Series: series, Start: storetest.At(n)}, Kind: "stamp", Length: storetest.Interval}
	h := ippm.Heard{ID: r.ID, Length: r.Length}
	for port := range uint16(2) {
		lost, backward, refused := random.IntN(20), random.IntN(3), random.IntN(3)
		f := ippm.Flow{Port: 61000 + port, Counts: ippm.Counts{Sent: 40, Received: 40 - lost - backward, Unplaced: lost, Backward: backward,
			Refused: refused, Duplicates: random.IntN(3), Reordered: random.IntN(3)}}
		heard := 40 - random.IntN(lost+1)
		answered := max(heard-random.IntN(lost+backward+1), f.Received)
		r.Flows, h.Flows = append(r.Flows, f), append(h.Flows, ippm.HeardFlow{Port: f.Port, Heard: heard, Answered: min(answered, heard)})
		r.Counts = r.Counts.Plus(f.Counts)
	}
	return r, h
}

// TestUnservedIsNoLossInTheMatrix: what a host heard and did not answer is not
// lost, and the page names that host.
func TestUnservedIsNoLossInTheMatrix(t *testing.T) {
	s := serve(t, exchange)
	r := silent(storetest.Pair("p1", "p2"), 0)
	all := heard(r, 40)
	for i := range all.Heard[0].Flows {
		all.Heard[0].Flows[i].Answered = 40 * (1 - i) // of the second flow none
	}
	acquainted(t, s, r)
	all.Peers = names("p1")
	s.put(t, all)
	got := cell(t, s.matrix(t, ""), "p1", "p2")
	if *got.Sent != 40 || *got.Lost != 0 || *got.LossRatio != 0 || *got.Unserved != 40 || got.State != wire.StateFresh {
		t.Errorf("sent %d, lost %d, unserved %d, %s", *got.Sent, *got.Lost, *got.Unserved, got.State)
	}
	if page := firstRow(t, s.get(t, "/").body)[1]; !containsAll(page, `class="good"`, "40 unserved: they reached p2") {
		t.Errorf("the page: %s", page)
	}
}

// TestThePageNamesTheHostToBlame where nothing counts as sent.
func TestThePageNamesTheHostToBlame(t *testing.T) {
	for want, counts := range map[string]ippm.Counts{
		"not sent by p1": {Refused: 20}, "unserved at p2": {Unserved: 20}, "not sent": {},
	} {
		s := serve(t, exchange)
		r := storetest.NewResult(storetest.Pair("p1", "p2"), 0, 0)
		r.Counts = counts
		acquainted(t, s, r)
		if got := firstRow(t, s.get(t, "/").body)[1]; !containsAll(got, `class="refused"`, ">"+want+"</td>") {
			t.Errorf("%s; want %q", got, want)
		}
	}
}
