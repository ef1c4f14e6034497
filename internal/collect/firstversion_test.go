package collect_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
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

	"github.com/google/go-cmp/cmp"

	"ixpqos/internal/access"
	"ixpqos/internal/collect"
	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
	"ixpqos/internal/store/sqlite"
	"ixpqos/internal/wire"
)

var firstNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// The keys of the tests: a probe's, a viewer's, and the shared one.
const (
	keyP1, keyP2, keyViewer, keyShared = "key of p1", "key of p2", "key of noc", "shared key"

	maxBody, maxEntries = 4000, 20
)

func newInventory(t *testing.T) *inventory.Inventory {
	t.Helper()
	inv, err := inventory.ParseYAML("inventory.yaml", fmt.Appendf(nil, `
probes:
  - {name: p1, addresses: [192.0.2.1, "2001:db8::1"], key_sha256: [%s]}
  - {name: p2, addresses: ["2001:db8::2"], key_sha256: [%s], drain: true}
  - {name: p3 süd, addresses: [192.0.2.3]}
targets: [{name: rs1, addresses: [192.0.2.250]}]
viewers: [{name: noc, key_sha256: [%s]}]
tests:
  - {name: quick, kind: icmp, every: 1m}
  - {name: ping, kind: icmp, every: 5m, first_version: true}
`, hash(keyP1), hash(keyP2), hash(keyViewer)))
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

// service is the probe-facing API over a real socket and a real store.
type service struct {
	t      *testing.T
	url    string
	path   string
	store  *sqlite.Store
	shared bool
	waits  []time.Duration // which the server made
}

func start(t *testing.T, writers ...func(store.Writer) store.Writer) *service {
	t.Helper()
	path := filepath.Join(t.TempDir(), "store.db")
	kept, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kept.Close() })
	s := &service{t: t, path: path, store: kept, shared: true}
	var writer store.Writer = kept
	for _, wrap := range writers {
		writer = wrap(writer)
	}
	inv := newInventory(t)
	current := func() *inventory.Inventory { return inv }
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	gate := access.Gate{Inventory: current, PublicRead: true, SharedKey: func() [32]byte {
		if s.shared {
			return sha256.Sum256([]byte(keyShared))
		}
		return sha256.Sum256([]byte("another"))
	}}
	api := access.NewAPI("test", "1", gate, log)
	(&collect.Collector{Inventory: current, Store: writer, Metrics: access.NewMetrics(), Log: log,
		Now: func() time.Time { return firstNow }, MaxBody: maxBody, MaxResults: maxEntries,
		Wait: func(ctx context.Context, d time.Duration) error { s.waits = append(s.waits, d); return ctx.Err() }}).Register(api)
	server := httptest.NewServer(api.Handler())
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

type firstAnswer struct {
	status int
	header http.Header
	body   string
}

