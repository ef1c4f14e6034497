package access_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ixpqos/internal/access"
	"ixpqos/internal/inventory"
)

func TestWhatTheRouterRefuses(t *testing.T) {
	s := serve(t, true)
	for _, c := range []struct {
		method, path string
		status       int
		allow, want  string
	}{
		{http.MethodGet, "/nothing", http.StatusNotFound, "", "there is nothing at /nothing; /openapi.json lists what there is"},
		{http.MethodGet, "/api/v2", http.StatusNotFound, "", "there is nothing at /api/v2"},
		{http.MethodPost, "/%3Cb%3E", http.StatusNotFound, "", "there is nothing at /<b>"},
		{http.MethodGet, "/api/v2/results", http.StatusMethodNotAllowed, "POST", "/api/v2/results does not take GET but POST"},
		{http.MethodPost, "/api/v2/matrix", http.StatusMethodNotAllowed, "GET, HEAD", "/api/v2/matrix does not take POST but GET, HEAD"},
		{http.MethodDelete, "/", http.StatusMethodNotAllowed, "GET, HEAD", "/ does not take DELETE"},
		{http.MethodPut, "/metrics", http.StatusMethodNotAllowed, "GET, HEAD", "/metrics does not take PUT"},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			got := s.do(t, c.method, c.path)
			got.isProblem(t, c.status, c.want)
			if allow := got.Header.Get("Allow"); allow != c.allow {
				t.Errorf("Allow is %q; want %q", allow, c.allow)
			}
			if got.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Error("the browser may guess what it is")
			}
		})
	}
}

// TestUnknownQueryParameters: a mistyped one would be passed over, and the answer
// be about something else than was asked for.
func TestUnknownQueryParameters(t *testing.T) {
	s := serve(t, false)
	for path, want := range map[string]string{
		"/api/v2/pairs/p1/p2/series?form=2026-11-24T10:00:00Z": "query.form: unknown parameter; known are dscp, family, from, test, until",
		"/api/v2/pairs/p1/p2/flows?Test=a&zzz&test=b":          "query.Test: unknown parameter; known are dscp, family, from, test, until; query.zzz: unknown",
		"/api/v2/pairs/p1/p2/coverage?test=a":                  "query.test: unknown parameter; there are none here",
		"/api/v2/matrix?from=2026-11-24T10:00:00Z":             "query.from: unknown parameter; known are at, dscp, family, site, source, target, test",
		"/api/v2/pairs/p1/p2/series?from=a;until=b":            "query: invalid semicolon separator in query",
		"/api/v2/links?test=a":                                 "query.test: unknown parameter; there are none here",
		"/api/v2/probes?X-API-Key=viewer":                      "query.X-API-Key: unknown parameter; there are none here",
	} {
		// Who may not read learns nothing of what there is.
		s.do(t, http.MethodGet, path).isProblem(t, http.StatusUnauthorized, "this needs a key")
		got := s.do(t, http.MethodGet, path, access.HeaderKey, "viewer")
		got.isProblem(t, http.StatusUnprocessableEntity, "validation failed")
		var problem struct {
			Errors []struct{ Location, Message string }
		}
		if err := json.Unmarshal([]byte(got.body), &problem); err != nil {
			t.Fatal(err)
		}
		said := []string{}
		for _, e := range problem.Errors {
			said = append(said, e.Location+": "+e.Message)
		}
		if all := strings.Join(said, "; "); !strings.HasPrefix(all, want) {
			t.Errorf("%s: %s; want %s", path, all, want)
		}
	}
	// A newer probe may say more than this server knows, and the first version's
	// clients and the page are as they were.
	for path, key := range map[string]string{forProbes + "?probe=p1&newer=1": "probe", "/api/v1/data/probe/p1/last?x=1": "viewer", "/?x=1": "viewer"} {
		if got := s.do(t, http.MethodGet, path, access.HeaderKey, key); got.StatusCode != http.StatusOK && got.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d, %s", path, got.StatusCode, got.body)
		}
	}
}

