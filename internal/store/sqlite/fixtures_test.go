package sqlite_test

import (
	"fmt"
	"testing"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
	"ixpqos/internal/store/sqlite"
	"ixpqos/internal/store/storetest"
)

func put(t testing.TB, s *sqlite.Store, batches ...ippm.Batch) {
	t.Helper()
	for _, b := range batches {
		if _, err := s.Put(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
}

// count is the number of results from source to target.
func count(t testing.TB, s *sqlite.Store, source, target string) (n int) {
	t.Helper()
	err := s.Range(t.Context(), source, target, store.Filter{}, storetest.Start.AddDate(-1, 0, 0), storetest.Start.AddDate(1, 0, 0),
		func(store.Stored) error { n++; return nil })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// manySeries is a batch of so many series, every third of which has its result
// in the interval before; want are the others in order.
func manySeries(n int) (batch ippm.Batch, want []ippm.Result) {
	batch = storetest.NewBatch("p1", 1)
	for i := range n {
		series := storetest.Pair("p1", fmt.Sprintf("t%05d", i))
		if i%3 == 0 {
			batch.Results = append(batch.Results, storetest.NewResult(series, 0, 0, 200))
			continue
		}
		batch.Results = append(batch.Results, storetest.NewResult(series, 1, 0, float64(i)))
		want = append(want, batch.Results[i])
	}
	return batch, want
}
