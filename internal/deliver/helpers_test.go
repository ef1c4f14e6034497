package deliver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"ixpqos/internal/ippm"
	"ixpqos/internal/wire"
)

// patience ends a test that waits for what never comes. No test passes by it.
const patience = time.Minute

var epoch = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// batch is the n-th one, with one result for each group.
func batch(n int, groups ...group) ippm.Batch {
	if len(groups) == 0 {
		groups = []group{{"ping", 4, 0}}
	}
	start := epoch.Add(time.Duration(n) * 10 * time.Second)
	b := ippm.Batch{Probe: "p1", Inventory: "v1", Peers: []string{"p2"}, Start: start}
	for _, g := range groups {
		r := ippm.Result{Kind: "icmp", Length: 10 * time.Second}
		r.ID = ippm.ID{Series: ippm.Series{Source: "p1", Target: "p2", Test: g.test, Family: g.family, DSCP: g.dscp}, Start: start}
		r.Sent, r.Unplaced = 10, 10
		b.Results = append(b.Results, r)
	}
	return b
}

// heard is what the batch's probe heard of each group.
func heard(b ippm.Batch, groups ...group) (all []ippm.Heard) {
	for _, g := range groups {
		h := ippm.Heard{Length: 10 * time.Second, Flows: []ippm.HeardFlow{{Port: 61000, Heard: 10, Answered: 10}}}
		h.ID = ippm.ID{Series: ippm.Series{Source: "p2", Target: "p1", Test: g.test, Family: g.family, DSCP: g.dscp}, Start: b.Start}
		all = append(all, h)
	}
	return all
}

func groups(n int) []group {
	out := make([]group, n)
	for i := range out {
		out[i] = group{fmt.Sprintf("test-%d", i), 4, 0}
	}
	return out
}

// fat is a batch of about 20 kB.
func fat(n int) ippm.Batch {
	b := batch(n)
	b.Health.Troubles = []string{strings.Repeat("x", 20_000)}
	return b
}

type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func (l *logged) lines(containing string) (found []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.buf.String()) {
		if strings.Contains(line, containing) {
			found = append(found, line)
		}
	}
	return found
}

func (l *logged) want(t *testing.T, n int, containing string) {
	t.Helper()
	if got := l.lines(containing); len(got) != n {
		t.Errorf("%d log lines with %q, want %d: %v", len(got), containing, n, got)
	}
}

