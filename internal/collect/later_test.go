package collect_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"ixpqos/internal/collect"
	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
	"ixpqos/internal/store/storetest"
)

const run1, run2 = "00000000000000a1", "00000000000000b2"

// on lets the test set the server's clock.
func on(clock *time.Time) func(*collect.Collector) {
	return func(c *collect.Collector) { c.Now = func() time.Time { return *clock } }
}

// TestClockBehind: when the server's clock is behind, nothing is refused for ever,
// and all is stored once it was put right.
func TestClockBehind(t *testing.T) {
	clock := now.Add(-5*time.Minute - time.Second)
	s := serve(t, on(&clock))
	batch := storetest.NewBatch("p1", 10, resultTo("p2", 10))
	batch.Start, batch.Results[0].Start = now, now
	got := s.postBatch(t, batch)
	got.isProblem(t, http.StatusServiceUnavailable, "is 5m1s ahead of the server's clock: check the clocks")
	if got.Header.Get("Retry-After") == "" {
		t.Error("the answer does not say when to come again")
	}
	s.holds(t)
	s.counts(t, 0, 0, 1)
	clock = now
	s.postBatch(t, batch).stored(t)
	s.holds(t, batch.Results...)
}

// TestResultAhead: a single one comes later, and costs no other. An older probe,
// which would take it for stored, is asked for all again.
func TestResultAhead(t *testing.T) {
	clock := now
	s := serve(t, on(&clock))
	batch := storetest.NewBatch("p1", 1, resultTo("p2", 1), resultTo("rs1", 1))
	batch.Results[0].Start = now.Add(5*time.Minute + time.Second)
	batch.Heard = []ippm.Heard{heardFrom("p2")}
	batch.Heard[0].Start = batch.Results[0].Start
	s.postBatch(t, batch).isProblem(t, http.StatusServiceUnavailable, "some results cannot be taken now")
	batch.Run = run1
	got := s.postBatch(t, batch).stored(t)
	if got.Stored != 1 || len(got.Rejected) > 0 || len(got.Later) != 1 || got.Later[0].Index != 0 || !strings.Contains(got.Later[0].Reason, "5m1s ahead") {
		t.Errorf("answer = %+v", got)
	}
	if len(got.LaterHeard) != 1 || got.LaterHeard[0].Index != 0 {
		t.Errorf("heard: %+v", got.LaterHeard)
	}
	s.holds(t, batch.Results[1])
	clock = now.Add(time.Minute)
	if got := s.postBatch(t, batch).stored(t); got.Stored != 2 || len(got.Later)+len(got.LaterHeard) > 0 {
		t.Errorf("afterwards %+v", got)
	}
}

// TestNamesThatTheServerDoesNotKnow are stored: they left the inventory before
// this process started, or have not come to it yet.
func TestNamesThatTheServerDoesNotKnow(t *testing.T) {
	s, heard := listen(t)
	batch := storetest.NewBatch("p1", 1, resultTo("gone", 1), resultTo("p2", 1))
	batch.Results[1].Test = "new"
	batch.Heard = []ippm.Heard{heardFrom("gone")}
	if got := s.postBatch(t, batch).stored(t); got.Stored != 2 || len(got.Rejected)+len(got.RejectedHeard)+len(got.Later) > 0 {
		t.Errorf("answer = %+v", got)
	}
	var stored []store.Stored
	err := s.store.Range(t.Context(), "p1", "gone", store.Filter{}, time.Time{}, storetest.At(1e6), func(r store.Stored) error {
		stored = append(stored, r)
		return nil
	})
	if err != nil || storetest.DiffResults(batch.Results[:1], stored) != "" || len(*heard) != 1 {
		t.Errorf("stored %v, %v; heard %v", stored, err, *heard)
	}
}

// TestNamesWithoutEnd: a key in wrong hands adds a bounded number of series. What
// is above it is refused for now, and the known ones go on.
func TestNamesWithoutEnd(t *testing.T) {
	clock := now
	s := serve(t, on(&clock), func(c *collect.Collector) { c.Store = refusing{Writer: c.Store} })
	flood := func(from, n int) ippm.Batch {
		batch := storetest.NewBatch("p1", 1)
		batch.Run = run1
		for i := range n {
			batch.Results = append(batch.Results, ippm.Result{ID: ippm.ID{Series: storetest.Pair("p1", fmt.Sprint("made-up-", from+i)), Start: storetest.At(1)},
				Kind: "icmp", Length: time.Second})
		}
		return batch
	}
	if got := s.postBatch(t, flood(0, 10_000)).stored(t); got.Stored != 10_000 {
		t.Errorf("%d of the first are stored", got.Stored)
	}
	more := flood(9_999, 2)
	asked := storetest.NewResult(storetest.Pair("p1", "rs1"), 1, 1)
	asked.Test, asked.Kind = "ping", "icmp"
	more.Results = append(more.Results, asked)
	got := s.postBatch(t, more).stored(t)
	if got.Stored != 2 || len(got.Rejected) > 0 || len(got.Later) != 1 || got.Later[0].Target != "made-up-10000" {
		t.Errorf("answer = %+v", got)
	}
	clock = now.Add(24 * time.Hour)
	if got := s.postBatch(t, more).stored(t); got.Stored != 3 {
		t.Errorf("a day later %+v", got)
	}
}
