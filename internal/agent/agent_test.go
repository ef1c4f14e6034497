package agent

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ixpqos/infra/needs"
	"ixpqos/internal/inventory"
	"ixpqos/internal/wire"
)

var discard = slog.New(slog.DiscardHandler)

func testPart(version string) inventory.Part {
	test := defaultTest
	test.Name, test.Every, test.Count, test.Spacing = "ping", 10*time.Second, 2, 20*time.Millisecond
	return inventory.Part{Probe: "p1", Inventory: version, ReflectorPort: inventory.DefaultReflectorPort, Tests: []inventory.Test{test},
		Addresses: []inventory.Address{{Family: 4, Host: "127.0.0.1"}},
		Peers: []inventory.Peer{
			{Name: "p2", Addresses: []inventory.Address{{Family: 4, Host: "127.0.0.2"}}, ReflectorPort: inventory.DefaultReflectorPort},
			{Name: "p3", Addresses: []inventory.Address{{Family: 4, Host: "127.0.0.3"}, {Family: 6, Host: "2001:db8::3"}}, ReflectorPort: inventory.DefaultReflectorPort},
		}}
}

// server is an API that gives one configuration, and counts how often it did.
type server struct {
	*httptest.Server
	mu     sync.Mutex
	body   string
	status int
	given  int
}

func newServer(t *testing.T, body string) *server {
	s := &server{body: body, status: http.StatusOK}
	s.Server = httptest.NewServer(http.HandlerFunc(s.answer))
	t.Cleanup(s.Close)
	return s
}

func (s *server) answer(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	etag := `"` + s.body[:min(len(s.body), 60)] + `"`
	switch {
	case r.URL.Path == "/healthz":
	case r.Header.Get("X-API-Key") != "secret" || r.URL.Query().Get("probe") != "p1":
		w.WriteHeader(http.StatusUnauthorized)
	case s.status != http.StatusOK:
		w.WriteHeader(s.status)
		io.WriteString(w, `{"detail":"as told"}`)
	case r.Header.Get("If-None-Match") == etag:
		w.WriteHeader(http.StatusNotModified)
	default:
		s.given++
		w.Header().Set("ETag", etag)
		io.WriteString(w, s.body)
	}
}

func (s *server) set(body string, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.body, s.status = body, status
}

