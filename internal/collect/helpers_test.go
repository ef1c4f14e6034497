package collect_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ixpqos/infra/influx"
	"ixpqos/internal/access"
	"ixpqos/internal/collect"
	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
	"ixpqos/internal/store/sqlite"
	"ixpqos/internal/store/storetest"
	"ixpqos/internal/wire"
)

// The test binary runs itself as the process that holds the store's lock.
const lockPath = "IXPQOS_TEST_LOCK"

func TestMain(m *testing.M) {
	path, ok := os.LookupEnv(lockPath)
	if !ok {
		os.Exit(influxd.Main(m))
	}
	if err := holdLock(path); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// holdLock takes the database's lock, says so, and holds it until its input ends.
func holdLock(path string) error {
	// The driver is there because package sqlite is.
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath())
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1) // the lock and its release on one connection
	if _, err := db.Exec("BEGIN EXCLUSIVE"); err != nil {
		return err
	}
	fmt.Println("locked")
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	_, err = db.Exec("ROLLBACK")
	return err
}

// lock lets another process hold the store's lock until release is called.
func lock(t *testing.T, path string) (release func()) {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	other := exec.CommandContext(ctx, executable)
	other.Env = append(os.Environ(), lockPath+"="+path)
	other.Stderr = os.Stderr
	stdin, inErr := other.StdinPipe()
	stdout, outErr := other.StdoutPipe()
	if err := errors.Join(inErr, outErr, other.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); _ = other.Wait() })
	if line := bufio.NewScanner(stdout); !line.Scan() {
		t.Fatal("the other process ended early")
	}
	return func() {
		if err := errors.Join(stdin.Close(), other.Wait()); err != nil {
			t.Error(err)
		}
	}
}

// now is the server's clock: the first intervals are just over.
var now = storetest.At(10)

const exchange = `
probes:
  - {name: p1, addresses: [192.0.2.1], key_sha256: [%s]}
  - {name: p2, addresses: [192.0.2.2], key_sha256: [%s]}
  - {name: p3, addresses: [192.0.2.3]}
targets:
  - {name: rs1, addresses: [192.0.2.250], answers: [icmp]}
tests:
  - {name: ping, kind: icmp, every: %s}
`

func hash(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

func parse(t *testing.T, every string) *inventory.Inventory {
	t.Helper()
	inv, err := inventory.ParseYAML("inventory.yaml", fmt.Appendf(nil, exchange, hash("key-1"), hash("key-2"), every))
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

// server collects into a real store.
type server struct {
	*httptest.Server
	inventory *inventory.Inventory
	store     *sqlite.Store
	path      string
	metrics   *access.Metrics
	log       *bytes.Buffer
}

// serve starts a server; the keys of p1 and p2 are "key-1" and "key-2", and
// "key-gone" is that of a probe that is no more.
func serve(t *testing.T, change ...func(*collect.Collector)) *server {
	t.Helper()
	s := &server{inventory: parse(t, "5m"), path: filepath.Join(t.TempDir(), "store.db"), metrics: access.NewMetrics(), log: &bytes.Buffer{}}
	var err error
	s.store, err = sqlite.Open(t.Context(), s.path, sqlite.Options{BusyTimeout: 20 * time.Millisecond, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.store.Close() })
	current := func() *inventory.Inventory { return s.inventory }
	keys := []inventory.Key{{Role: inventory.RoleProbe, Name: "gone", Hash: sha256.Sum256([]byte("key-gone"))}}
	log := slog.New(slog.NewTextHandler(s.log, nil))
	api := access.NewAPI("", "", access.Gate{Inventory: current, Keys: func() []inventory.Key { return keys }}, log)
	collector := &collect.Collector{Inventory: current, Store: s.store, Metrics: s.metrics, Log: log,
		Now: func() time.Time { return now }, MaxBody: collect.DefaultMaxBody, MaxResults: collect.DefaultMaxResults}
	for _, c := range change {
		c(collector)
	}
	collector.Register(api)
	s.Server = httptest.NewServer(api.Handler())
	t.Cleanup(s.Close)
	return s
}

type answer struct {
	*http.Response
	body string
}

func (s *server) do(t *testing.T, method, path, key string, body io.Reader, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set(access.HeaderKey, key)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response, string(text)}
}

// post sends a body as p1.
func (s *server) post(t *testing.T, body string, headers ...string) answer {
	t.Helper()
	return s.do(t, http.MethodPost, "/api/v2/results", "key-1", strings.NewReader(body), headers...)
}

func (s *server) postBatch(t *testing.T, b ippm.Batch) answer {
	t.Helper()
	return s.post(t, encode(t, b))
}

func encode(t *testing.T, b ippm.Batch) string {
	t.Helper()
	body, err := wire.EncodeBatch(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// isProblem checks for a problem document and returns its errors as "place: message".
func (a answer) isProblem(t *testing.T, status int, want string) (errs []string) {
	t.Helper()
	var problem struct {
		Detail string
		Status int
		Errors []struct{ Message, Location string }
	}
	if err := json.Unmarshal([]byte(a.body), &problem); err != nil {
		t.Fatalf("%d: %v: %q", a.StatusCode, err, a.body)
	}
	if kind := a.Header.Get("Content-Type"); a.StatusCode != status || problem.Status != status || kind != "application/problem+json" {
		t.Errorf("status %d, %d in a body of %s; want %d", a.StatusCode, problem.Status, kind, status)
	}
	if !strings.Contains(problem.Detail, want) {
		t.Errorf("detail %q; want one with %q", problem.Detail, want)
	}
	for _, e := range problem.Errors {
		errs = append(errs, e.Location+": "+e.Message)
	}
	return errs
}

// stored is a 200, whose body it is.
func (a answer) stored(t *testing.T) (out wire.Answer) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), &out); err != nil || a.StatusCode != http.StatusOK {
		t.Fatalf("%d, %v: %s", a.StatusCode, err, a.body)
	}
	return out
}

// holds checks that the store holds these results of p1, and no others.
func (s *server) holds(t *testing.T, want ...ippm.Result) {
	t.Helper()
	var got []store.Stored
	for _, target := range []string{"p2", "p3", "rs1"} {
		err := s.store.Range(t.Context(), "p1", target, store.Filter{}, time.Time{}, storetest.At(1e6), func(r store.Stored) error {
			got = append(got, r)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if diff := storetest.DiffResults(want, got); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

// reported checks that the newest reports are these.
func (s *server) reported(t *testing.T, want ...ippm.Batch) {
	t.Helper()
	got, err := s.store.Reports(t.Context(), storetest.At(1e6))
	if err != nil {
		t.Fatal(err)
	}
	if diff := storetest.DiffReports(want, got); diff != "" {
		t.Errorf("reported (-want +got):\n%s", diff)
	}
}

func get(handler http.Handler, path string) (body string) {
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Body.String()
}
