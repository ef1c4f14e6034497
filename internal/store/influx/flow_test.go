package influx_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
	"ixpqos/internal/store/influx"
	"ixpqos/internal/store/storetest"
)

// withFlows is a batch of p1 whose results have flows, and in which it tells what
// it heard of p2.
func withFlows(at time.Time, targets ...string) ippm.Batch {
	b := batchOf(targets...)
	b.Start = at
	for i := range b.Results {
		b.Results[i].Start = at
		b.Results[i] = storetest.WithFlows(b.Results[i], 3)
	}
	heard := storetest.HeardOf(storetest.WithFlows(storetest.NewResult(storetest.Pair("p2", "p1"), 0, 0), 2))
	heard.Start = at
	b.Heard = []ippm.Heard{heard}
	return b
}

func flowsOf(t *testing.T, s *influx.Store, source, target string) (n int) {
	t.Helper()
	err := s.Flows(t.Context(), source, target, store.Filter{}, time.Time{}, storetest.Start.AddDate(1, 0, 0), func(store.Stored, *ippm.Heard) error {
		n++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// points counts those of a measurement in the bucket for flows.
func (w world) points(t *testing.T, measurement string) int {
	t.Helper()
	answer := w.Query(t, fmt.Sprintf(`from(bucket: %q) |> range(start: 2026-01-01T00:00:00Z, stop: 2100-01-01T00:00:00Z)
		|> filter(fn: (r) => r._measurement == %q and r._field == "flows") |> keep(columns: ["_time", "_measurement", "_value"])`, w.buckets.Flows, measurement))
	return strings.Count(answer, ","+measurement)
}

// TestMissingFlowsBucket: without it no test with flows can be stored, and Ready says so.
func TestMissingFlowsBucket(t *testing.T) {
	w := newWorld(t)
	opts := w.options()
	opts.Buckets.Flows = "gone"
	for _, use := range []influx.Use{influx.Writing, influx.Reading} {
		opts.Use = use
		checkUnavailable(t, open(t, opts).Ready(t.Context()), []string{"bucket is missing", "run ixpqos-server init", "gone"})
	}
	s := open(t, opts)
	_, err := s.Put(t.Context(), withFlows(storetest.Start, "p2"))
	checkUnavailable(t, err, []string{"bucket is missing", `"gone"`})
	if got, err := s.Reports(t.Context(), storetest.Start); err != nil || len(got) > 0 {
		t.Errorf("a report of a batch that is not stored as a whole: %+v, %v", got, err)
	}
	put(t, s, batchOf("p2")) // which has no flows
}

// TestOutdatedFlows: flows that are older than what their bucket keeps are no
// matter of their results.
func TestOutdatedFlows(t *testing.T) {
	w := newWorldKeeping(t, influx.Retention{Flows: 48 * time.Hour})
	s := open(t, w.options())
	b, now := withFlows(storetest.Start, "p2", "p3"), time.Now().Truncate(time.Second)
	b.Results[1].Start = now
	put(t, s, b)
	if old, young := len(between(t, s, "p1", "p2")), len(between(t, s, "p1", "p3")); old != 1 || young != 1 {
		t.Errorf("%d and %d results, not one each", old, young)
	}
	if old, young := flowsOf(t, s, "p1", "p2"), flowsOf(t, s, "p1", "p3"); old != 0 || young != 1 {
		t.Errorf("%d old results with flows and %d young ones", old, young)
	}
}

// TestRejectedFlows: a result that is rejected leaves no flows behind.
func TestRejectedFlows(t *testing.T) {
	w := newWorld(t)
	w.Write(t, w.buckets.Raw, fmt.Sprintf("qos,source=x sent=1.5 %d", storetest.At(0).UnixNano()))
	s := open(t, w.options())
	b := withFlows(storetest.Start, "p2", "p3")
	b.Results[1].Start = storetest.Start.AddDate(0, 0, 21) // another shard
	if rejected, err := s.Put(t.Context(), b); err != nil || len(rejected) != 1 || rejected[0].ID != b.Results[0].ID {
		t.Fatalf("rejected %+v, %v", rejected, err)
	}
	if flows, heard := w.points(t, "flow"), w.points(t, "heard"); flows != 1 || heard != 1 {
		t.Errorf("%d flow points and %d of what was heard, not one each", flows, heard)
	}
	if got := flowsOf(t, s, "p1", "p3"); got != 1 {
		t.Errorf("%d results of p3 with flows", got)
	}
}

// TestFlowConflict: without its flows a batch is not stored as a whole, but its
// results are shown.
func TestFlowConflict(t *testing.T) {
	for measurement, want := range map[string]string{"flow": `flows of "p1"`, "heard": `what "p1" heard`} {
		w := newWorld(t)
		w.Write(t, w.buckets.Flows, fmt.Sprintf("%s,source=x length_ns=1.5 %d", measurement, storetest.At(0).UnixNano()))
		s := open(t, w.options())
		rejected, err := s.Put(t.Context(), withFlows(storetest.Start, "p2", "p3"))
		if err == nil || errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), want) || len(rejected) > 0 {
			t.Errorf("%s: rejected %+v, %v", measurement, rejected, err)
		}
		got, err := s.Latest(t.Context(), store.Filter{}, storetest.At(0), storetest.At(0))
		if err != nil || len(got) != 2 {
			t.Errorf("%s: %d results, not 2: %v", measurement, len(got), err)
		}
	}
}

// TestDamagedFlows: what is no flows is an error that names the result.
func TestDamagedFlows(t *testing.T) {
	for _, line := range []string{`flow,dscp=0,family=4,kind=stamp,source=p1,target=p2,test=fabric flows="AgEB"`,
		`heard,dscp=0,family=4,source=p1,target=p2,test=fabric flows="?"`} {
		w := newWorld(t)
		s := open(t, w.options())
		put(t, s, withFlows(storetest.Start, "p2"))
		w.Write(t, w.buckets.Flows, fmt.Sprintf("%s %d", line, storetest.Start.UnixNano()))
		err := s.Flows(t.Context(), "p1", "p2", store.Filter{}, storetest.At(0), storetest.At(1), func(store.Stored, *ippm.Heard) error { return nil })
		if err == nil || errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "Target:p2") {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// TestHeardInjection: a name that would add a line is refused before anything is sent.
func TestHeardInjection(t *testing.T) {
	d := newDouble(t, 400)
	for _, name := range []string{"", "a\nqos,source=x sent=1i", `ends in\`} {
		b := withFlows(storetest.Start, "p2")
		b.Heard[0].Test = name
		if _, err := d.store(t).Put(t.Context(), b); err == nil {
			t.Errorf("what was heard of the test %q was stored", name)
		}
	}
	if len(d.taken) > 0 {
		t.Errorf("%q were sent", d.taken)
	}
}
