package collect_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ixpqos/internal/access"
	"ixpqos/internal/collect"
	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
	"ixpqos/internal/store/storetest"
	"ixpqos/internal/wire"
)

func resultTo(target string, n int) ippm.Result {
	return storetest.NewResult(storetest.Pair("p1", target), n, 1, 200, 300)
}

// foreign is a result that p1 may not post: it is another's.
func foreign(n int) ippm.Result {
	return storetest.NewResult(storetest.Pair("p9", "p2"), n, 1, 200, 300)
}

const foreignReason = `source is "p9", but probe "p1" may only report what it measured itself`

func TestBatchIsStored(t *testing.T) {
	s := serve(t)
	batch := storetest.NewBatch("p1", 1, resultTo("p2", 1), resultTo("rs1", 1), storetest.NewResult(storetest.Pair("p1", "p3"), 1, 10))
	batch.Health.Troubles, batch.Health.Waiting = []string{"the disk is full"}, 7
	for range 2 { // the same again: its answer may have been lost
		got := s.postBatch(t, batch)
		if want := `{"stored":3,"rejected":[]}`; strings.TrimSpace(got.body) != want || got.StatusCode != http.StatusOK {
			t.Errorf("%d, %s; want %s", got.StatusCode, got.body, want)
		}
		s.holds(t, batch.Results[0], batch.Results[2], batch.Results[1])
		s.reported(t, batch)
	}
}

func TestBatchWithoutResultsIsAReport(t *testing.T) {
	s := serve(t)
	batch := storetest.NewBatch("p1", 1)
	if got := s.postBatch(t, batch).stored(t); got.Stored != 0 || len(got.Rejected) != 0 {
		t.Errorf("%+v", got)
	}
	s.reported(t, batch)
}

func TestAnyContentTypeIsTaken(t *testing.T) {
	for _, kind := range []string{"application/json", "application/json; charset=utf-8", "application/x-www-form-urlencoded", "text/plain", "nonsense"} {
		t.Run(kind, func(t *testing.T) {
			s := serve(t)
			batch := storetest.NewBatch("p1", 1, resultTo("p2", 1))
			s.post(t, encode(t, batch), "Content-Type", kind, "Accept", "text/html").stored(t)
			s.holds(t, batch.Results...)
		})
	}
}

// TestBatchThatIsRefused leaves nothing behind.
func TestBatchThatIsRefused(t *testing.T) {
	batch := func(change func(*ippm.Batch)) string {
		b := storetest.NewBatch("p1", 1, resultTo("p2", 1))
		change(&b)
		return encode(t, b)
	}
	good := batch(func(*ippm.Batch) {})
	for _, c := range []struct {
		name, body string
		headers    []string
		status     int
		want       string
	}{
		{"another's name", batch(func(b *ippm.Batch) { b.Probe = "p2" }), nil, http.StatusForbidden, `this key is probe "p1"'s: it cannot report as "p2"`},
		{"nobody's name", batch(func(b *ippm.Batch) { b.Probe = "" }), nil, http.StatusForbidden, `cannot report as ""`},
		{"a long name", batch(func(b *ippm.Batch) { b.Probe = strings.Repeat("x", 1e5) }), nil, http.StatusForbidden, `cannot report as "xxx`},
		{"no JSON", "probe=p1", nil, http.StatusBadRequest, "the body is not a batch: invalid character 'p'"},
		{"nothing", "", nil, http.StatusBadRequest, "request body is required"},
		{"null", "null", nil, http.StatusBadRequest, "a JSON null is not what belongs here"},
		{"no object", "[]", nil, http.StatusBadRequest, "a JSON array is not what belongs here"},
		{"cut", good[:len(good)-9], nil, http.StatusBadRequest, "unexpected end of JSON input"},
		{"gzip", "\x1f\x8b", []string{"Content-Encoding", "gzip"}, http.StatusUnsupportedMediaType, `Content-Encoding "gzip" is not taken: send plain JSON`},
		{"no start", batch(func(b *ippm.Batch) { b.Start = time.Time{} }), nil, http.StatusUnprocessableEntity, "start is missing or no time of a measurement"},
		{"no start that can be", batch(func(b *ippm.Batch) { b.Start = now.AddDate(5000, 0, 0) }), nil, http.StatusUnprocessableEntity, "no time of a measurement"},
		{"peers without end", batch(func(b *ippm.Batch) { b.Peers = make([]string, 10_001) }), nil, http.StatusUnprocessableEntity, "10001 peers are more than the 10000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t)
			got := s.post(t, c.body, c.headers...)
			got.isProblem(t, c.status, c.want)
			if len(got.body) > 1000 {
				t.Errorf("the answer has %d bytes", len(got.body))
			}
			s.holds(t)
			s.reported(t)
		})
	}
}

