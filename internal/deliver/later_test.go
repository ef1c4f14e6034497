package deliver

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"golang.org/x/sys/unix"

	"ixpqos/infra/needs"
	"ixpqos/internal/wire"
)

func problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `{"detail":"`+detail+`"}`)
}

// TestAServerWhoseClockIsBehind refuses what was measured; that passes.
func TestAServerWhoseClockIsBehind(t *testing.T) {
	a := newAPI(t)
	behind := true
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if behind {
			w.Header().Set("Date", epoch.Add(-10*time.Minute).Format(http.TimeFormat))
			problem(w, http.StatusUnprocessableEntity, "start is 10m0s ahead of the server's clock")
			return
		}
		a.ServeHTTP(w, r)
	})
	s := openSpool(t, t.TempDir(), SpoolOptions{})
	mustAppend(t, s, batch(0), batch(1), batch(2))
	u := newUploader(t, s, srv.URL, func(o *UploaderOptions) { o.Clock = clockwork.NewFakeClockAt(epoch) })
	if failed := drain(t, u); failed == nil || !strings.Contains(failed.sentence, "the server's clock is 10m0s behind") {
		t.Errorf("failure is %+v", failed)
	}
	wantStats(t, s, 3, 0, 0)
	behind = false
	mustDrain(t, u)
	a.want(t, batch(0), batch(1), batch(2))
}

// TestEarlyByOurOwnClock has a batch from before the clock stepped back. The one
// behind it does not wait for it.
func TestEarlyByOurOwnClock(t *testing.T) {
	clock := clockwork.NewFakeClockAt(epoch)
	a := newAPI(t)
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if start := posted(t, body).Start; start.After(clock.Now().Add(wire.MaxAhead)) {
			w.Header().Set("Retry-After", "60")
			problem(w, http.StatusServiceUnavailable, "start is ahead of the server's clock")
			return
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		a.ServeHTTP(w, r)
	})
	s := openSpool(t, t.TempDir(), SpoolOptions{Clock: clock})
	mustAppend(t, s, batch(360), batch(0))
	u := newUploader(t, s, srv.URL, func(o *UploaderOptions) { o.Clock = clock })
	mustDrain(t, u)
	a.want(t, batch(0))
	wantStats(t, s, 1, 0, 0)
	if got := strings.Join(s.Troubles(), " "); !strings.Contains(got, "batches wait for another try, 1 now") || !strings.Contains(got, "the clock here is before that") {
		t.Errorf("troubles are %q", got)
	}
	clock.Advance(time.Hour)
	mustDrain(t, u)
	a.want(t, batch(0), batch(360))
	if got := s.Troubles(); len(got) > 0 {
		t.Errorf("troubles stay: %q", got)
	}
}

// lateServer takes the results of test-1 later, until it is told to take them.
func lateServer(t *testing.T, a *api, late *bool) *httptest.Server {
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		b := posted(t, body)
		at := slices.IndexFunc(b.Results, func(r wire.Result) bool { return r.Test == "test-1" })
		if !*late || at < 0 {
			a.ServeHTTP(w, r)
			return
		}
		answer := wire.Answer{Stored: len(b.Results) - 1, Rejected: []wire.Rejected{}, Later: []wire.Rejected{{Index: at, Reason: "no such test yet"}}}
		if len(b.Heard) == 2 {
			answer.LaterHeard = []wire.Rejected{{Index: 1, Reason: "no such test yet"}}
		}
		writeAnswerTo(w, answer)
	})
}

