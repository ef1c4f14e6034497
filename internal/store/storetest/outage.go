package storetest

import (
	"errors"
	"testing"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
)

// outage stores before, during and after, and wants everything exactly once.
func outage(t *testing.T, s Subject, o Outage) {
	before := NewBatch("p1", 0, NewResult(Pair("p1", "p2"), 0, 0, 200), NewResult(Pair("p1", "p3"), 0, 0, 200))
	during := NewBatch("p1", 1, NewResult(Pair("p1", "p2"), 1, 1, 210), NewResult(Pair("p1", "new"), 1, 0, 220))
	ping := NewPing("p1", "p2", 0)
	put(t, s, before)
	end := begin(t, o)
	for range 2 { // an error must not leave anything behind
		rejected, err := s.Writer.Put(t.Context(), during)
		if !errors.Is(err, store.ErrUnavailable) {
			t.Fatalf("Put said %v, which is no store.ErrUnavailable", err)
		}
		if len(rejected) > 0 {
			t.Errorf("Put failed, yet rejected %+v for good", rejected)
		}
	}
	if _, err := s.Writer.PutPings(t.Context(), []store.Ping{ping}); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("PutPings said %v, which is no store.ErrUnavailable", err)
	}
	// A store that writes is not ready where a write would fail; one that only reads may be.
	writes := any(s.Reader) == any(s.Writer)
	if err := s.Reader.Ready(t.Context()); writes && !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Ready said %v, which is no store.ErrUnavailable", err)
	} else if !writes && !o.Reads && err != nil {
		t.Errorf("not ready for reading: %v", err)
	}
	if !o.Reads {
		if diff := DiffResults(before.Results[1:], everything(t, s, "p1", "p3")); diff != "" {
			t.Errorf("during the outage (-want +got):\n%s", diff)
		}
	}
	end()
	put(t, s, during)
	putPings(t, s, ping)
	checkLastPings(t, s, "p1", ping)
	afterOutage(t, s, before, during)
}

func afterOutage(t *testing.T, s Subject, before, during ippm.Batch) {
	if err := s.Reader.Ready(t.Context()); err != nil {
		t.Errorf("not ready afterwards: %v", err)
	}
	for target, want := range map[string][]ippm.Result{
		"p2": {before.Results[0], during.Results[0]}, "p3": before.Results[1:], "new": during.Results[1:],
	} {
		if diff := DiffResults(want, everything(t, s, "p1", target)); diff != "" {
			t.Errorf("to %s (-want +got):\n%s", target, diff)
		}
	}
	if diff := DiffReports([]ippm.Batch{during}, reportsAt(t, s, At(1))); diff != "" {
		t.Errorf("reports (-want +got):\n%s", diff)
	}
}

// begin begins the outage and gives what ends it, which happens in any case.
func begin(t *testing.T, o Outage) (end func()) {
	over := false
	end = func() {
		if !over {
			over = true
			o.End(t)
		}
	}
	o.Begin(t)
	t.Cleanup(end)
	return end
}