func TestIdentityIsNoEncoding(t *testing.T) {
	s := serve(t)
	s.post(t, encode(t, storetest.NewBatch("p1", 1)), "Content-Encoding", "identity").stored(t)
}

func TestClockThatIsALittleAhead(t *testing.T) {
	s := serve(t)
	batch := storetest.NewBatch("p1", 10, resultTo("p2", 10))
	batch.Start, batch.Results[0].Start = now.Add(5*time.Minute), now.Add(5*time.Minute)
	s.postBatch(t, batch).stored(t)
	s.holds(t, batch.Results...)
}

func TestBodyThatIsTooLarge(t *testing.T) {
	batch := storetest.NewBatch("p1", 1, resultTo("p2", 1))
	body := encode(t, batch)
	for _, c := range []struct {
		name string
		max  int
		ok   bool
	}{{"just fits", len(body), true}, {"a byte more", len(body) - 1, false}, {"much more", 10, false}} {
		for how, reader := range map[string]io.Reader{
			"with its length":    strings.NewReader(body),
			"without its length": io.MultiReader(strings.NewReader(body)), // the client cannot tell its length: chunks
		} {
			t.Run(c.name+" "+how, func(t *testing.T) {
				s := serve(t, func(c2 *collect.Collector) { c2.MaxBody = int64(c.max) })
				got := s.do(t, http.MethodPost, "/api/v2/results", "key-1", reader)
				if c.ok {
					got.stored(t)
					s.holds(t, batch.Results...)
					return
				}
				got.isProblem(t, http.StatusRequestEntityTooLarge, "request body is too large")
				s.holds(t)
			})
		}
	}
}

func TestTooManyResults(t *testing.T) {
	s := serve(t, func(c *collect.Collector) { c.MaxResults = 2 })
	batch := storetest.NewBatch("p1", 1, resultTo("p2", 1), resultTo("p3", 1), resultTo("rs1", 1))
	s.postBatch(t, batch).isProblem(t, http.StatusRequestEntityTooLarge, "too many results in one batch: 3, at most 2")
	s.holds(t)
	batch.Results = batch.Results[:2]
	s.postBatch(t, batch).stored(t)
	s.holds(t, batch.Results...)
}

// TestSlowUploadHasAsLongAsTheServerGives: huma's own 5 s are too few for a
// full batch on a thin line, which would be sent again for ever.
func TestSlowUploadHasAsLongAsTheServerGives(t *testing.T) {
	api := access.NewAPI("", "", access.Gate{}, nil)
	(&collect.Collector{Inventory: func() *inventory.Inventory { return &inventory.Inventory{} }}).Register(api)
	if got := api.OpenAPI().Paths["/api/v2/results"].Post.BodyReadTimeout; got != time.Minute {
		t.Errorf("a body may take %v; want 1m", got)
	}
}

// raw is a posted batch of p1 whose results are anything.
func raw(t *testing.T, results ...any) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{"probe": "p1", "start": storetest.At(1), "peers": []string{"p2"}, "inventory": "4f1d", "results": results})
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// TestResultsOfATargetThatWent: an operator who removes a target must find
// nothing set aside at the probes that had measured it until then.
func TestResultsOfATargetThatWent(t *testing.T) {
	s := serve(t)
	rs1 := resultTo("rs1", 1)
	without := *s.inventory
	without.Targets = nil
	s.inventory = &without
	batch := storetest.NewBatch("p1", 1, rs1)
	if got := s.postBatch(t, batch).stored(t); got.Stored != 1 || len(got.Rejected) != 0 {
		t.Errorf("answer = %+v", got)
	}
	s.holds(t, rs1)
}