func TestPanicOfAHandler(t *testing.T) {
	s := serve(t, true, func(api *access.API) {
		api.Mux.HandleFunc("GET /broken", func(http.ResponseWriter, *http.Request) { panic("no map") })
		api.Mux.HandleFunc("GET /gone", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusOK)
			panic(http.ErrAbortHandler)
		})
	})
	got := s.do(t, http.MethodGet, "/broken")
	got.isProblem(t, http.StatusInternalServerError, "this is a defect of the server")
	if strings.Contains(got.body, "no map") {
		t.Errorf("the client learns what is inside: %s", got.body)
	}
	s.healthy(t)
	if log := s.log.String(); !strings.Contains(log, "no map") || !strings.Contains(log, "/broken") {
		t.Errorf("the log is %q", log)
	}
	// Whoever aborts must not look as if all had been sent.
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/gone", nil)
	if err != nil {
		t.Fatal(err)
	}
	if response, err := s.Client().Do(r); err == nil {
		response.Body.Close()
		t.Errorf("an aborted answer ended well: %d", response.StatusCode)
	}
	s.healthy(t)
}

func (s *server) healthy(t *testing.T) {
	t.Helper()
	if got := s.do(t, http.MethodGet, "/healthz"); got.StatusCode != http.StatusOK || got.body != "{\"status\":\"ok\"}\n" {
		t.Errorf("health: %d, %q", got.StatusCode, got.body)
	}
}

type document struct {
	OpenAPI string
	Info    struct{ Title, Version string }
	Paths   map[string]map[string]struct {
		Security  []map[string][]string
		Responses map[string]any
	}
	Components struct {
		SecuritySchemes map[string]struct{ Type, In, Name, Scheme string }
		Schemas         map[string]struct {
			Required             []string
			AdditionalProperties *bool
			Properties           map[string]struct {
				Type  any
				Items struct{ Type any }
			}
		}
	}
}

// TestOpenAPI is also the test that everything can be registered together.
func TestOpenAPI(t *testing.T) {
	s := serve(t, false) // a document for everybody, all the same
	got := s.do(t, http.MethodGet, "/openapi.json")
	if kind := got.Header.Get("Content-Type"); got.StatusCode != http.StatusOK || kind != "application/json" {
		t.Fatalf("%d, %s", got.StatusCode, kind)
	}
	var doc document
	if err := json.Unmarshal([]byte(got.body), &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") || doc.Info.Title != "IXPQos" || doc.Info.Version != "1.2.3" {
		t.Errorf("OpenAPI %q, %+v", doc.OpenAPI, doc.Info)
	}
	security := map[string][]string{}
	for path, operations := range doc.Paths {
		for method, operation := range operations {
			schemes := []string{}
			for _, alternative := range operation.Security {
				for scheme := range alternative {
					if _, ok := doc.Components.SecuritySchemes[scheme]; !ok {
						t.Errorf("%s needs %s, which is not described", path, scheme)
					}
					schemes = append(schemes, scheme)
				}
			}
			if _, told := operation.Responses["422"]; !told && slices.Contains(schemes, "viewerKey") && path != "/metrics" {
				t.Errorf("%s does not tell that parameters may be wrong", path)
			}
			slices.Sort(schemes)
			security[method+" "+path] = schemes
		}
	}
	viewer := []string{"viewerBasic", "viewerKey"}
	want := map[string][]string{
		"post /api/v2/results":                         {"probeKey"},
		"get /api/v2/config":                           {"probeKey"},
		"get /api/v2/matrix":                           viewer,
		"get /api/v2/pairs/{source}/{target}/series":   viewer,
		"get /api/v2/pairs/{source}/{target}/flows":    viewer,
		"get /api/v2/pairs/{source}/{target}/coverage": viewer,
		"get /api/v2/links":                            viewer,
		"get /api/v2/probes":                           viewer,
		"get /metrics":                                 viewer,
		"get /healthz":                                 {},
		"get /readyz":                                  {},
	}
	if diff := cmp.Diff(want, security); diff != "" {
		t.Errorf("operations and their keys (-want +got):\n%s", diff)
	}
	checkPosted(t, doc)
	if families := doc.Components.Schemas["Test"].Properties["families"]; families.Items.Type != "integer" {
		t.Errorf("families are described as %+v", families)
	}
}

// checkPosted: nobody who goes by the document must think that a result needs
// what is derived from it, or that a further field is an error.
func checkPosted(t *testing.T, doc document) {
	t.Helper()
	for name, required := range map[string][]string{
		"Batch":  {"probe", "inventory", "peers", "start", "health", "results"},
		"Result": {"source", "target", "test", "kind", "family", "dscp", "start", "length_s", "sent", "received"},
	} {
		schema := doc.Components.Schemas[name]
		if diff := cmp.Diff(required, schema.Required); diff != "" {
			t.Errorf("a %s requires (-want +got):\n%s", name, diff)
		}
		if further := schema.AdditionalProperties; further != nil && !*further {
			t.Errorf("a %s may have no further fields", name)
		}
	}
}

