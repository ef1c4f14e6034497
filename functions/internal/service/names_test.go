package service

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"ixpqos/internal/inventory"
)

// TestNamesWithSlashes behind a gateway that decodes the path.
func TestNamesWithSlashes(t *testing.T) {
	inv := &inventory.Inventory{}
	for _, name := range []string{"a/b", "c", "a", "x/y/z", "50%"} {
		inv.Probes = append(inv.Probes, inventory.Probe{Node: inventory.Node{Name: name}})
	}
	for path, want := range map[string]string{
		"/api/v2/pairs/a/b/c/series":        "a/b to c",
		"/api/v2/pairs/c/a/b/flows":         "c to a/b",
		"/api/v2/pairs/x/y/z/a/b/coverage":  "x/y/z to a/b",
		"/api/v2/pairs/a%2Fb/c/series":      "a/b to c", // as it was sent
		"/api/v2/pairs/a/c/series":          "a to c",
		"/api/v2/pairs/50%/a/b/series":      "50% to a/b",
		"/api/v2/pairs/a/nobody/c/series":   "nothing",
		"/api/v1/data/probe/a/b/last":       "last of a/b",
		"/backend/api/v1/data/probe/c/last": "last of c",
	} {
		got := ""
		mux := http.NewServeMux()
		mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) { got = "nothing" })
		for _, what := range []string{"series", "flows", "coverage"} {
			mux.HandleFunc("/api/v2/pairs/{source}/{target}/"+what, func(_ http.ResponseWriter, r *http.Request) {
				got = r.PathValue("source") + " to " + r.PathValue("target")
			})
		}
		for _, prefix := range []string{"", "/backend"} {
			mux.HandleFunc(prefix+"/api/v1/data/probe/{name}/last", func(_ http.ResponseWriter, r *http.Request) { got = "last of " + r.PathValue("name") })
		}
		handler := withNames(func() *inventory.Inventory { return inv }, mux)
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL.Path = path // decoded, as the gateway gives it
		if sent, err := url.PathUnescape(path); err == nil && sent != path {
			r.URL.Path, r.URL.RawPath = sent, path
		}
		handler.ServeHTTP(httptest.NewRecorder(), r)
		if got != want {
			t.Errorf("%s: %s; want %s", path, got, want)
		}
	}
}