func TestRejectedResultCostsNoOther(t *testing.T) {
	change := func(change func(*ippm.Result)) wire.Result {
		r := resultTo("p2", 2)
		change(&r)
		return wire.FromResult(r)
	}
	for _, c := range []struct {
		name, reason string
		bad          any
	}{
		{"unknown source", `source is "p9", but probe "p1" may only report what it measured itself`, change(func(r *ippm.Result) { r.Source = "p9" })},
		{"another's source", `source is "p3", but probe "p1" may only report`, change(func(r *ippm.Result) { r.Source = "p3" })},
		{"negative loss", "lost_unplaced is -1; it cannot be negative", change(func(r *ippm.Result) { r.Unplaced = -1 })},
		{"loss that does not add up", "sent is 3, but", change(func(r *ippm.Result) { r.Unplaced = 2 })},
		{"wrong type", "a JSON string is not what belongs here", "result"},
		{"a start that UTC cannot hold", "that is no time of a measurement", map[string]any{"source": "p1", "target": "p2", "test": "ping", "kind": "icmp",
			"family": 4, "length_s": 10, "start": "9999-12-31T23:59:59-23:59"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t)
			first, last := resultTo("p2", 1), resultTo("rs1", 1)
			got := s.post(t, raw(t, wire.FromResult(first), c.bad, wire.FromResult(last))).stored(t)
			if got.Stored != 2 || len(got.Rejected) != 1 || got.Rejected[0].Index != 1 || !strings.Contains(got.Rejected[0].Reason, c.reason) {
				t.Errorf("%+v; want result 1 rejected with %q", got, c.reason)
			}
			s.holds(t, first, last)
			s.counts(t, 2, 1, 0)
		})
	}
}

// TestRejectedAreNamedInOrder, whoever found them wrong.
func TestRejectedAreNamedInOrder(t *testing.T) {
	s := serve(t)
	others := wire.FromResult(foreign(1))
	got := s.post(t, raw(t, others, 1, wire.FromResult(resultTo("p2", 1)), 2, others)).stored(t)
	var places []int
	for _, r := range got.Rejected {
		places = append(places, r.Index)
	}
	if diff := cmp.Diff([]int{0, 1, 3, 4}, places); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if r := got.Rejected[0]; r.Source != "p9" || r.Target != "p2" || r.Test != "fabric" || r.Family != 4 || r.Start == nil || !r.Start.Equal(storetest.At(1)) {
		t.Errorf("named as %+v", r)
	}
}

// refusing is a store that refuses what goes to some targets.
type refusing struct {
	store.Writer
	targets map[string]bool
}

func (r refusing) Put(_ context.Context, batch ippm.Batch) (refused []store.Rejected, err error) {
	for _, result := range batch.Results {
		if r.targets[result.Target] {
			refused = append(refused, store.Rejected{ID: result.ID, Reason: "refused"})
		}
	}
	return refused, nil
}

// TestRefusedTwice: of a result that stands there twice each is named.
func TestRefusedTwice(t *testing.T) {
	s := serve(t, func(c *collect.Collector) { c.Store = refusing{c.Store, map[string]bool{"p2": true}} })
	got := s.postBatch(t, storetest.NewBatch("p1", 1, resultTo("p2", 1), resultTo("p3", 1), foreign(1), resultTo("p2", 1))).stored(t)
	var places []string
	for _, r := range got.Rejected {
		places = append(places, fmt.Sprint(r.Index, " ", r.Source))
	}
	if diff := cmp.Diff([]string{"0 p1", "2 p9", "3 p1"}, places); diff != "" || got.Stored != 1 {
		t.Errorf("%d stored (-want +got):\n%s", got.Stored, diff)
	}
	s.counts(t, 1, 3, 0)
}