func configOf(t *testing.T, part inventory.Part) string {
	t.Helper()
	body, err := json.Marshal(wire.FromPart(part))
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func settings(t *testing.T, url string) Settings {
	t.Helper()
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	if err := os.WriteFile(key, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return Settings{Name: "p1", Server: url, KeyFile: key, State: dir, Version: "test"}
}

type taken struct{ parts []inventory.Part }

func newPuller(t *testing.T, s Settings) (*puller, *taken) {
	t.Helper()
	api, err := newAPI(s, discard)
	if err != nil {
		t.Fatal(err)
	}
	got := &taken{}
	p := &puller{api: api, file: s.configFile(), log: discard, board: newBoard(func(string, string) {}),
		parts: make(chan inventory.Part, 10), taking: func(inventory.Part) {},
		taken: func(_ context.Context, part inventory.Part) error { got.parts = append(got.parts, part); return nil }}
	return p, got
}

func (p *puller) troubles() string {
	list, _ := p.board.list()
	return strings.Join(list, "\n")
}

func TestPullTakesUpWhatChanged(t *testing.T) {
	api := newServer(t, configOf(t, testPart("v1")))
	p, got := newPuller(t, settings(t, api.URL))
	for range 3 {
		p.pull(t.Context())
	}
	if api.given != 1 || len(got.parts) != 1 {
		t.Errorf("the configuration was given %d times and taken up %d times; want once", api.given, len(got.parts))
	}
	api.set(configOf(t, testPart("v2")), http.StatusOK)
	p.pull(t.Context())
	if len(got.parts) != 2 {
		t.Fatalf("taken up %d times", len(got.parts))
	}
	if diff := cmp.Diff(testPart("v2"), got.parts[1]); diff != "" {
		t.Errorf("part (-want +got):\n%s", diff)
	}
	if p.troubles() != "" {
		t.Errorf("troubles: %s", p.troubles())
	}
}

func TestTheLastGoodConfigurationSurvives(t *testing.T) {
	api := newServer(t, configOf(t, testPart("v1")))
	s := settings(t, api.URL)
	p, _ := newPuller(t, s)
	p.pull(t.Context())
	for name, c := range map[string]struct {
		body   string
		status int
		says   string
	}{
		"server in trouble": {"x", http.StatusInternalServerError, "answered 500 Internal Server Error: as told"},
		"the wrong key":     {"x", http.StatusUnauthorized, "answered 401 Unauthorized: as told"},
		"a viewer's key":    {"x", http.StatusForbidden, "answered 403 Forbidden: as told"},
		"not JSON":          {"<html>", http.StatusOK, "the configuration cannot be read"},
		"another probe's":   {strings.Replace(configOf(t, testPart("v3")), `"probe":"p1"`, `"probe":"p9"`, 1), http.StatusOK, `for probe "p9", but this is "p1"`},
		"out of range":      {strings.Replace(configOf(t, testPart("v3")), `"every_s":10`, `"every_s":-10`, 1), http.StatusOK, "every_s is -10"},
	} {
		t.Run(name, func(t *testing.T) {
			api.set(c.body, c.status)
			p.pull(t.Context())
			if !strings.Contains(p.troubles(), c.says) {
				t.Errorf("troubles %q; want one with %q", p.troubles(), c.says)
			}
			again, got := newPuller(t, s)
			if err := again.load(t.Context()); err != nil {
				t.Fatal(err)
			}
			if len(got.parts) != 1 || got.parts[0].Inventory != "v1" {
				t.Errorf("a start without the server goes by %+v", got.parts)
			}
		})
	}
	api.set(configOf(t, testPart("v4")), http.StatusOK)
	p.pull(t.Context())
	if p.troubles() != "" {
		t.Errorf("troubles stay: %s", p.troubles())
	}
}

// TestAConfigurationThatCannotBeKeptIsTriedAgain blocks the state folder once.
func TestAConfigurationThatCannotBeKeptIsTriedAgain(t *testing.T) {
	s := settings(t, newServer(t, configOf(t, testPart("v1"))).URL)
	p, _ := newPuller(t, s)
	if err := os.Mkdir(s.configFile(), 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		p.pull(t.Context())
		if !strings.Contains(p.troubles(), "could not be kept for the next start") {
			t.Errorf("troubles: %q", p.troubles())
		}
	}
	if err := os.Remove(s.configFile()); err != nil {
		t.Fatal(err)
	}
	p.pull(t.Context())
	if kept, err := loadConfig(s.configFile()); err != nil || len(kept.Config) == 0 || p.troubles() != "" {
		t.Errorf("kept %+v, %v; troubles %q", kept, err, p.troubles())
	}
}

func TestABrokenLastConfigurationIsNoEnd(t *testing.T) {
	s := settings(t, "http://127.0.0.1:1")
	if err := os.WriteFile(s.configFile(), []byte(`{"etag":`), 0o600); err != nil {
		t.Fatal(err)
	}
	p, got := newPuller(t, s)
	if err := p.load(t.Context()); err == nil || !strings.Contains(err.Error(), s.configFile()) {
		t.Errorf("error %v; want one that names the file", err)
	}
	if len(got.parts) != 0 {
		t.Errorf("taken up: %+v", got.parts)
	}
}

func TestWhatAProbeDoesNotKnowIsToldAndIgnored(t *testing.T) {
	part := testPart("v1")
	later, stamp := part.Tests[0], part.Tests[0]
	later.Name, later.Kind = "later", "trace"
	stamp.Name, stamp.Kind, stamp.Flows, stamp.Port, stamp.Size = "fabric", inventory.KindSTAMP, 2, 50000, 128
	stamp.Every, stamp.Spacing = 10*time.Second, 250*time.Millisecond
	part.Tests = append(part.Tests, later, stamp)
	body := strings.Replace(configOf(t, part), `"probe":`, `"colour":"blue","probe":`, 1)
	p, got := newPuller(t, settings(t, newServer(t, body).URL))
	p.pull(t.Context())
	if len(got.parts) != 1 {
		t.Fatal("the configuration was not taken up")
	}
	for _, want := range []string{`"colour"`, `test "later" is ignored: this probe does not know its kind "trace"`} {
		if !strings.Contains(p.troubles(), want) {
			t.Errorf("troubles %q; want %s", p.troubles(), want)
		}
	}
	if strings.Contains(p.troubles(), "fabric") {
		t.Errorf("troubles %q; stamp is known", p.troubles())
	}
}

func TestSettingsThatCannotBe(t *testing.T) {
	for _, url := range []string{"", "qos.example.net", "ftp://qos.example.net", "http://", "://"} {
		if _, err := newAPI(settings(t, url), discard); err == nil || !strings.Contains(err.Error(), "is not a URL") {
			t.Errorf("--server %q: error %v", url, err)
		}
	}
	s := settings(t, "https://qos.example.net")
	s.KeyFile = filepath.Join(t.TempDir(), "none")
	if _, err := newAPI(s, discard); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no key file: error %v", err)
	}
	s = settings(t, "https://qos.example.net")
	s.State = filepath.Join(s.KeyFile, "under-a-file")
	if err := Run(t.Context(), s, discard); err == nil || !strings.Contains(err.Error(), "--state") {
		t.Errorf("no state folder: error %v", err)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the key %q went elsewhere", r.Header.Get("X-API-Key"))
	}))
	t.Cleanup(elsewhere.Close)
	here := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusMovedPermanently))
	t.Cleanup(here.Close)
	p, _ := newPuller(t, settings(t, here.URL))
	p.pull(t.Context())
	if !strings.Contains(p.troubles(), "301 Moved Permanently") {
		t.Errorf("troubles: %s", p.troubles())
	}
}

