package sqlite_test

import (
	"path/filepath"
	"sync"
	"testing"
	"time"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
	"ixpqos/internal/store/sqlite"
	"ixpqos/internal/store/storetest"
)

func prune(t *testing.T, s *sqlite.Store, before int, want int64) {
	t.Helper()
	if got, err := s.Prune(t.Context(), storetest.At(before), time.Time{}); err != nil || got != want {
		t.Errorf("%d were deleted, not %d: %v", got, want, err)
	}
}

func TestPrune(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "store.db"), sqlite.Options{})
	for n := range 4 {
		put(t, s, storetest.NewBatch("p1", n,
			storetest.NewResult(storetest.Pair("p1", "p2"), n, 0, 200), storetest.NewResult(storetest.Pair("p1", "p3"), n, 0, 200)))
	}
	put(t, s, storetest.NewBatch("p2", 0, storetest.NewResult(storetest.Pair("p2", "p1"), 0, 0, 200)), storetest.NewBatch("p2", 1))

	prune(t, s, 0, 0)
	prune(t, s, 2, 4+1+2+1) // p1's results, p2's, and the reports but p2's newest
	prune(t, s, 2, 0)
	for pair, want := range map[[2]string]int{{"p1", "p2"}: 2, {"p1", "p3"}: 2, {"p2", "p1"}: 0} {
		if got := count(t, s, pair[0], pair[1]); got != want {
			t.Errorf("%v has %d results, not %d", pair, got, want)
		}
	}
	prune(t, s, 9, 4+1)
	reports, err := s.Reports(t.Context(), storetest.At(9))
	if err != nil {
		t.Fatal(err)
	}
	if diff := storetest.DiffReports([]ippm.Batch{storetest.NewBatch("p1", 3), storetest.NewBatch("p2", 1)}, reports); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, p := range []store.Ping{
		{Source: "p1", Target: "p2", Family: 4, At: storetest.At(1)}, {Source: "p1", Target: "p2", Family: 4, At: storetest.At(2)},
		{Source: "p1", Target: "p2", Family: 6, At: storetest.At(1)}, {Source: "p3", Target: "p1", Family: 6, At: storetest.At(3)},
	} {
		if _, err := s.PutPings(t.Context(), []store.Ping{p}); err != nil {
			t.Fatal(err)
		}
	}
	prune(t, s, 2, 2)
	prune(t, s, 3, 1)
	prune(t, s, 9, 1)
	again := storetest.NewBatch("p2", 2, storetest.NewResult(storetest.Pair("p2", "p1"), 2, 0, 200)) // in a series that was emptied
	put(t, s, again)
	if got := count(t, s, "p2", "p1"); got != 1 {
		t.Errorf("%d results after a new one", got)
	}
}

// TestPruneFlows: flows and what was heard go before their results, and never
// stay longer.
func TestPruneFlows(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "store.db"), sqlite.Options{})
	for n := range 5 {
		r := storetest.WithFlows(storetest.NewResult(storetest.Pair("p1", "p2"), n, 0, 200), 2)
		b := storetest.NewBatch("p1", n, r)
		b.Heard = []ippm.Heard{storetest.HeardOf(r)}
		put(t, s, b)
	}
	for _, step := range []struct {
		before, flowsBefore int
		deleted             int64
		results, flows      int
	}{
		{0, 0, 0, 5, 5},
		{0, 2, 2 + 2, 5, 3},
		{0, 1, 0, 5, 3},
		{3, 0, 3 + 1 + 1 + 3, 2, 2}, // results, flows, heard, reports
	} {
		got, err := s.Prune(t.Context(), storetest.At(step.before), storetest.At(step.flowsBefore))
		if err != nil || got != step.deleted {
			t.Errorf("%+v: %d were deleted, %v", step, got, err)
		}
		flows, unheard := 0, 0
		err = s.Flows(t.Context(), "p1", "p2", store.Filter{}, storetest.At(0), storetest.At(9), func(_ store.Stored, heard *ippm.Heard) error {
			flows++
			if heard == nil {
				unheard++
			}
			return nil
		})
		if results := count(t, s, "p1", "p2"); err != nil || results != step.results || flows != step.flows || unheard > 0 {
			t.Errorf("%+v: then %d results, %d flows, %d unheard, %v", step, results, flows, unheard, err)
		}
	}
}

// TestPruneMany has more in one series, and more series, than one transaction
// takes, and writes at the same time.
func TestPruneMany(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "store.db"), sqlite.Options{})
	const intervals = 2500
	long := storetest.NewBatch("p1", 0)
	for n := range intervals {
		long.Results = append(long.Results, storetest.NewResult(storetest.Pair("p1", "p2"), n, 0, 200))
	}
	wide, _ := manySeries(1200)
	put(t, s, long, wide)

	var writing sync.WaitGroup
	writing.Go(func() {
		for n := range 20 {
			put(t, s, storetest.NewBatch("p3", intervals+n, storetest.NewResult(storetest.Pair("p3", "p2"), intervals+n, 0, 200)))
		}
	})
	prune(t, s, intervals, intervals+1200+1) // and the older of p1's two reports
	writing.Wait()
	if got := count(t, s, "p3", "p2"); got != 20 {
		t.Errorf("%d of 20 new results", got)
	}
}
