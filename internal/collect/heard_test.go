package collect_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ixpqos/internal/collect"
	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
	"ixpqos/internal/store/storetest"
	"ixpqos/internal/wire"
)

// listening is a store that shows what it was given to keep of what was heard,
// and refuses what comes from some sources.
type listening struct {
	store.Writer
	heard   *[]ippm.Heard
	refuses []string
}

func (l listening) Put(ctx context.Context, batch ippm.Batch) ([]store.Rejected, error) {
	*l.heard = append(*l.heard, batch.Heard...)
	refused, err := l.Writer.Put(ctx, batch)
	for _, h := range batch.Heard {
		if slices.Contains(l.refuses, h.Source) {
			refused = append(refused, store.Rejected{ID: h.ID, Reason: "refused"})
		}
	}
	return refused, err
}

func listen(t *testing.T, refuses ...string) (s *server, heard *[]ippm.Heard) {
	t.Helper()
	heard = new([]ippm.Heard)
	s = serve(t, func(c *collect.Collector) { c.Store = listening{c.Store, heard, refuses} })
	return s, heard
}

func heardFrom(source string) ippm.Heard {
	return ippm.Heard{ID: ippm.ID{Series: storetest.Pair(source, "p1"), Start: storetest.At(1)}, Length: 10 * time.Second,
		Flows: []ippm.HeardFlow{{Port: 61000, Heard: 40, Answered: 39}}}
}

func postHeard(t *testing.T, s *server, results, heard []any) answer {
	t.Helper()
	body, err := json.Marshal(map[string]any{"probe": "p1", "start": storetest.At(1), "results": results, "heard": heard})
	if err != nil {
		t.Fatal(err)
	}
	return s.post(t, string(body))
}

func TestHeardIsStored(t *testing.T) {
	s, heard := listen(t)
	batch := storetest.NewBatch("p1", 1, resultTo("p2", 1))
	batch.Heard = []ippm.Heard{heardFrom("p2"), heardFrom("p3")}
	if got := s.postBatch(t, batch).stored(t); got.Stored != 1 || len(got.Rejected)+len(got.RejectedHeard) > 0 {
		t.Errorf("answer = %+v", got)
	}
	if diff := cmp.Diff(batch.Heard, *heard); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestRejectedHeardCostsNoOther, whoever found it wrong, and is named in order.
func TestRejectedHeardCostsNoOther(t *testing.T) {
	s, heard := listen(t, "rs1")
	change := func(change func(*ippm.Heard)) wire.Heard {
		h := heardFrom("p2")
		change(&h)
		return wire.FromHeard(h)
	}
	got := postHeard(t, s, []any{wire.FromResult(resultTo("p2", 1))}, []any{
		wire.FromHeard(heardFrom("rs1")),
		wire.FromHeard(heardFrom("p2")),
		change(func(h *ippm.Heard) { h.Target = "p3" }),
		change(func(h *ippm.Heard) { h.Length = 0 }),
		wire.FromHeard(heardFrom("p3")),
	}).stored(t)
	var named []string
	for _, r := range got.RejectedHeard {
		named = append(named, r.Source+" to "+r.Target+": "+r.Reason)
	}
	want := []string{
		"rs1 to p1: refused",
		`p2 to p3: target is "p3", but probe "p1" may only report what it heard itself`,
		"p2 to p1: length is 0s; it is more than 0 and at most 24h0m0s",
	}
	if diff := cmp.Diff(want, named); diff != "" {
		t.Errorf("named (-want +got):\n%s", diff)
	}
	if got.Stored != 1 || len(got.Rejected) > 0 || got.RejectedHeard[2].Index != 3 {
		t.Errorf("answer = %+v", got)
	}
	if diff := cmp.Diff([]ippm.Heard{heardFrom("rs1"), heardFrom("p2"), heardFrom("p3")}, *heard); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	s.counts(t, 1, 0, 0) // the metrics count results
}

func TestAllRejectedWithHeard(t *testing.T) {
	s, _ := listen(t)
	others, notHere := wire.FromResult(foreign(1)), heardFrom("p2")
	notHere.Target = "p3"
	errs := postHeard(t, s, []any{others}, []any{wire.FromHeard(notHere)}).isProblem(t, http.StatusUnprocessableEntity, "all 2 results were rejected")
	want := []string{"body.results[0]: " + foreignReason,
		`body.heard[0]: target is "p3", but probe "p1" may only report what it heard itself`}
	if diff := cmp.Diff(want, errs); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := postHeard(t, s, []any{others}, []any{wire.FromHeard(heardFrom("p2"))}).stored(t); got.Stored != 0 || len(got.Rejected) != 1 {
		t.Errorf("answer where something was taken = %+v", got)
	}
}

// TestTooMuchHeard: what was heard is counted with the results.
func TestTooMuchHeard(t *testing.T) {
	s := serve(t, func(c *collect.Collector) { c.MaxResults = 2 })
	batch := storetest.NewBatch("p1", 1, resultTo("p2", 1))
	batch.Heard = []ippm.Heard{heardFrom("p2")}
	s.postBatch(t, batch).stored(t)
	batch.Heard = append(batch.Heard, heardFrom("p3"))
	s.postBatch(t, batch).isProblem(t, http.StatusRequestEntityTooLarge, "too many results in one batch: 3, at most 2")
}