// TestLater keeps exactly the results that the server takes later, and sends
// them again with patience, while newer batches pass.
func TestLater(t *testing.T) {
	clock, late := clockwork.NewFakeClockAt(epoch), true
	a := newAPI(t)
	s := openSpool(t, t.TempDir(), SpoolOptions{Clock: clock})
	u := newUploader(t, s, lateServer(t, a, &late).URL, func(o *UploaderOptions) { o.Clock = clock })
	first := batch(0, groups(3)...)
	first.Heard = heard(first, groups(2)...)
	mustAppend(t, s, first, batch(1))
	mustDrain(t, u)
	a.want(t, batch(1))
	wantStats(t, s, 1, 0, 0)
	if got := strings.Join(s.Troubles(), " "); !strings.Contains(got, `the server takes 2 results later, the first because: "no such test yet"`) {
		t.Errorf("troubles are %q", got)
	}
	e, _ := s.Oldest()
	body, err := s.Read(e)
	if err != nil {
		t.Fatal(err)
	}
	if b := decode(t, body); len(b.Results) != 1 || b.Results[0].Test != "test-1" || len(b.Heard) != 1 || b.Heard[0].Test != "test-1" {
		t.Errorf("what waits is %s", body)
	}
	late = false
	mustDrain(t, u)
	wantStats(t, s, 1, 0, 0) // not at once
	s = reopen(t, s)
	u = newUploader(t, s, u.opts.URL)
	mustDrain(t, u) // a start tries again
	wantStats(t, s, 0, 0, 0)
	if n := a.repeats(); n > 0 {
		t.Errorf("%d results came twice", n)
	}
}

// TestPatienceGrows up to a bound, and the uploader wakes up by itself.
func TestPatienceGrows(t *testing.T) {
	clock, late := newStepClock(), true
	a := newAPI(t)
	s := openSpool(t, t.TempDir(), SpoolOptions{Clock: clock})
	mustAppend(t, s, batch(0, groups(2)...))
	await(t, s.Wake())
	run(t, newUploader(t, s, lateServer(t, a, &late).URL, func(o *UploaderOptions) { o.Clock = clock }))
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
		p := clock.paused(t)
		if p.length != want*time.Minute {
			t.Errorf("a pause of %v, want %v minutes", p.length, int(want))
		}
		clock.Advance(p.length)
		close(p.over)
	}
}

// forbid lets this test's thread read nothing that others may not read, root's
// own files neither (setfsuid(2)), until it calls the returned function.
func forbid(t *testing.T) (allow func()) {
	t.Helper()
	needs.Root(t)
	runtime.LockOSThread()
	if err := unix.Setfsuid(65534); err != nil {
		t.Fatal(err)
	}
	allow = func() {
		_ = unix.Setfsuid(os.Geteuid())
		runtime.UnlockOSThread()
	}
	return allow
}