// reflecting is a pair whose target is taken to reflect at the usual port.
func reflecting(p inventory.Pair) inventory.Pair {
	p.ReflectorPort = inventory.DefaultReflectorPort
	return p
}

func TestOnceChoosesTargets(t *testing.T) {
	part := testPart("v1")
	pair := func(target, to string, family uint8) inventory.Pair {
		p := inventory.Pair{Target: target, To: to, Family: family}
		if target != to {
			p.From, p.ReflectorPort = "127.0.0.1", inventory.DefaultReflectorPort
		}
		return p
	}
	for name, c := range map[string]struct {
		targets []string
		want    []inventory.Pair
		says    string
	}{
		"all":            {nil, []inventory.Pair{pair("p2", "127.0.0.2", 4), pair("p3", "127.0.0.3", 4)}, ""},
		"by name":        {[]string{"p3"}, []inventory.Pair{pair("p3", "127.0.0.3", 4)}, ""},
		"by address":     {[]string{"127.0.0.2"}, []inventory.Pair{pair("p2", "127.0.0.2", 4)}, ""},
		"not configured": {[]string{"127.0.0.9", "::1"}, []inventory.Pair{reflecting(pair("127.0.0.9", "127.0.0.9", 4)), reflecting(pair("::1", "::1", 6))}, ""},
		"one of two":     {[]string{"p 9", "p3"}, []inventory.Pair{pair("p3", "127.0.0.3", 4)}, ""},
		"no such thing":  {[]string{"p 9"}, nil, `target "p 9" is neither a name of the configuration nor an address`},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := OnceSettings{Targets: c.targets}.pairs(t.Context(), part, part.Tests[0])
			if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Fatalf("error %v; want %q", err, c.says)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("pairs (-want +got):\n%s", diff)
			}
		})
	}
}