func (s *service) ask(method, path, key, body string, headers ...string) firstAnswer {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if key != "" {
		request.Header.Set("X-API-Key", key)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return firstAnswer{response.StatusCode, response.Header, strings.TrimSpace(string(text))}
}

func (s *service) pings(source string) []store.Ping {
	s.t.Helper()
	pings, err := s.store.LastPings(s.t.Context(), source)
	if err != nil {
		s.t.Fatal(err)
	}
	return pings
}

// check compares an firstAnswer; an error of the first version is given by its text.
func check(t *testing.T, got firstAnswer, status int, body string) {
	t.Helper()
	if status >= 400 {
		text, _ := json.Marshal(wire.FirstError{Error: body})
		body = string(text)
	}
	if got.status != status || got.body != body {
		t.Errorf("got %d %s\nwant %d %s", got.status, got.body, status, body)
	}
	if kind := got.header.Get("Content-Type"); kind != "application/json" {
		t.Errorf("the content type is %q", kind)
	}
}

var prefixes = []string{"", "/backend"}

const (
	list = "/api/v1/conf/probes"
	post = "/api/v1/data/probe-result"
	ok   = `{"status":"ok"}`
)

func TestFirstVersionList(t *testing.T) {
	s := start(t)
	for _, prefix := range prefixes {
		for _, key := range []string{keyShared, keyP1, keyViewer} {
			check(t, s.ask("GET", prefix+list, key, ""), 200, `{"probes":[{"name":"p1","proto":4,"address":"192.0.2.1"},`+
				`{"name":"p1","proto":6,"address":"2001:db8::1"},{"name":"p2","proto":6,"address":"2001:db8::2"},`+
				`{"name":"p3 süd","proto":4,"address":"192.0.2.3"}]}`)
		}
	}
}

func TestFirstVersionKeys(t *testing.T) {
	s := start(t)
	const body = `{"source":"p1","probes":[]}`
	for _, prefix := range prefixes {
		for _, request := range [][2]string{{"GET", prefix + list}, {"POST", prefix + post}} {
			check(t, s.ask(request[0], request[1], "", body), 400, "Please provide an API key")
			check(t, s.ask(request[0], request[1], "", body, "X-API-Key", ""), 400, "Please provide an API key")
			check(t, s.ask(request[0], request[1], "wrong", body), 403, "The provided API key is not valid")
			check(t, s.ask(request[0], request[1], hash(keyP1), body), 403, "The provided API key is not valid")
		}
		check(t, s.ask("POST", prefix+post, keyShared, body), 200, ok)
		check(t, s.ask("POST", prefix+post, keyP1, body), 200, ok)
		check(t, s.ask("POST", prefix+post, keyP2, body), 403, `this key is probe "p2"'s: it cannot report as "p1"`)
		check(t, s.ask("POST", prefix+post, keyViewer, body), 403, `this key is viewer "noc"'s: it may read, not post`)
	}
	for _, request := range [][2]string{{"GET", "/api/v2/config"}, {"POST", "/api/v2/results"}} {
		if got := s.ask(request[0], request[1], keyShared, "{}"); got.status != 401 || got.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("the shared key at %s: %d %s", request[1], got.status, got.body)
		}
	}
	s.shared = false // its file has another key now
	check(t, s.ask("GET", list, keyShared, ""), 403, "The provided API key is not valid")
}

// entry is an entry of a post, with some of its values replaced; one that is
// replaced by nothing is left out.
func entry(name string, replaced ...string) string {
	keys := []string{"name", "proto", "address", "pinged", "ping_min", "ping_max", "ping_avg", "ping_jitter", "ping_loss"}
	values := map[string]string{"name": fmt.Sprintf("%q", name), "proto": "4", "address": `"192.0.2.2"`, "pinged": "true",
		"ping_min": "0.5", "ping_max": "2", "ping_avg": "1.25", "ping_jitter": "0.125", "ping_loss": "0.1"}
	for i := 0; i < len(replaced); i += 2 {
		if _, known := values[replaced[i]]; !known {
			keys = append(keys, replaced[i])
		}
		values[replaced[i]] = replaced[i+1]
	}
	var members []string
	for _, key := range keys {
		if values[key] != "" {
			members = append(members, fmt.Sprintf("%q: %s", key, values[key]))
		}
	}
	return "{" + strings.Join(members, ", ") + "}"
}

// notPinged is what a client posts of itself, and of whom it could not ping.
func notPinged(name string) string {
	return entry(name, "pinged", "false", "ping_min", "null", "ping_max", "null", "ping_avg", "null", "ping_jitter", "null", "ping_loss", "null")
}

func from(source string, entries ...string) string {
	return fmt.Sprintf(`{"source": %q, "probes": [%s]}`, source, strings.Join(entries, ", "))
}

// to is the ping that an entry becomes.
func to(target string, family uint8) store.Ping {
	return store.Ping{Target: target, Family: family, At: firstNow, Loss: 0.1, RTT: &store.PingRTT{Min: 0.5, Max: 2, Avg: 1.25, Jitter: 0.125}}
}

func lost(p store.Ping) store.Ping {
	p.Loss, p.RTT = 1, nil
	return p
}

func bad(of int, sentence string) string {
	return fmt.Sprintf("1 of %d probes are not stored, the others are: %s", of, sentence)
}

// TestFirstVersionUnderAKeyOfItsOwn: its names may have left the inventory, or not
// be there yet, and its client does not send them again.
func TestFirstVersionUnderAKeyOfItsOwn(t *testing.T) {
	s := start(t)
	if got := s.ask("POST", "/api/v1/data/probe-result", keyP1, from("p1", entry("nowhere"), entry("p2"))); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := s.pings("p1"); len(got) != 2 || got[0].Target != "nowhere" {
		t.Errorf("stored %v", got)
	}
}

