package agent

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"ixpqos/internal/deliver"
	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
	"ixpqos/internal/wire"
)

// sink takes batches and hands them on.
func sink(t *testing.T) (url string, came chan wire.Batch) {
	came = make(chan wire.Batch, 10)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var b wire.Batch
		if err := json.NewDecoder(r.Body).Decode(&b); err != nil {
			t.Error(err)
		}
		came <- b
		_, _ = w.Write([]byte(`{"stored":1}`))
	}))
	t.Cleanup(srv.Close)
	return srv.URL, came
}

func newReporting(t *testing.T, url string, clock clockwork.Clock) *reporting {
	t.Helper()
	s := settings(t, url)
	spool, err := deliver.OpenSpool(spoolOf(s.State), deliver.SpoolOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { spool.Close() })
	uploader, err := deliver.NewUploader(spool, deliver.UploaderOptions{URL: url, Key: func() (string, error) { return "secret", nil }, Client: &http.Client{}})
	if err != nil {
		t.Fatal(err)
	}
	return &reporting{newReporter(s, spool, uploader, clock, discard), s.State}
}

// reporting is a reporter whose spool is in a state folder.
type reporting struct {
	*reporter
	state string
}

// aResult is a batch of one result.
func aResult() ippm.Batch {
	r := ippm.Result{Kind: "icmp", Length: 10 * time.Second}
	r.ID = ippm.ID{Series: ippm.Series{Source: "p1", Target: "p2", Test: "ping", Family: 4}, Start: time.Now().Truncate(time.Second)}
	r.Sent, r.Unplaced = 1, 1
	return ippm.Batch{Probe: "p1", Start: r.Start, Results: []ippm.Result{r}}
}