// TestConcurrentFirstDocument is for the race detector: the document is made at
// the first request.
func TestConcurrentFirstDocument(t *testing.T) {
	s := serve(t, false)
	bodies := make([]string, 8)
	var asking sync.WaitGroup
	for i := range bodies {
		asking.Go(func() {
			response, err := s.Client().Get(s.URL + "/openapi.json")
			if err != nil {
				t.Error(err)
				return
			}
			defer response.Body.Close()
			var text json.RawMessage
			if err := json.NewDecoder(response.Body).Decode(&text); err != nil {
				t.Error(err)
			}
			bodies[i] = string(text)
		})
	}
	asking.Wait()
	for _, body := range bodies {
		if body != bodies[0] {
			t.Error("two documents differ")
		}
	}
}

func TestReady(t *testing.T) {
	s := serve(t, false)
	if got := s.do(t, http.MethodGet, "/readyz"); got.StatusCode != http.StatusOK || got.body != "{\"status\":\"ready\"}\n" {
		t.Errorf("%d, %q", got.StatusCode, got.body)
	}
	move(t, s.path("store.db"), s.path("away.db"))
	const why = "the file was moved or replaced: put it back, or restart"
	s.do(t, http.MethodGet, "/readyz", access.HeaderKey, "viewer").isProblem(t, http.StatusServiceUnavailable, why)
	for _, key := range []string{"", "nobody's", "probe"} {
		got := s.do(t, http.MethodGet, "/readyz", access.HeaderKey, key)
		got.isProblem(t, http.StatusServiceUnavailable, "not ready: who has a viewer's key is told why")
		if strings.Contains(got.body, why) || strings.Contains(got.body, s.folder) {
			t.Errorf("everybody learns %s", got.body)
		}
	}
	s.healthy(t) // the process is fine
	move(t, s.path("away.db"), s.path("store.db"))
	if got := s.status(t, "/readyz"); got != http.StatusOK {
		t.Errorf("afterwards %d", got)
	}
}

func move(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// TestReadyNamesTheFirstThatIsNot: the checks behind it are not made.
func TestReadyNamesTheFirstThatIsNot(t *testing.T) {
	viewers := []inventory.Key{{Role: inventory.RoleViewer, Name: "noc", Hash: sha256.Sum256([]byte("viewer"))}}
	api := access.NewAPI("", "", access.Gate{Inventory: func() *inventory.Inventory { return &inventory.Inventory{} },
		Keys: func() []inventory.Key { return viewers }, PublicRead: true}, nil)
	bounded := false
	api.ServeReady(
		func(ctx context.Context) error { _, bounded = ctx.Deadline(); return nil },
		func(context.Context) error { return errors.New("no bread") },
		func(context.Context) error { t.Error("a check after the one that failed"); return nil })
	s := serveHandler(t, api.Handler())
	s.do(t, http.MethodGet, "/readyz", access.HeaderKey, "viewer").isProblem(t, http.StatusServiceUnavailable, "not ready: no bread")
	if got := s.do(t, http.MethodGet, "/readyz"); strings.Contains(got.body, "bread") { // where everybody may read too
		t.Errorf("everybody learns %s", got.body)
	}
	if !bounded {
		t.Error("a check may take for ever")
	}
}

func TestMetrics(t *testing.T) {
	s := serve(t, false)
	got := s.do(t, http.MethodGet, "/metrics", access.HeaderKey, "viewer")
	for _, want := range []string{`ixpqos_file_valid{file="inventory"} 1`, "go_goroutines "} {
		if !strings.Contains(got.body, want) {
			t.Errorf("there is no %q in:\n%s", want, got.body)
		}
	}
	metrics := access.NewMetrics()
	metrics.Stored(3)
	metrics.Rejected(2)
	metrics.Unavailable(1)
	metrics.FileValid("keys", true)
	metrics.FileValid("keys", false)
	api := access.NewAPI("", "", access.Gate{PublicRead: true}, nil)
	api.ServeMetrics(metrics)
	got = serveHandler(t, api.Handler()).do(t, http.MethodGet, "/metrics")
	for _, want := range []string{`ixpqos_results_total{outcome="stored"} 3`, `ixpqos_results_total{outcome="rejected"} 2`,
		`ixpqos_results_total{outcome="unavailable"} 1`, `ixpqos_file_valid{file="keys"} 0`} {
		if !strings.Contains(got.body, want) {
			t.Errorf("there is no %q in:\n%s", want, got.body)
		}
	}
}
