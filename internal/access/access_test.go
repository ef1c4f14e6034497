package access_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ixpqos/internal/access"
	"ixpqos/internal/collect"
	"ixpqos/internal/inventory"
	"ixpqos/internal/show"
	"ixpqos/internal/store/sqlite"
)

// exchange has a probe with a key and a viewer with one; %s stands for the
// SHA-256 of their keys.
const exchange = `
probes:
  - {name: p1, addresses: [192.0.2.1], key_sha256: [%s]}
  - {name: p2, addresses: [192.0.2.2]}
viewers:
  - {name: noc, key_sha256: [%s]}
tests:
  - {name: ping, kind: icmp, every: 5m}
`

func hashOf(key string) string {
	hash := sha256.Sum256([]byte(key))
	return hex.EncodeToString(hash[:])
}

// server is everything in one process, as ixpqos-server has it, on files.
type server struct {
	*httptest.Server
	api       *access.API
	inventory *inventory.Watched[*inventory.Inventory]
	keys      *inventory.Watched[[]inventory.Key]
	folder    string
	log       *strings.Builder
}

// serve starts a server whose inventory has the keys "probe" and "viewer", and
// whose keys file those that end in "-file". more may register further routes.
func serve(t *testing.T, publicRead bool, more ...func(*access.API)) *server {
	t.Helper()
	s := &server{folder: t.TempDir(), log: &strings.Builder{}}
	s.writeInventory(t, "probe", "viewer")
	s.writeKeys(t, "probe-file", "viewer-file")
	var err error
	if s.inventory, err = inventory.Open(s.path("inventory.yaml")); err != nil {
		t.Fatal(err)
	}
	if s.keys, err = inventory.OpenKeys(s.path("keys.yaml")); err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.Open(t.Context(), s.path("store.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	log := slog.New(slog.NewTextHandler(s.log, nil))
	metrics := access.NewMetrics()
	metrics.FileValid("inventory", true)
	s.api = access.NewAPI("IXPQos", "1.2.3", access.Gate{Inventory: s.inventory.Current, Keys: s.keys.Current, PublicRead: publicRead}, log)
	(&collect.Collector{Inventory: s.inventory.Current, Store: store, Metrics: metrics, Log: log, Now: time.Now,
		MaxBody: collect.DefaultMaxBody, MaxResults: collect.DefaultMaxResults}).Register(s.api)
	(&show.Viewer{Inventory: s.inventory.Current, Store: store, Log: log, Now: time.Now}).Register(s.api)
	s.api.ServeReady(store.Ready)
	s.api.ServeMetrics(metrics)
	for _, register := range more {
		register(s.api)
	}
	s.Server = serveHandler(t, s.api.Handler()).Server
	return s
}

func serveHandler(t *testing.T, handler http.Handler) *server {
	t.Helper()
	s := &server{Server: httptest.NewServer(handler)}
	t.Cleanup(s.Close)
	return s
}

func (s *server) path(name string) string { return filepath.Join(s.folder, name) }

func (s *server) writeInventory(t *testing.T, probe, viewer string) {
	t.Helper()
	write(t, s.path("inventory.yaml"), fmt.Sprintf(exchange, hashOf(probe), hashOf(viewer)))
}

func (s *server) writeKeys(t *testing.T, probe, viewer string) {
	t.Helper()
	write(t, s.path("keys.yaml"), fmt.Sprintf("keys:\n  - {role: probe, name: p2, sha256: %s}\n  - {role: viewer, name: boss, sha256: %s}\n",
		hashOf(probe), hashOf(viewer)))
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

type answer struct {
	*http.Response
	body string
}

// do sends a request and reads the answer; headers are names and values in turn.
func (s *server) do(t *testing.T, method, path string, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
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

func (s *server) status(t *testing.T, path string, headers ...string) int {
	t.Helper()
	return s.do(t, http.MethodGet, path, headers...).StatusCode
}

// isProblem checks for a problem document (RFC 9457) whose detail has want in it.
func (a answer) isProblem(t *testing.T, status int, want string) {
	t.Helper()
	var problem struct {
		Title, Detail string
		Status        int
	}
	if err := json.Unmarshal([]byte(a.body), &problem); err != nil {
		t.Fatalf("%v: %q", err, a.body)
	}
	if kind := a.Header.Get("Content-Type"); a.StatusCode != status || problem.Status != status || kind != "application/problem+json" {
		t.Errorf("status %d, %d in a body of %s; want %d", a.StatusCode, problem.Status, kind, status)
	}
	if problem.Title != http.StatusText(status) || !strings.Contains(problem.Detail, want) {
		t.Errorf("title %q, detail %q; want one with %q", problem.Title, problem.Detail, want)
	}
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

const (
	forProbes  = "/api/v2/config"
	forViewers = "/api/v2/probes"
)

func TestWhoMayDoWhat(t *testing.T) {
	const noKey, wrongKey = "this needs a key: send it in the header X-API-Key", "the key is not accepted"
	viewersKey := func(name string) string {
		return `this key is viewer "` + name + `"'s: it may read, and this needs a probe's; make one by: ixpqos-server key new NAME, and write its sha256 into the inventory`
	}
	probesKey := func(name string) string {
		return `this key is probe "` + name + `"'s: it may report, and this needs a viewer's; make one by: ixpqos-server key new NAME --role viewer, and write its sha256 into the inventory`
	}
	s, open := serve(t, false), serve(t, true)
	for _, c := range []struct {
		name            string
		headers         []string
		probes, viewers string // why not; empty where it is allowed
	}{
		{"no key", nil, noKey, noKey},
		{"an empty key", []string{access.HeaderKey, ""}, noKey, noKey},
		{"a wrong key", []string{access.HeaderKey, "wrong"}, wrongKey, wrongKey},
		{"a hash for a key", []string{access.HeaderKey, hashOf("probe")}, wrongKey, wrongKey},
		{"the key of a probe", []string{access.HeaderKey, "probe"}, "", probesKey("p1")},
		{"the key of a probe in a file of its own", []string{access.HeaderKey, "probe-file"}, "", probesKey("p2")},
		{"the key of a viewer", []string{access.HeaderKey, "viewer"}, viewersKey("noc"), ""},
		{"the key of a viewer in a file of its own", []string{access.HeaderKey, "viewer-file"}, viewersKey("boss"), ""},
		{"a viewer's password", []string{"Authorization", basic("anybody", "viewer")}, noKey, ""},
		{"a viewer's password from a file of its own", []string{"Authorization", basic("", "viewer-file")}, noKey, ""},
		{"a viewer's key as user", []string{"Authorization", basic("viewer", "")}, noKey, noKey},
		{"a wrong password", []string{"Authorization", basic("noc", "wrong")}, noKey, wrongKey},
		{"a probe's key as password", []string{"Authorization", basic("p1", "probe")}, noKey, probesKey("p1")},
		{"a bearer", []string{"Authorization", "Bearer viewer"}, noKey, noKey},
		{"a wrong key and a good password", []string{access.HeaderKey, "wrong", "Authorization", basic("noc", "viewer")}, wrongKey, wrongKey},
	} {
		t.Run(c.name, func(t *testing.T) {
			checkAccess(t, s, forProbes, c.probes, c.headers)
			checkAccess(t, open, forProbes, c.probes, c.headers)
			for _, path := range []string{forViewers, "/", "/metrics", "/api/v2/matrix", "/api/v2/pairs/p1/p2/series"} {
				checkAccess(t, s, path, c.viewers, c.headers)
				checkAccess(t, open, path, "", c.headers)
			}
		})
	}
	for _, secret := range []string{"probe-file", "viewer-file", "wrong"} {
		if log := s.log.String(); strings.Contains(log, secret) {
			t.Errorf("the log has a key: %s", log)
		}
	}
}

// TestARemovedProbeLearnsIt: its key went with its entry, and is none of the
// inventory any more. A probe whose key was replaced is another matter.
func TestARemovedProbeLearnsIt(t *testing.T) {
	s := serve(t, false)
	reload := func() {
		t.Helper()
		if _, err := s.inventory.Reload(); err != nil {
			t.Fatal(err)
		}
	}
	s.writeInventory(t, "another", "viewer")
	reload()
	s.do(t, http.MethodGet, forProbes, access.HeaderKey, "probe").isProblem(t, http.StatusUnauthorized, "the key is not accepted")
	write(t, s.path("inventory.yaml"), "probes:\n  - {name: p9, addresses: [192.0.2.9]}\n  - {name: p8, addresses: [192.0.2.8]}\ntests: [{name: ping, kind: icmp, every: 5m}]\n")
	reload()
	for _, key := range []string{"probe", "another"} {
		s.do(t, http.MethodGet, forProbes, access.HeaderKey, key).isProblem(t, http.StatusForbidden, `probe "p1" is not in the inventory`)
	}
	s.do(t, http.MethodGet, forProbes, access.HeaderKey, "viewer").isProblem(t, http.StatusUnauthorized, "the key is not accepted")
}

func checkAccess(t *testing.T, s *server, path, why string, headers []string) {
	t.Helper()
	got := s.do(t, http.MethodGet, path, headers...)
	switch _, challenged := got.Header["Www-Authenticate"]; {
	case strings.HasPrefix(why, "this key is "): // whose it is is known: no other answer to a challenge would help
		got.isProblem(t, http.StatusForbidden, why)
		if challenged {
			t.Errorf("%s: asks for a key, and has one", path)
		}
	case why != "":
		got.isProblem(t, http.StatusUnauthorized, why)
		if !challenged {
			t.Errorf("%s: does not ask for a key", path)
		}
	case got.StatusCode != http.StatusOK:
		t.Errorf("%s: status %d: %s", path, got.StatusCode, got.body)
	}
}

func TestPageAsksABrowserForTheKey(t *testing.T) {
	s := serve(t, false)
	for _, path := range []string{"/", "/metrics"} {
		got := s.do(t, http.MethodGet, path)
		got.isProblem(t, http.StatusUnauthorized, "needs a key")
		if challenge := got.Header.Get("WWW-Authenticate"); !strings.HasPrefix(challenge, "Basic realm=") {
			t.Errorf("%s: challenge %q", path, challenge)
		}
	}
}

func TestChangedKeysTakeEffectAtOnce(t *testing.T) {
	s := serve(t, false)
	check := func(moment string, want int, keys ...string) {
		t.Helper()
		for i, key := range keys {
			path := []string{forProbes, forViewers}[i%2]
			if got := s.status(t, path, access.HeaderKey, key); got != want {
				t.Errorf("%s: %q at %s: %d; want %d", moment, key, path, got, want)
			}
		}
	}
	check("before", http.StatusUnauthorized, "new-probe", "new-viewer", "new-probe-file", "new-viewer-file")
	s.writeInventory(t, "new-probe", "new-viewer")
	s.writeKeys(t, "new-probe-file", "new-viewer-file")
	check("not reloaded", http.StatusOK, "probe", "viewer", "probe-file", "viewer-file")
	if changed, err := s.inventory.Reload(); !changed || err != nil {
		t.Fatal(changed, err)
	}
	check("inventory reloaded", http.StatusOK, "new-probe", "new-viewer", "probe-file", "viewer-file")
	check("inventory reloaded", http.StatusUnauthorized, "probe", "viewer", "new-probe-file", "new-viewer-file")
	if changed, err := s.keys.Reload(); !changed || err != nil {
		t.Fatal(changed, err)
	}
	check("keys reloaded", http.StatusOK, "new-probe", "new-viewer", "new-probe-file", "new-viewer-file")
	check("keys reloaded", http.StatusUnauthorized, "probe-file", "viewer-file")
}

func TestGateSaysWhoseKeyItIs(t *testing.T) {
	inv := &inventory.Inventory{
		Probes:  []inventory.Probe{{Node: inventory.Node{Name: "p1"}, KeyHashes: [][32]byte{sha256.Sum256([]byte("old")), sha256.Sum256([]byte("new"))}}},
		Viewers: []inventory.Viewer{{Name: "noc", KeyHashes: [][32]byte{sha256.Sum256([]byte("view"))}}},
	}
	gate := access.Gate{Inventory: func() *inventory.Inventory { return inv }} // and no file of keys
	for key, want := range map[string]string{"old": "p1", "new": "p1", "view": "", "": ""} {
		if got, err := gate.Probe(key); got != want || (err == nil) != (want != "") {
			t.Errorf("Probe(%q) = %q, %v; want %q", key, got, err, want)
		}
	}
	if got, err := gate.Viewer("view"); got != "noc" || err != nil {
		t.Errorf("Viewer = %q, %v", got, err)
	}
}

func TestNewKey(t *testing.T) {
	key, hash := access.NewKey()
	if hash != sha256.Sum256([]byte(key)) {
		t.Error("the hash is not the SHA-256 of the key's text")
	}
	bare, prefixed := strings.CutPrefix(key, "ixp_") // so that it is never taken for a hash
	if secret, err := hex.DecodeString(bare); !prefixed || err != nil || len(secret) != 32 {
		t.Errorf("the key %q holds %d bytes, %v; want 32", key, len(secret), err)
	}
	if other, _ := access.NewKey(); other == key {
		t.Error("two keys are the same")
	}
}

// TestKeyWhereItsHashBelongs: an old key looks like a hash, and opens nothing; the
// log says what is wrong, and not the key.
func TestKeyWhereItsHashBelongs(t *testing.T) {
	s := serve(t, false)
	old := strings.Repeat("0123456789abcdef", 4)
	write(t, s.path("inventory.yaml"), fmt.Sprintf(exchange, old, hashOf("viewer")))
	if changed, err := s.inventory.Reload(); !changed || err != nil {
		t.Fatal(changed, err)
	}
	s.do(t, http.MethodGet, forProbes, access.HeaderKey, old).isProblem(t, http.StatusUnauthorized, "the key is not accepted")
	if log := s.log.String(); !strings.Contains(log, "it stands itself where its SHA-256 belongs") || strings.Contains(log, old) {
		t.Errorf("the log is %s", log)
	}
}

// TestProblemsAreBounded: a probe tells them on.
func TestProblemsAreBounded(t *testing.T) {
	s := serve(t, true)
	for _, path := range []string{"/" + strings.Repeat("x", 20_000), forViewers + "?" + strings.Repeat("y", 20_000), forViewers + "?" + strings.Repeat("&a", 9_000)} {
		if got := s.do(t, http.MethodGet, path); len(got.body) > 5_000 || got.StatusCode < 400 {
			t.Errorf("%d, %d bytes: %.200s", got.StatusCode, len(got.body), got.body)
		}
	}
	many := forViewers + "?"
	for i := range 500 {
		many += fmt.Sprintf("&x%d=1", i)
	}
	if got := s.do(t, http.MethodGet, many); !strings.Contains(got.body, "and 400 more") {
		t.Errorf("%d bytes: %.200s", len(got.body), got.body)
	}
}