// TestTheEndIsDelivered: what engines give when they are told to end arrives
// before the probe is gone, and so does what was missed in ending.
func TestTheEndIsDelivered(t *testing.T) {
	url, came := sink(t)
	r := newReporting(t, url, clockwork.NewRealClock())
	if err := r.alive(t.Context(), testPart("v1")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := live(ctx, r.uploader, r.reporter, discard, func(ctx context.Context) error {
		<-came
		cancel()
		err := r.emit(context.WithoutCancel(ctx), aResult())
		r.missedOne()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var results, ends int
	for len(came) > 0 { // one that was on its way when the probe was told to end may come twice
		b := <-came
		results += len(b.Results)
		if b.Health.Missed == 1 && len(b.Peers) == 2 && len(b.Results) == 0 {
			ends++
		}
	}
	if results == 0 || ends == 0 {
		t.Errorf("%d results and %d times what was missed in ending came", results, ends)
	}
	if got := r.spool.Stats().Waiting; got != 0 {
		t.Errorf("%d batches wait", got)
	}
}

// TestTheEndIsBounded where the server does not answer.
func TestTheEndIsBounded(t *testing.T) {
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(srv.Close)
	t.Cleanup(func() { close(release) })
	r := newReporting(t, srv.URL, clockwork.NewRealClock())
	if err := r.emit(t.Context(), aResult()); err != nil {
		t.Fatal(err)
	}
	if err := live(t.Context(), r.uploader, r.reporter, discard, func(context.Context) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if got := r.spool.Stats().Waiting; got != 1 {
		t.Errorf("%d batches wait, want 1", got)
	}
}

// TestSignsOfLife come where nothing else does.
func TestSignsOfLife(t *testing.T) {
	clock := clockwork.NewFakeClock()
	r := newReporting(t, "http://127.0.0.1:1", clock)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.run(ctx, discard) }()
	part := testPart("v1")
	r.part.Store(&part)
	if err := clock.BlockUntilContext(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	clock.Advance(aliveEvery)
	<-r.spool.Wake()
	cancel()
	if err := <-ended; err != nil || r.quiet() {
		t.Errorf("quiet %v, %v", r.quiet(), err)
	}
}

// TestSignsOfLifeBesideWhatIsPutOff: what the server takes later says nothing now.
func TestSignsOfLifeBesideWhatIsPutOff(t *testing.T) {
	signs := make(chan struct{}, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var b wire.Batch
		if err := json.NewDecoder(r.Body).Decode(&b); err != nil {
			t.Error(err)
		}
		if len(b.Results) == 0 {
			signs <- struct{}{}
			_, _ = w.Write([]byte(`{"stored":0}`))
			return
		}
		_, _ = w.Write([]byte(`{"stored":0,"later":[{"index":0,"reason":"no such name yet"}]}`))
	}))
	t.Cleanup(srv.Close)
	clock := clockwork.NewFakeClock()
	r := newReporting(t, srv.URL, clock)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { _ = r.uploader.Run(ctx) }()
	if err := r.emit(ctx, aResult()); err != nil {
		t.Fatal(err)
	}
	for r.spool.Stats().PutOff == 0 && t.Context().Err() == nil {
		runtime.Gosched()
	}
	part := testPart("v1")
	r.part.Store(&part)
	go func() { _ = r.run(ctx, discard) }()
	if err := clock.BlockUntilContext(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	clock.Advance(aliveEvery)
	select {
	case <-signs:
	case <-time.After(10 * time.Second):
		t.Error("no sign of life")
	}
}

// TestNoSignsOfLifeOfARemovedProbe: the server takes nothing of it.
func TestNoSignsOfLifeOfARemovedProbe(t *testing.T) {
	clock := clockwork.NewFakeClock()
	r := newReporting(t, "http://127.0.0.1:1", clock)
	api := newServer(t, configOf(t, testPart("v1")))
	p, _ := newPuller(t, settings(t, api.URL))
	p.taking, p.taken = r.taking, r.alive
	p.pull(t.Context())
	if e, ok := r.spool.Oldest(); !ok || r.spool.Remove(e) != nil {
		t.Fatal("it has no sign of life at first")
	}
	p.api.server = answering(t, http.StatusForbidden, `{"detail":"probe \"p1\" is not in the inventory"}`).URL
	p.pull(t.Context())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.run(ctx, discard) }()
	for range 2 { // once it waits again, it has done what it does in a minute
		if err := clock.BlockUntilContext(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		clock.Advance(aliveEvery)
	}
	cancel()
	if err := <-ended; err != nil || r.spool.Stats().Waiting > 0 {
		t.Errorf("%d signs of life, %v", r.spool.Stats().Waiting, err)
	}
}

// TestASignThatFoundNoRoomIsNoSign: it is tried again.
func TestASignThatFoundNoRoomIsNoSign(t *testing.T) {
	r := newReporting(t, "http://127.0.0.1:1", clockwork.NewRealClock())
	r.spool.Close()
	if err := r.alive(t.Context(), testPart("v1")); err == nil {
		t.Error("a closed spool took it")
	}
	if !r.quiet() {
		t.Error("it counts as said")
	}
}

func TestTroublesAreBounded(t *testing.T) {
	r := newReporting(t, "http://127.0.0.1:1", clockwork.NewRealClock())
	r.set("x", strings.Repeat("x", 1<<20))
	if got := r.health().Troubles; len(got) != 1 || len(got[0]) > maxTrouble+10 {
		t.Errorf("%d troubles, the first of %d bytes", len(got), len(got[0]))
	}
}

// TestEnginesGiveTheirEnd: run waits until every engine has given what it had.
func TestEnginesGiveTheirEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var given []ippm.Batch
	cancel()
	err := engines{lastWords{}}.run(ctx, nil, func(ctx context.Context, b ippm.Batch) error {
		given = append(given, b)
		return ctx.Err()
	})
	if err != nil || len(given) != 1 {
		t.Errorf("given %d, %v", len(given), err)
	}
}

type lastWords struct{}

func (lastWords) Run(ctx context.Context, _ <-chan inventory.Part, emit func(context.Context, ippm.Batch) error) error {
	<-ctx.Done()
	return emit(context.WithoutCancel(ctx), aResult())
}
