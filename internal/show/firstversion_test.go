package show_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ixpqos/internal/access"
	"ixpqos/internal/inventory"
	"ixpqos/internal/show"
	"ixpqos/internal/store"
	"ixpqos/internal/store/sqlite"
)

// serve is the viewer-facing API over a real socket, and its store.
func serveFirst(t *testing.T) (url string, kept *sqlite.Store) {
	t.Helper()
	kept, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "store.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kept.Close() })
	inv, err := inventory.ParseYAML("inventory.yaml", fmt.Appendf(nil, `
probes:
  - {name: p1, addresses: [192.0.2.1], key_sha256: [%x]}
  - {name: p2, addresses: [192.0.2.2, "2001:db8::2"]}
  - {name: a/b, addresses: [192.0.2.4]}
targets: [{name: rs1, addresses: [192.0.2.250]}]
viewers: [{name: noc, key_sha256: [%x]}]
tests: [{name: ping, kind: icmp, every: 5m}]
`, sha256.Sum256([]byte("key of p1")), sha256.Sum256([]byte("key of noc"))))
	if err != nil {
		t.Fatal(err)
	}
	current := func() *inventory.Inventory { return inv }
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	api := access.NewAPI("test", "1", access.Gate{Inventory: current, PublicRead: true,
		SharedKey: func() [32]byte { return sha256.Sum256([]byte("shared key")) }}, log)
	(&show.Viewer{Inventory: current, Store: kept, Log: log, Now: time.Now}).Register(api)
	server := httptest.NewServer(api.Handler())
	t.Cleanup(server.Close)
	return server.URL, kept
}

func get(t *testing.T, url, key string) (status int, body string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		request.Header.Set("X-API-Key", key)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if kind := response.Header.Get("Content-Type"); kind != "application/json" {
		t.Errorf("%s: the content type is %q", url, kind)
	}
	return response.StatusCode, strings.TrimSpace(string(text))
}

func TestFirstVersionLast(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	rtt := &store.PingRTT{Min: 0.5, Max: 2, Avg: 1.25, Jitter: 0.125}
	url, kept := serveFirst(t)
	if _, err := kept.PutPings(t.Context(), []store.Ping{
		{Source: "p1", Target: "p2", Family: 4, At: at.Add(-time.Minute), Loss: 0.5, RTT: rtt},
		{Source: "p1", Target: "p2", Family: 4, At: at.Add(250 * time.Millisecond), Loss: 0.1, RTT: rtt},
		{Source: "p1", Target: "p2", Family: 6, At: at, Loss: 1},
		{Source: "p1", Target: "rs1", Family: 4, At: at.Add(-time.Hour), Loss: 0, RTT: rtt},
		{Source: "gone", Target: "gone too", Family: 6, At: at, Loss: 0, RTT: rtt},
	}); err != nil {
		t.Fatal(err)
	}
	const numbers = `"ping_min":0.5,"ping_max":2,"ping_avg":1.25,"ping_jitter":0.125,"ping_loss":`
	const lost = `"ping_min":null,"ping_max":null,"ping_avg":null,"ping_jitter":null,"ping_loss":1`
	last := `{"result":{"source":"p1","time":"2026-03-01T12:00:00.25Z","probes":[` +
		`{"name":"p2","proto":4,"address":"192.0.2.2","time":"2026-03-01T12:00:00.25Z","pinged":true,` + numbers + `0.1},` +
		`{"name":"p2","proto":6,"address":"2001:db8::2","time":"2026-03-01T12:00:00Z","pinged":true,` + lost + `},` +
		`{"name":"rs1","proto":4,"address":"192.0.2.250","time":"2026-03-01T11:00:00Z","pinged":true,` + numbers + `0}]}}`
	gone := `{"result":{"source":"gone","time":"2026-03-01T12:00:00Z","probes":[` +
		`{"name":"gone too","proto":6,"address":null,"time":"2026-03-01T12:00:00Z","pinged":true,` + numbers + `0}]}}`
	unknown := func(name string) string {
		return fmt.Sprintf(`{"error":"nothing is known of a probe \"%s\"; /api/v1/conf/probes has the names"}`, name)
	}
	for _, c := range []struct {
		name, probe, key string
		status           int
		want             string
	}{
		{"the shared key", "p1", "shared key", 200, last},
		{"a viewer's key", "p1", "key of noc", 200, last},
		{"its own key", "p1", "key of p1", 200, last},
		{"another probe's key", "p2", "key of p1", 403, `{"error":"this key is probe \"p1\"'s: it cannot read what \"p2\" measured"}`},
		{"no key, also where everybody may read", "p1", "", 400, `{"error":"Please provide an API key"}`},
		{"a wrong key", "p1", "wrong", 403, `{"error":"The provided API key is not valid"}`},
		{"nothing measured yet", "p2", "shared key", 200, `{"result":null}`},
		{"a name with a slash", "a%2Fb", "shared key", 200, `{"result":null}`},
		{"not in the inventory, but measured", "gone", "shared key", 200, gone},
		{"a target", "rs1", "shared key", 404, unknown("rs1")},
		{"unknown", "p9", "shared key", 404, unknown("p9")},
	} {
		for _, prefix := range []string{"", "/backend"} {
			status, body := get(t, url+prefix+"/api/v1/data/probe/"+c.probe+"/last", c.key)
			if status != c.status || body != c.want {
				t.Errorf("%s: got %d %s\nwant %d %s", c.name, status, body, c.status, c.want)
			}
		}
	}
	if err := kept.Close(); err != nil {
		t.Fatal(err)
	}
	status, body := get(t, url+"/api/v1/data/probe/p1/last", "shared key")
	if want := `{"error":"the store cannot be read now; the server's log says why"}`; status != 503 || body != want {
		t.Errorf("without a store: %d %s", status, body)
	}
}