func TestAllRejected(t *testing.T) {
	s := serve(t)
	got := s.post(t, raw(t, wire.FromResult(foreign(1)), nil))
	errs := got.isProblem(t, http.StatusUnprocessableEntity, "all 2 results were rejected")
	want := []string{"body.results[0]: " + foreignReason, "body.results[1]: a JSON null is not what belongs here"}
	if diff := cmp.Diff(want, errs); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s.holds(t)
	s.reported(t, ippm.Batch{Probe: "p1", Inventory: "4f1d", Peers: []string{"p2"}, Start: storetest.At(1)}) // it still says how its probe is
	s.counts(t, 0, 2, 0)
}

// counts checks what the metrics say.
func (s *server) counts(t *testing.T, stored, rejected, unavailable int) {
	t.Helper()
	api := access.NewAPI("", "", access.Gate{PublicRead: true}, nil)
	api.ServeMetrics(s.metrics)
	text := get(api.Handler(), "/metrics")
	for outcome, n := range map[string]int{"stored": stored, "rejected": rejected, "unavailable": unavailable} {
		want := fmt.Sprintf("ixpqos_results_total{outcome=%q} %d\n", outcome, n)
		none := n == 0 && !strings.Contains(text, fmt.Sprintf("outcome=%q", outcome))
		if !none && !strings.Contains(text, want) {
			t.Errorf("the metrics do not say %q", want)
		}
	}
}

// TestWordsOfAProbeAreBounded: the rest of the batch counts all the same.
func TestWordsOfAProbeAreBounded(t *testing.T) {
	s := serve(t)
	batch := storetest.NewBatch("p1", 1)
	batch.Inventory, batch.Health.Version = strings.Repeat("é", 3000), strings.Repeat("v", 3000)
	batch.Peers, batch.Views = []string{"p2", "", "a\nb", strings.Repeat("x", 64), "p3"}, []uint32{2, 0, 1, 0, 3}
	for i := range 30 {
		batch.Health.Troubles = append(batch.Health.Troubles, fmt.Sprint(i, strings.Repeat("é", 3000)))
	}
	s.postBatch(t, batch).stored(t)
	reports, err := s.store.Reports(t.Context(), now)
	if err != nil || len(reports) != 1 {
		t.Fatal(reports, err)
	}
	got := reports[0]
	if diff := cmp.Diff([]uint32{2, 3}, got.Views); diff != "" {
		t.Errorf("views (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"p2", "p3"}, got.Peers); diff != "" {
		t.Errorf("peers (-want +got):\n%s", diff)
	}
	if len(got.Health.Troubles) != 20 {
		t.Errorf("%d troubles", len(got.Health.Troubles))
	}
	for what, word := range map[string]string{"trouble": got.Health.Troubles[19], "inventory": got.Inventory, "version": got.Health.Version} {
		if len(word) > 1000 || strings.ToValidUTF8(word, "?") != word {
			t.Errorf("the %s has %d bytes, or half a letter", what, len(word))
		}
	}
}

func TestStoreIsAway(t *testing.T) {
	for name, begin := range map[string]func(t *testing.T, path string) (end func()){
		"locked by another process": lock,
		"moved away": func(t *testing.T, path string) func() {
			move(t, path, path+".away")
			return func() { move(t, path+".away", path) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t)
			batch := storetest.NewBatch("p1", 1, resultTo("p2", 1), foreign(1), resultTo("rs1", 1))
			end := begin(t, s.path)
			for range 2 {
				got := s.postBatch(t, batch)
				got.isProblem(t, http.StatusServiceUnavailable, "the store cannot take results now; send them again later")
				if got.Header.Get("Retry-After") != "5" || strings.Contains(got.body, s.path) {
					t.Errorf("Retry-After is %q, body %s", got.Header.Get("Retry-After"), got.body)
				}
			}
			end()
			s.holds(t)
			s.reported(t)
			s.counts(t, 0, 0, 4)
			if !strings.Contains(s.log.String(), s.path) {
				t.Errorf("the log does not name the file: %s", s.log)
			}
			if got := s.postBatch(t, batch).stored(t); got.Stored != 2 || len(got.Rejected) != 1 {
				t.Errorf("afterwards %+v", got)
			}
			s.holds(t, batch.Results[0], batch.Results[2])
		})
	}
}

func move(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Error(err)
	}
}