func openSpool(t *testing.T, dir string, opts SpoolOptions) *Spool {
	t.Helper()
	s, err := OpenSpool(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func reopen(t *testing.T, s *Spool) *Spool {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return openSpool(t, s.dir, s.opts)
}

func mustAppend(t *testing.T, s *Spool, batches ...ippm.Batch) {
	t.Helper()
	for _, b := range batches {
		if err := s.Append(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
}

func wantStats(t *testing.T, s *Spool, waiting, setAside, dropped int) {
	t.Helper()
	got := s.Stats()
	if got.Waiting != waiting || got.SetAside != setAside || got.Dropped != dropped {
		t.Errorf("stats are %+v, want %d waiting, %d set aside, %d dropped", got, waiting, setAside, dropped)
	}
}

func decode(t *testing.T, body []byte) ippm.Batch {
	t.Helper()
	posted, err := wire.DecodeBatch(body, math.MaxInt)
	if err != nil || len(posted.ResultsSorted.Rejected)+len(posted.HeardSorted.Rejected) > 0 {
		t.Fatal(err, posted)
	}
	return posted.Batch
}

// takeAll empties the spool without a server and gives the batches' numbers.
func takeAll(t *testing.T, s *Spool) (numbers []int) {
	t.Helper()
	for {
		e, body, ok, err := s.take()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return numbers
		}
		numbers = append(numbers, number(decode(t, body)))
		if err := s.Remove(e); err != nil {
			t.Fatal(err)
		}
	}
}

func number(b ippm.Batch) int { return int(b.Start.Sub(epoch) / (10 * time.Second)) }

// flowing is a batch of about 20 kB, nearly all of it what flows saw.
func flowing(n int) ippm.Batch {
	b := batch(n)
	for port := range uint16(2000) {
		b.Results[0].Flows = append(b.Results[0].Flows, ippm.Flow{Port: 61000 + port, Counts: ippm.Counts{Sent: 10, Unplaced: 10}, LossyUnplaced: 1023})
		if port > 0 {
			b.Results[0].Counts = b.Results[0].Counts.Plus(ippm.Counts{Sent: 10, Unplaced: 10})
		}
	}
	b.Heard = heard(b, group{"ping", 4, 0})
	return b
}

func upTo(from, to int) (numbers []int) {
	for n := from; n < to; n++ {
		numbers = append(numbers, n)
	}
	return numbers
}

// files lists a folder, without its sub-folders.
func files(t *testing.T, folder string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

func asideFiles(t *testing.T, s *Spool) []string {
	t.Helper()
	return files(t, filepath.Join(s.dir, asideFolder))
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func writeFile(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o640); err != nil {
		t.Fatal(err)
	}
}

// api stores what it is sent, each result once, as the real one does.
type api struct {
	*httptest.Server
	maxResults int

	mu      sync.Mutex
	stored  map[ippm.ID]int // how often it came
	order   []int           // the batches' numbers as they came, without repetition
	onBatch func(number int)
}

func newAPI(t *testing.T) *api {
	a := &api{maxResults: math.MaxInt, stored: map[ippm.ID]int{}}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	return a
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	posted, err := wire.DecodeBatch(body, a.maxResults)
	b := posted.Batch
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	for _, result := range b.Results {
		a.stored[result.ID]++
	}
	if !slices.Contains(a.order, number(b)) {
		a.order = append(a.order, number(b))
	}
	if a.onBatch != nil {
		a.onBatch(number(b))
	}
	writeAnswer(w, wire.Answer{Stored: len(b.Results), Rejected: posted.ResultsSorted.Rejected})
}

func writeAnswer(w http.ResponseWriter, a wire.Answer) { writeAnswerTo(w, a) }

func writeAnswerTo(w http.ResponseWriter, a any) {
	if err := json.NewEncoder(w).Encode(a); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// want checks that exactly these batches' results are stored, in this order.
func (a *api) want(t *testing.T, batches ...ippm.Batch) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	var order []int
	results := 0
	for _, b := range batches {
		order = append(order, number(b))
		for _, r := range b.Results {
			results++
			if a.stored[r.ID] == 0 {
				t.Errorf("%+v is not stored", r.ID)
			}
		}
	}
	if results != len(a.stored) || !slices.Equal(order, a.order) {
		t.Errorf("%d results of batches %v are stored, want %d of %v", len(a.stored), a.order, results, order)
	}
}

// repeats is how many results came more than once.
func (a *api) repeats() (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, times := range a.stored {
		if times > 1 {
			n++
		}
	}
	return n
}

// stepClock lets the test see each pause and decide when it is over. Request
// timeouts run on the fake clock.
type stepClock struct {
	*clockwork.FakeClock
	pauses chan pause
}

type pause struct {
	length time.Duration
	over   chan time.Time
}

func (p pause) Chan() <-chan time.Time   { return p.over }
func (p pause) Reset(time.Duration) bool { panic("not used") }
func (p pause) Stop() bool               { return true }

func newStepClock() stepClock {
	return stepClock{clockwork.NewFakeClockAt(epoch), make(chan pause, 1)}
}

func (c stepClock) NewTimer(d time.Duration) clockwork.Timer {
	p := pause{d, make(chan time.Time)}
	c.pauses <- p
	return p
}

// paused waits until the uploader pauses.
func (c stepClock) paused(t *testing.T) pause {
	t.Helper()
	return await(t, c.pauses)
}

// skip ends a pause and gives its length.
func (c stepClock) skip(t *testing.T) time.Duration {
	t.Helper()
	p := c.paused(t)
	close(p.over)
	return p.length
}

func await[T any](t *testing.T, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
		return v
	case <-time.After(patience):
		t.Fatal("it never came")
		return v
	}
}

func newUploader(t *testing.T, s *Spool, url string, change ...func(*UploaderOptions)) *Uploader {
	t.Helper()
	opts := UploaderOptions{URL: url, Key: func() (string, error) { return "secret", nil }, Version: "1.2.3",
		Client: &http.Client{Transport: &http.Transport{ExpectContinueTimeout: patience}}, Log: s.log}
	for _, c := range change {
		c(&opts)
	}
	u, err := NewUploader(s, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.client.CloseIdleConnections)
	return u
}

// drain delivers until the spool is empty or something fails.
func drain(t *testing.T, u *Uploader) *failure {
	t.Helper()
	for {
		e, body, ok, err := u.spool.take()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return nil
		}
		if failed := u.deliver(t.Context(), e, body); failed != nil {
			return failed
		}
	}
}

func mustDrain(t *testing.T, u *Uploader) {
	t.Helper()
	if failed := drain(t, u); failed != nil {
		t.Fatal(failed.sentence)
	}
}

// run runs the uploader. stop ends it and waits for it.
func run(t *testing.T, u *Uploader) (stop func()) {
	t.Helper()
	ctx, cancel := newContext(t)
	done := make(chan error, 1)
	go func() { done <- u.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := await(t, done); err != nil {
				t.Errorf("Run returned %v", err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

// newContext outlives t.Context, which ends before the cleanups run.
func newContext(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithCancel(context.WithoutCancel(t.Context()))
}
