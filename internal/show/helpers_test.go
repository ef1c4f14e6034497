package show_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ixpqos/internal/access"
	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
	"ixpqos/internal/show"
	"ixpqos/internal/store/sqlite"
	"ixpqos/internal/store/storetest"
)

// exchange has two probes, one of them with both families, and a target.
const exchange = `
exchange: Example-IX
sites: [{name: rome-1, switches: [sw1]}, {name: rome-2, switches: [sw2]}]
probes:
  - {name: p1, site: rome-1, switch: sw1, addresses: [192.0.2.1, "2001:db8::1"]}
  - {name: p2, site: rome-2, switch: sw2, addresses: [192.0.2.2, "2001:db8::2"], drain: true}
targets:
  - {name: rs1, site: rome-1, switch: sw1, addresses: [192.0.2.250]}
tests:
  - {name: fabric, kind: icmp, every: 10s, count: 2, spacing: 100ms}
  - {name: marked, kind: icmp, every: 5m, dscp: 46, families: [4], targets: [p2]}
`

func parse(t *testing.T, text string) *inventory.Inventory {
	t.Helper()
	inv, err := inventory.ParseYAML("inventory.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

// server shows what a real store holds, to everybody, at a moment that the test chooses.
type server struct {
	*httptest.Server
	inventory *inventory.Inventory
	now       time.Time
	store     *sqlite.Store
	path      string
	log       *bytes.Buffer
}

func serve(t *testing.T, yaml string, change ...func(*show.Viewer)) *server {
	t.Helper()
	s := &server{inventory: parse(t, yaml), now: storetest.At(1), path: filepath.Join(t.TempDir(), "store.db"), log: &bytes.Buffer{}}
	var err error
	s.store, err = sqlite.Open(t.Context(), s.path, sqlite.Options{Now: func() time.Time { return s.now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.store.Close() })
	log := slog.New(slog.NewTextHandler(s.log, nil))
	viewer := &show.Viewer{Inventory: func() *inventory.Inventory { return s.inventory }, Store: s.store, Log: log,
		Now: func() time.Time { return s.now }}
	for _, c := range change {
		c(viewer)
	}
	api := access.NewAPI("", "", access.Gate{PublicRead: true}, log)
	viewer.Register(api)
	s.Server = httptest.NewServer(api.Handler())
	t.Cleanup(s.Close)
	return s
}

// put stores what probes reported, at the present moment of the test.
func (s *server) put(t *testing.T, batches ...ippm.Batch) {
	t.Helper()
	for _, b := range batches {
		if _, err := s.store.Put(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
}

type answer struct {
	*http.Response
	body string
}

func (s *server) get(t *testing.T, path string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response, string(body)}
}

// into decodes a 200.
func (a answer) into(t *testing.T, out any) {
	t.Helper()
	if a.StatusCode != http.StatusOK {
		t.Fatalf("%d: %s", a.StatusCode, a.body)
	}
	if err := json.Unmarshal([]byte(a.body), out); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
}

// isProblem checks for a problem document that says want somewhere.
func (a answer) isProblem(t *testing.T, status int, want string) {
	t.Helper()
	var problem struct {
		Detail string
		Errors []struct{ Message, Location string }
	}
	if err := json.Unmarshal([]byte(a.body), &problem); err != nil {
		t.Fatalf("%d: %v: %q", a.StatusCode, err, a.body)
	}
	said := problem.Detail
	for _, e := range problem.Errors {
		said += "; " + e.Location + ": " + e.Message
	}
	if kind := a.Header.Get("Content-Type"); a.StatusCode != status || kind != "application/problem+json" || !strings.Contains(said, want) {
		t.Errorf("%d, %s: %s; want %d with %q", a.StatusCode, kind, said, status, want)
	}
}

// batch is what a probe reports of an interval, with the peers that it knows.
func batch(probe string, n int, peers []string, results ...ippm.Result) ippm.Batch {
	b := storetest.NewBatch(probe, n, results...)
	b.Peers = peers
	return b
}

func names(list ...string) []string { return list }

// silent is the n-th result of a series of two flows with 40 packets each, of
// which the second got no reply at all.
func silent(series ippm.Series, n int) ippm.Result {
	r := storetest.NewResult(series, n, 40, slices.Repeat([]float64{180}, 40)...)
	r.Flows = []ippm.Flow{
		{Port: 61000, Counts: ippm.Counts{Sent: 40, Received: 40}, Samples: 40, Median: 180, Max: 180, OneWayForward: 90, OneWayBackward: 90},
		{Port: 61001, Counts: ippm.Counts{Sent: 40, Unplaced: 40}, LossyUnplaced: 1<<9 | 1},
	}
	return r
}

// heard is what the target of a silent result says when the second flow's
// packets came to it as often as told.
func heard(r ippm.Result, second int) ippm.Batch {
	h := ippm.Heard{ID: r.ID, Length: r.Length, Flows: []ippm.HeardFlow{{Port: 61000, Heard: 40, Answered: 40}}}
	if second > 0 {
		h.Flows = append(h.Flows, ippm.HeardFlow{Port: 61001, Heard: second, Answered: second})
	}
	return storetest.NewHeardBatch(r.Target, int(r.Start.Sub(storetest.Start)/storetest.Interval), h)
}