// A post holds p2 beside what is tested, so that every row also shows that a bad
// entry does not cost a good one.
func TestFirstVersionPost(t *testing.T) {
	for _, c := range []struct {
		name, key, body string
		status          int
		want            string
		stored          []store.Ping // of "src"
	}{
		{"as its client does", keyShared, from("src", notPinged("src"), entry("p1"), entry("p2"), entry("p2", "proto", "6"), notPinged("p4")), 200, ok,
			[]store.Ping{to("p1", 4), to("p2", 4), to("p2", 6)}},
		{"not pinged is not known", keyShared, from("src", notPinged("p1")), 200, ok, nil},
		{"not pinged with numbers", keyShared, from("src", entry("p1", "pinged", "false"), entry("p2")), 200, ok, []store.Ping{to("p2", 4)}},
		{"not pinged and little else", keyShared, from("src", `{"pinged": false}`, entry("p2")), 200, ok, []store.Ping{to("p2", 4)}},
		{"nothing", keyShared, from("src"), 200, ok, nil},
		{"all lost", keyShared, from("src", entry("p1", "ping_loss", "1", "ping_min", "null", "ping_max", "", "ping_avg", "null", "ping_jitter", "null")), 200, ok,
			[]store.Ping{lost(to("p1", 4))}},
		{"all lost, and times of nothing", keyShared, from("src", entry("p1", "ping_loss", "1.0", "ping_min", "100000.0", "ping_avg", "0")), 200, ok,
			[]store.Ping{lost(to("p1", 4))}},
		{"an average over the lost ones too", keyShared, from("src", entry("p1", "ping_avg", "0.4")), 200, ok,
			[]store.Ping{func() store.Ping { p := to("p1", 4); p.RTT.Avg = 0.4; return p }()}},
		{"extra keys", keyShared, strings.Replace(from("src", entry("p2", "ttl", "[64]", "Name", `"x"`, "PING_MIN", `"x"`)), "{", `{"time": "x", "Source": 7, `, 1), 200, ok,
			[]store.Ping{to("p2", 4)}},
		{"unknown names under the shared key", keyShared, from("src", entry("nowhere"), entry("p2")), 200, ok, []store.Ping{to("nowhere", 4), to("p2", 4)}},
		{"no address", keyShared, from("src", entry("p2", "address", "")), 200, ok, []store.Ping{to("p2", 4)}},
		{"a whole number with a point", keyShared, from("src", entry("p2", "proto", "6.0")), 200, ok, []store.Ping{to("p2", 6)}},

		{"no name", keyShared, from("src", entry("", "name", ""), entry("p2")), 400,
			bad(2, "probes[0]: name is missing; it is the name of the probe that was pinged"), []store.Ping{to("p2", 4)}},
		{"a name that is none", keyShared, from("src", entry("p1\\"), entry("p2")), 400,
			bad(2, `probes[0] ("p1\\"): target "p1\\" ends with a backslash`), []store.Ping{to("p2", 4)}},
		{"no proto", keyShared, from("src", entry("p1", "proto", ""), entry("p2")), 400,
			bad(2, `probes[0] ("p1"): proto is missing; it is the number 4 or 6`), []store.Ping{to("p2", 4)}},
		{"proto 5", keyShared, from("src", entry("p1", "proto", "5"), entry("p2")), 400,
			bad(2, `probes[0] ("p1"): proto is 5; it is the number 4 or 6`), []store.Ping{to("p2", 4)}},
		{"proto in quotes", keyShared, from("src", entry("p2"), entry("p1", "proto", `"4"`)), 400,
			bad(2, `probes[1] ("p1"): proto is "4"; it is the number 4 or 6`), []store.Ping{to("p2", 4)}},
		{"no pinged", keyShared, from("src", entry("p1", "pinged", ""), entry("p2")), 400,
			bad(2, `probes[0] ("p1"): pinged is missing; it is true or false`), []store.Ping{to("p2", 4)}},
		{"pinged in quotes", keyShared, from("src", entry("p1", "pinged", `"true"`), entry("p2")), 400,
			bad(2, `probes[0] ("p1"): pinged is "true"; it is true or false`), []store.Ping{to("p2", 4)}},
		{"no ping_min", keyShared, from("src", entry("p1", "ping_min", ""), entry("p2")), 400,
			bad(2, `probes[0] ("p1"): ping_min is missing; it is a number of milliseconds, 0 or more`), []store.Ping{to("p2", 4)}},
		{"ping_max null", keyShared, from("src", entry("p1", "ping_max", "null"), entry("p2")), 400,
			bad(2, `probes[0] ("p1"): ping_max is missing; it is a number of milliseconds, 0 or more`), []store.Ping{to("p2", 4)}},
		{"ping_avg in quotes", keyShared, from("src", entry("p1", "ping_avg", `"1.5"`), entry("p2")), 400,
			bad(2, `probes[0] ("p1"): ping_avg is "1.5"; it is a number of milliseconds, 0 or more`), []store.Ping{to("p2", 4)}},
		{"ping_jitter below 0", keyShared, from("src", entry("p1", "ping_jitter", "-0.1"), entry("p2")), 400,
			bad(2, `probes[0] ("p1"): ping_jitter is -0.1; it is a number of milliseconds, 0 or more`), []store.Ping{to("p2", 4)}},
		{"ping_min beyond all numbers", keyShared, from("src", entry("p1", "ping_min", "1e999"), entry("p2")), 400,
			bad(2, `probes[0] ("p1"): ping_min is 1e999; it is a number of milliseconds, 0 or more`), []store.Ping{to("p2", 4)}},
		{"no ping_loss", keyShared, from("src", entry("p1", "ping_loss", ""), entry("p2")), 400,
			bad(2, `probes[0] ("p1"): ping_loss is missing; it is a fraction, 0 to 1`), []store.Ping{to("p2", 4)}},
		{"loss in percent", keyShared, from("src", entry("p1", "ping_loss", "10"), entry("p2")), 400,
			bad(2, `probes[0] ("p1"): ping_loss is 10; it is a fraction, 0 to 1`), []store.Ping{to("p2", 4)}},
		{"itself", keyShared, from("src", entry("src"), entry("p2")), 400,
			bad(2, `probes[0] ("src"): source and target are the same`), []store.Ping{to("p2", 4)}},
		{"a probe twice", keyShared, from("src", entry("p2"), entry("p2", "ping_min", "0.25")), 400,
			bad(2, `probes[1] ("p2"): its proto 4 stands in probes[0] already`), []store.Ping{to("p2", 4)}},
		{"an entry that is none", keyShared, from("src", "7", entry("p2")), 400,
			bad(2, `probes[0]: it is an object with name, proto, address and what was measured`), []store.Ping{to("p2", 4)}},
		{"an entry that is null", keyShared, from("src", entry("p2"), "null"), 400,
			bad(2, `probes[1]: it is an object with name, proto, address and what was measured`), []store.Ping{to("p2", 4)}},
		{"all bad, told in order", keyShared, from("src", entry("src"), entry("p1", "proto", "")), 400,
			`2 of 2 probes are not stored, and there are no others: probes[0] ("src"): source and target are the same; ` +
				`probes[1] ("p1"): proto is missing; it is the number 4 or 6`, nil},
		{"many bad", keyShared, from("src", append([]string{entry("p2")}, strings.Split(strings.Repeat("7,", 11)+"7", ",")...)...), 400,
			`12 of 13 probes are not stored, the others are: ` + manyBad(10) + "; and 2 more", []store.Ping{to("p2", 4)}},

		{"no source", keyShared, `{"probes": []}`, 400, "source is missing; it is the name of the probe that posts", nil},
		{"a source that is no text", keyShared, `{"source": 7, "probes": []}`, 400, "source is 7; it is the name of the probe that posts", nil},
		{"a source that is no name", keyShared, from(" src", entry("p2")), 400, `source " src" begins or ends with a space`, nil},
		{"no probes", keyShared, `{"source": "src"}`, 400, "probes is missing; it is the list of what was pinged", nil},
		{"probes null", keyShared, `{"source": "src", "probes": null}`, 400, "probes is missing; it is the list of what was pinged", nil},
		{"probes that are none", keyShared, `{"source": "src", "probes": {"p1": 1}}`, 400, `probes is {"p1": 1}; it is the list of what was pinged`, nil},
		{"no JSON", keyShared, "source=src", 400, "the body is not JSON: invalid character 's' looking for beginning of value", nil},
		{"nothing at all", keyShared, "", 400, "the body is not JSON: unexpected end of JSON input", nil},
		{"a list", keyShared, "[]", 400, "the body is not a result: it is an object with source and probes", nil},
		{"null", keyShared, "null", 400, "the body is not a result: it is an object with source and probes", nil},
		{"too many entries", keyShared, from("src", strings.Split(strings.Repeat("7,", maxEntries)+"7", ",")...), 413,
			"too many results in one batch: 21, at most 20", nil},
		{"too many bytes", keyShared, from("src", entry("p2", "pad", `"`+strings.Repeat("x", maxBody)+`"`)), 413,
			"the body has more than the 4000 bytes that are taken", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, prefix := range prefixes {
				s := start(t)
				check(t, s.ask("POST", prefix+post, c.key, c.body), c.status, c.want)
				for i := range c.stored {
					c.stored[i].Source = "src"
				}
				if diff := cmp.Diff(c.stored, s.pings("src")); diff != "" {
					t.Errorf("stored (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func manyBad(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("probes[%d]: it is an object with name, proto, address and what was measured", i+1))
	}
	return strings.Join(all, "; ")
}

func TestFirstVersionOwnKey(t *testing.T) {
	s := start(t)
	check(t, s.ask("POST", post, keyP1, from("p1", entry("p2"), entry("rs1"))), 200, ok)
	if got := s.pings("p1"); len(got) != 2 {
		t.Errorf("stored %+v", got)
	}
}

// A body of exactly the limit is taken.
func TestFirstVersionBound(t *testing.T) {
	s := start(t)
	body := from("src", entry("p2"))
	body += strings.Repeat(" ", maxBody-len(body))
	check(t, s.ask("POST", post, keyShared, body), 200, ok)
	check(t, s.ask("POST", post, keyShared, body+" "), 413, "the body has more than the 4000 bytes that are taken")
}

func TestFirstVersionOtherFailures(t *testing.T) {
	s := start(t)
	for _, prefix := range prefixes {
		check(t, s.ask("GET", prefix+"/api/v1/nothing", keyShared, ""), 404, "there is nothing at "+prefix+"/api/v1/nothing")
		check(t, s.ask("GET", prefix+"/api/v1", "", ""), 404, "there is nothing at "+prefix+"/api/v1")
		check(t, s.ask("GET", prefix+list+"/", keyShared, ""), 404, "there is nothing at "+prefix+list+"/")
		check(t, s.ask("DELETE", prefix+list, keyShared, ""), 405, prefix+list+" does not take DELETE but GET, HEAD")
		refused := s.ask("GET", prefix+post, keyShared, "")
		check(t, refused, 405, prefix+post+" does not take GET but POST")
		if allow := refused.header.Get("Allow"); allow != "POST" {
			t.Errorf("Allow is %q", allow)
		}
		check(t, s.ask("POST", prefix+post, keyShared, "{}", "Content-Encoding", "gzip"), 415, `Content-Encoding "gzip" is not taken: send plain JSON`)
	}
	check(t, s.ask("GET", "/backend", "", ""), 404, "there is nothing at /backend")
	check(t, s.ask("GET", "/backend/api/v2/config", keyP1, ""), 404, "there is nothing at /backend/api/v2/config")
	for _, path := range []string{"/api/v10", "/backends", "/nothing"} {
		if got := s.ask("GET", path, "", ""); got.status != 404 || got.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
}

func TestFirstVersionStoreAway(t *testing.T) {
	s := start(t)
	if err := os.Rename(s.path, s.path+".away"); err != nil {
		t.Fatal(err)
	}
	got := s.ask("POST", post, keyShared, from("src", entry("p2"), "7"))
	check(t, got, 503, "the store cannot take results now; send them again later")
	if got.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if err := os.Rename(s.path+".away", s.path); err != nil {
		t.Fatal(err)
	}
	check(t, s.ask("POST", post, keyShared, from("src", entry("p2"))), 200, ok)
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
	check(t, s.ask("POST", post, keyShared, from("src", entry("p2"))), 500, "the results could not be stored; the server's log says why")
}

// broken is a store with a defect.
type broken struct{ store.Writer }

func (broken) PutPings(context.Context, []store.Ping) ([]store.RefusedPing, error) {
	panic("a defect")
}

func TestFirstVersionDefect(t *testing.T) {
	s := start(t, func(w store.Writer) store.Writer { return broken{w} })
	for _, prefix := range prefixes {
		check(t, s.ask("POST", prefix+post, keyShared, from("src", entry("p2"))), 500, "this is a defect of the server; its log says more")
	}
}

// measured is a result of our own probe: so many lost, and each of the times in
// microseconds.
func measured(test, target string, family uint8, lost int, us ...float64) ippm.Result {
	r := ippm.Result{ID: ippm.ID{Series: ippm.Series{Source: "p1", Target: target, Test: test, Family: family}, Start: firstNow.Add(-time.Minute)},
		Kind: "icmp", Length: 5 * time.Minute,
		Counts: ippm.Counts{Sent: lost + len(us), Received: len(us), Unplaced: lost}}
	for _, sample := range us {
		if err := r.RTT.Add(sample); err != nil {
			panic(err)
		}
	}
	return r
}

func batch(t *testing.T, results ...ippm.Result) string {
	t.Helper()
	body, err := wire.EncodeBatch(ippm.Batch{Probe: "p1", Start: firstNow.Add(-time.Minute), Results: results})
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// What our own probes measure in the marked test is in the first version's form too.
func TestFirstVersionTest(t *testing.T) {
	s := start(t)
	refused := measured("ping", "p3 süd", 4, 0, 700)
	refused.Refused, refused.Sent, refused.Received, refused.RTT = 3, 0, 0, ippm.Delay{} // nothing was sent
	late := measured("ping", "rs1", 4, 0)
	late.Sent, late.Late = 1, 1
	body := batch(t, measured("ping", "p2", 4, 1, 1000, 3000, 2000), measured("ping", "p2", 6, 4), refused, late,
		measured("quick", "p3 süd", 4, 0, 500), measured("ping", "unknown", 4, 0, 500)) // it left the inventory, or is not there yet
	want := []store.Ping{
		{Source: "p1", Target: "p2", Family: 4, At: firstNow.Add(-time.Minute), Loss: 0.25, RTT: &store.PingRTT{Min: 1, Max: 3, Avg: 2, Jitter: 0.816496580927726}},
		{Source: "p1", Target: "p2", Family: 6, At: firstNow.Add(-time.Minute), Loss: 1},
		{Source: "p1", Target: "rs1", Family: 4, At: firstNow.Add(-time.Minute), Loss: 0},
		{Source: "p1", Target: "unknown", Family: 4, At: firstNow.Add(-time.Minute), RTT: &store.PingRTT{Min: 0.5, Max: 0.5, Avg: 0.5}},
	}
	for range 2 { // a batch may come again
		if got := s.ask("POST", "/api/v2/results", keyP1, body); got.status != 200 {
			t.Fatalf("%d %s", got.status, got.body)
		}
		if diff := cmp.Diff(want, s.pings("p1"), cmp.Comparer(func(a, b float64) bool { return a-b < 1e-12 && b-a < 1e-12 })); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// half stores batches, but no pings.
type half struct {
	store.Writer
	err error
}

func (h half) PutPings(context.Context, []store.Ping) ([]store.RefusedPing, error) { return nil, h.err }

func TestFirstVersionTestIsNotAcknowledgedByHalves(t *testing.T) {
	for status, err := range map[int]error{503: fmt.Errorf("away: %w", store.ErrUnavailable), 500: errors.New("broken")} {
		s := start(t, func(w store.Writer) store.Writer { return half{w, err} })
		if got := s.ask("POST", "/api/v2/results", keyP1, batch(t, measured("ping", "p2", 4, 0, 500))); got.status != status {
			t.Errorf("%d %s, want %d", got.status, got.body, status)
		}
	}
}

// picky is a store that refuses pings to p2 over IPv4.
type picky struct{ store.Writer }

func (p picky) PutPings(ctx context.Context, pings []store.Ping) (refused []store.RefusedPing, err error) {
	var rest []store.Ping
	for _, ping := range pings {
		if ping.Target == "p2" && ping.Family == 4 {
			refused = append(refused, store.RefusedPing{Source: ping.Source, Target: ping.Target, Family: ping.Family, Reason: "a type conflict"})
			continue
		}
		rest = append(rest, ping)
	}
	more, err := p.Writer.PutPings(ctx, rest)
	return append(refused, more...), err
}

// What the store refuses of a post is named, and the rest is stored.
func TestFirstVersionRefused(t *testing.T) {
	s := start(t, func(w store.Writer) store.Writer { return picky{w} })
	check(t, s.ask("POST", post, keyShared, from("src", entry("p1"), entry("p2"), entry("p2", "proto", "6"))), 400,
		`1 of 3 probes are not stored, the others are: probes[1] ("p2"): the store refuses it: a type conflict`)
	if got := s.pings("src"); len(got) != 2 {
		t.Errorf("%+v is not two pings", got)
	}
}

// A batch whose marked results cannot be in the first version's form is taken:
// it would come again for ever.
func TestFirstVersionTestRefused(t *testing.T) {
	s := start(t, func(w store.Writer) store.Writer { return picky{w} })
	got := s.ask("POST", "/api/v2/results", keyP1, batch(t, measured("ping", "p2", 4, 0, 500), measured("ping", "rs1", 4, 0, 500)))
	if got.status != 200 || !strings.Contains(got.body, `"stored":2`) {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := s.pings("p1"); len(got) != 1 || got[0].Target != "rs1" {
		t.Errorf("%+v is not the one ping of rs1", got)
	}
}

// flaky is a store that gives errors before it takes pings.
type flaky struct {
	store.Writer
	errs *[]error
}

func (f flaky) PutPings(ctx context.Context, pings []store.Ping) ([]store.RefusedPing, error) {
	if len(*f.errs) > 0 {
		err := (*f.errs)[0]
		*f.errs = (*f.errs)[1:]
		return nil, err
	}
	return f.Writer.PutPings(ctx, pings)
}

// A post of the first version does not come again: it is tried again at once,
// but only where that may help. A batch comes again.
func TestFirstVersionInsists(t *testing.T) {
	passing := func(after time.Duration) error { return fmt.Errorf("away: %w", store.Passing{After: after}) }
	for what, c := range map[string]struct {
		errs   []error
		waits  []time.Duration
		status int
	}{
		"once":        {[]error{passing(0)}, []time.Duration{200 * time.Millisecond}, 200},
		"asks":        {[]error{passing(time.Second), passing(time.Minute)}, []time.Duration{time.Second, 2 * time.Second}, 200},
		"thrice":      {[]error{passing(0), passing(0), passing(0)}, []time.Duration{200 * time.Millisecond, time.Second}, 503},
		"not passing": {[]error{fmt.Errorf("no token: %w", store.ErrUnavailable)}, nil, 503},
		"broken":      {[]error{errors.New("broken")}, nil, 500},
	} {
		t.Run(what, func(t *testing.T) {
			errs := c.errs
			s := start(t, func(w store.Writer) store.Writer { return flaky{w, &errs} })
			if got := s.ask("POST", post, keyShared, from("src", entry("p2"))); got.status != c.status {
				t.Errorf("%d %s, want %d", got.status, got.body, c.status)
			}
			if diff := cmp.Diff(c.waits, s.waits); diff != "" {
				t.Errorf("waits (-want +got):\n%s", diff)
			}
			if stored := len(s.pings("src")) == 1; stored != (c.status == 200) {
				t.Errorf("stored: %v", stored)
			}
		})
	}
	errs := []error{passing(0)}
	s := start(t, func(w store.Writer) store.Writer { return flaky{w, &errs} })
	if got := s.ask("POST", "/api/v2/results", keyP1, batch(t, measured("ping", "p2", 4, 0, 500))); got.status != 503 || len(s.waits) > 0 {
		t.Errorf("%d %s after %v", got.status, got.body, s.waits)
	}
}