// TestOncePrints measures over loopback, from the server's configuration.
func TestOncePrints(t *testing.T) {
	needs.ICMP(t)
	s := OnceSettings{Settings: settings(t, newServer(t, configOf(t, testPart("v1"))).URL)}
	var table, bar strings.Builder
	s.Progress = &bar
	answered, err := Once(t.Context(), s, &table, discard)
	if err != nil || !answered {
		t.Fatalf("answered %v, %v", answered, err)
	}
	for _, want := range []string{"from p1, test ping, DSCP 0", "TARGET", "MEDIAN", "p2  127.0.0.2     2         2     0   0 %"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("no %q in\n%s", want, table.String())
		}
	}
	if !strings.Contains(bar.String(), "4 of 4 sent, 4 answered") {
		t.Errorf("progress %q", bar.String())
	}
	var lines strings.Builder
	s.JSON, s.Progress, s.Count = true, nil, 1
	if _, err := Once(t.Context(), s, &lines, discard); err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(strings.NewReader(lines.String()))
	for range 2 {
		var r wire.Result
		if err := decoder.Decode(&r); err != nil || r.Source != "p1" || r.Sent != 1 {
			t.Errorf("%v: %+v in %s", err, r, lines.String())
		}
	}
}

func TestOnceWithNothingToMeasure(t *testing.T) {
	_, err := Once(t.Context(), OnceSettings{Settings: Settings{State: t.TempDir()}}, io.Discard, discard)
	if err == nil || !strings.Contains(err.Error(), "name an address by --target") {
		t.Errorf("error %v", err)
	}
}

func TestCheckMakesNothing(t *testing.T) {
	dir := t.TempDir()
	said := func(dir string) string {
		var out strings.Builder
		(&checker{out: &out}).state(dir)
		return out.String()
	}
	if got := said(filepath.Join(dir, "a", "b")); !strings.HasPrefix(got, "ok") || !strings.Contains(got, "is not there yet") {
		t.Errorf("a folder that can be made: %s", got)
	}
	if got := said(dir); !strings.HasPrefix(got, "ok") || strings.Contains(got, "not there") {
		t.Errorf("a folder that is there: %s", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := said(filepath.Join(dir, "file", "under")); !strings.HasPrefix(got, "FAIL") {
		t.Errorf("a folder under a file: %s", got)
	}
	if found, err := os.ReadDir(dir); err != nil || len(found) != 1 {
		t.Errorf("the folder holds %v, %v", found, err)
	}
}

func TestCheckTellsWhatIsWrong(t *testing.T) {
	part := testPart("v1")
	part.Addresses = []inventory.Address{{Family: 4, Host: "192.0.2.77"}}
	var out strings.Builder
	if Check(t.Context(), settings(t, newServer(t, configOf(t, part)).URL), &out, discard) {
		t.Error("all is fine")
	}
	for _, want := range []string{"ok    API", "ok    configuration  the key is accepted as p1's", "ok    state folder",
		"FAIL  address IPv4   192.0.2.77 cannot be used here", "ok    test ping      "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

// TestCheckStopsAtAConfigurationThatIsNotUsed: it resolves no name of it and opens
// no socket by it, whether it comes from the server or was kept.
func TestCheckStopsAtAConfigurationThatIsNotUsed(t *testing.T) {
	part := testPart("v1")
	part.Tests[0].Count = 0
	kept := settings(t, "http://127.0.0.1:1")
	text, err := json.Marshal(saved{Config: json.RawMessage(configOf(t, part))})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(kept.configFile(), text, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, s := range map[string]Settings{
		"FAIL  configuration  the configuration asks for what a probe does not do": settings(t, newServer(t, configOf(t, part)).URL),
		"FAIL  last good one  the configuration asks for what a probe does not do": kept,
	} {
		var out strings.Builder
		if Check(t.Context(), s, &out, discard) || !strings.Contains(out.String(), want) || !strings.Contains(out.String(), "count 0 is not 1") {
			t.Errorf("no %q in\n%s", want, out.String())
		}
		if strings.Contains(out.String(), "address IPv4") || strings.Contains(out.String(), "test ping  ") {
			t.Errorf("it goes on:\n%s", out.String())
		}
	}
}