// TestUnreadableFilesAreABadMoment: none of them is given up, and what can be
// read passes them.
func TestUnreadableFilesAreABadMoment(t *testing.T) {
	clock := clockwork.NewFakeClockAt(epoch)
	var log logged
	s := openSpool(t, t.TempDir(), SpoolOptions{Clock: clock, Log: log.logger()})
	const many = 1500
	for n := range many {
		body, err := wire.EncodeBatch(batch(n))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(s.dir, nameOf(uint64(n+1)))
		writeFile(t, path, seal(body))
		mode := os.FileMode(0o200)
		if n == many-1 {
			mode = 0o644
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	s = reopen(t, s)
	for dir := s.dir; dir != filepath.Clean(os.TempDir()); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	allow := forbid(t)
	e, body, ok, err := s.take()
	allow()
	if err != nil || !ok || number(decode(t, body)) != many-1 {
		t.Fatalf("%v comes: %v, %v", e, ok, err)
	}
	wantStats(t, s, many, 0, 0)
	if got := strings.Join(s.Troubles(), " "); !strings.Contains(got, "batches wait for another try, 1499 now") || !strings.Contains(got, "permission denied") {
		t.Errorf("troubles are %q", got)
	}
	log.want(t, 1, "permission denied")
	for n := range many {
		if err := os.Chmod(filepath.Join(s.dir, nameOf(uint64(n+1))), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	clock.Advance(firstPatience)
	if got := takeAll(t, s); !slices.Equal(got, upTo(0, many)) {
		t.Errorf("%d batches come", len(got))
	}
}

// TestRefusalsInARow leave time to mend a server that refuses everything.
func TestRefusalsInARow(t *testing.T) {
	clock := newStepClock()
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		problem(w, http.StatusUnprocessableEntity, "I know nobody")
	})
	s := openSpool(t, t.TempDir(), SpoolOptions{Clock: clock})
	mustAppend(t, s, batch(0), batch(1), batch(2), batch(3))
	run(t, newUploader(t, s, srv.URL, func(o *UploaderOptions) { o.Clock = clock }))
	for n := 2; n < 4; n++ {
		p := clock.paused(t)
		wantStats(t, s, 4-n, n, 0)
		if p.length != refusalPause {
			t.Errorf("a pause of %v", p.length)
		}
		close(p.over)
	}
	clock.paused(t)
}

// TestRejectedTwice: of a batch that was taken in part some results are rejected
// later; those that were rejected at first stay set aside.
func TestRejectedTwice(t *testing.T) {
	answers := []string{
		`{"stored":0,"rejected":[{"index":0,"reason":"first"}],"later":[{"index":1,"reason":"not yet"}]}`,
		`{"stored":0,"rejected":[{"index":0,"reason":"second"}]}`,
	}
	srv := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, answers[0])
		answers = answers[1:]
	})
	clock := clockwork.NewFakeClockAt(epoch.Add(time.Hour))
	s := openSpool(t, t.TempDir(), SpoolOptions{Clock: clock})
	whole := batch(0, groups(2)...)
	whole.Run, whole.Views = "0123456789abcdef", []uint32{7}
	mustAppend(t, s, whole)
	u := newUploader(t, s, srv.URL, func(o *UploaderOptions) { o.Clock = clock })
	mustDrain(t, u)
	clock.Advance(time.Hour)
	mustDrain(t, u)
	all, err := AsideOf(s.dir)
	if err != nil || len(all) != 2 {
		t.Fatalf("set aside are %+v, %v; want two files", all, err)
	}
	tests := map[string]bool{}
	for _, a := range all {
		b, _, err := asideBatch(filepath.Join(s.dir, asideFolder), a.Name)
		if err != nil || len(b.Results) != 1 || b.Run != whole.Run || len(b.Views) != 1 {
			t.Fatalf("%s is %+v, %v", a.Name, b, err)
		}
		tests[b.Results[0].Test] = true
	}
	if len(tests) != 2 {
		t.Errorf("set aside are results of %v", tests)
	}
}

// TestTheEndIsNotForRefusals: each stop would set all aside that waits.
func TestTheEndIsNotForRefusals(t *testing.T) {
	for name, status := range map[string]int{"refused": http.StatusUnprocessableEntity, "too large": http.StatusRequestEntityTooLarge} {
		t.Run(name, func(t *testing.T) {
			srv := serve(t, func(w http.ResponseWriter, r *http.Request) { problem(w, status, "I know nobody") })
			s := openSpool(t, t.TempDir(), SpoolOptions{})
			mustAppend(t, s, batch(0), batch(1), batch(2))
			newUploader(t, s, srv.URL).Finish(t.Context())
			wantStats(t, s, 2, 1, 0)
		})
	}
}

// TestFullDiskRejectedAndLater: what the server takes later is not set aside with
// what it rejects.
func TestFullDiskRejectedAndLater(t *testing.T) {
	srv := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"stored":1,"rejected":[{"index":0,"reason":"never"}],"later":[{"index":1,"reason":"not yet"}]}`)
	})
	clock := clockwork.NewFakeClockAt(epoch.Add(time.Hour))
	s := openSpool(t, smallDisk(t), SpoolOptions{Clock: clock})
	mustAppend(t, s, batch(0, groups(3)...))
	other := filepath.Join(s.dir, "other")
	fill(t, other)
	u := newUploader(t, s, srv.URL, func(o *UploaderOptions) { o.Clock = clock })
	mustDrain(t, u)
	wantStats(t, s, 1, 0, 0)
	if err := os.Remove(other); err != nil {
		t.Fatal(err)
	}
	clock.Advance(time.Hour)
	mustDrain(t, u)
	wantStats(t, s, 1, 1, 0)
}
