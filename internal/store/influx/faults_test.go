package influx_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
	"ixpqos/internal/store/influx"
	"ixpqos/internal/store/storetest"
)

func batchOf(targets ...string) ippm.Batch {
	b := storetest.NewBatch("p1", 0)
	for _, target := range targets {
		b.Results = append(b.Results, storetest.NewResult(storetest.Pair("p1", target), 0, 0, 200))
	}
	return b
}

// TestUnavailable: what is set wrongly says what to do, at once and in Ready.
func TestUnavailable(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		what string
		set  func(*influx.Options)
		want []string
	}{
		{"unknown token", func(o *influx.Options) { o.Token = "nonsense" }, []string{"does not know the token", "ixpqos-server init"}},
		{"token for reading", func(o *influx.Options) { o.Token = w.tokens.Read.Secret }, []string{"token does not allow it", "for this use"}},
		{"missing bucket", func(o *influx.Options) { o.Buckets.Raw = "gone" }, []string{"bucket is missing", "run ixpqos-server init", `"gone"`}},
		{"missing organisation", func(o *influx.Options) { o.Org = "nobody" }, []string{"organisation or bucket is missing", `"nobody"`}},
		{"nobody listens", func(o *influx.Options) { o.URL = "http://127.0.0.1:1" }, []string{"127.0.0.1:1", "cannot be reached", "start it"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			opts := w.options()
			opts.Use = influx.Writing
			c.set(&opts)
			s := open(t, opts)
			_, putError := s.Put(t.Context(), batchOf("p2"))
			_, pingsError := s.PutPings(t.Context(), []store.Ping{storetest.NewPing("p1", "p2", 0)})
			for _, err := range []error{putError, pingsError, s.Ready(t.Context())} {
				checkUnavailable(t, err, c.want)
			}
		})
	}
	for _, c := range []struct {
		what string
		set  func(*influx.Options)
		want []string
	}{
		{"unknown token", func(o *influx.Options) { o.Token = "nonsense" }, []string{"does not know the token"}},
		{"token for writing", func(o *influx.Options) { o.Token = w.tokens.Write.Secret }, []string{"the token does not allow it", "for this use"}},
		{"missing bucket", func(o *influx.Options) { o.Buckets.Raw = "gone" }, []string{"bucket is missing", `gone`}},
		{"missing organisation", func(o *influx.Options) { o.Org = "nobody" }, []string{"organisation or bucket is missing", `"nobody"`}},
	} {
		t.Run("reading: "+c.what, func(t *testing.T) {
			opts := w.options()
			opts.Use = influx.Reading
			c.set(&opts)
			s := open(t, opts)
			_, latestError := s.Latest(t.Context(), store.Filter{}, storetest.At(0), storetest.At(1))
			_, pingsError := s.LastPings(t.Context(), "p1")
			for _, err := range []error{latestError, pingsError, s.Ready(t.Context())} {
				checkUnavailable(t, err, c.want)
			}
		})
	}
}

func checkUnavailable(t *testing.T, err error, want []string) {
	t.Helper()
	if !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("%v is no store.ErrUnavailable", err)
	}
	for _, text := range want {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%v does not say %q", err, text)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("%q is more than one line", err)
	}
}

// TestStranger: what takes every request but is no InfluxDB stores nothing.
func TestStranger(t *testing.T) {
	for _, status := range []int{200, 202, 301, 302, 307} {
		for use, what := range map[influx.Use]string{influx.Writing: "writing", influx.Reading: "reading", influx.ReadingAndWriting: "both"} {
			t.Run(fmt.Sprint(status, " ", what), func(t *testing.T) {
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					switch {
					case r.URL.Path == "/elsewhere": // looks like an InfluxDB that stored it
						w.WriteHeader(http.StatusNoContent)
					case status >= 300:
						http.Redirect(w, r, "/elsewhere", status)
					default:
						w.Header().Set("Content-Type", "text/html")
						w.WriteHeader(status)
						fmt.Fprintln(w, "<p>Welcome")
					}
				}))
				t.Cleanup(server.Close)
				s := open(t, influx.Options{URL: server.URL, Org: "o", Token: "t", Use: use})
				_, putError := s.Put(t.Context(), batchOf("p2"))
				_, pingsError := s.PutPings(t.Context(), []store.Ping{storetest.NewPing("p1", "p2", 0)})
				_, lastError := s.LastPings(t.Context(), "p1")
				for _, err := range []error{putError, pingsError, lastError, s.Ready(t.Context())} {
					checkUnavailable(t, err, []string{"no InfluxDB", "INFLUX_URL", fmt.Sprint("it answered ", status)})
				}
			})
		}
	}
}

func TestOptions(t *testing.T) {
	for want, opts := range map[string]influx.Options{
		"is no address": {URL: "127.0.0.1:8086", Org: "o", Token: "t"},
		"no token":      {URL: "http://127.0.0.1:8086", Org: "o"},
		"organisation":  {URL: "http://127.0.0.1:8086", Token: "t"},
	} {
		if _, err := influx.Open(t.Context(), opts); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v does not say %q", opts, err, want)
		}
	}
}

// TestTypeConflict: somebody wrote a field with another type, in the days of one
// of two results.
func TestTypeConflict(t *testing.T) {
	w := newWorld(t)
	w.Write(t, w.buckets.Raw, fmt.Sprintf("qos,source=x sent=1.5 %d", storetest.At(0).UnixNano()))
	s := open(t, w.options())
	b := batchOf("p2", "p3")
	b.Results[1].Start = storetest.Start.AddDate(0, 0, 21) // another shard
	rejected, err := s.Put(t.Context(), b)
	if err != nil || len(rejected) != 1 || rejected[0].ID != b.Results[0].ID || !strings.Contains(rejected[0].Reason, `field "sent"`) {
		t.Errorf("rejected %+v, %v", rejected, err)
	}
	if got := between(t, s, "p1", "p3"); len(got) != 1 {
		t.Errorf("%d results of p3, not 1", len(got))
	}
	got, err := s.Latest(t.Context(), store.Filter{}, storetest.At(0), b.Results[1].Start)
	if diff := storetest.DiffResults(b.Results[1:], got); diff != "" || err != nil {
		t.Errorf("Latest shows what was rejected: %v (-want +got):\n%s", err, diff)
	}
}

// TestRowConflict: without its row a batch is not stored as a whole, but none of
// its results is rejected: they stand there.
func TestRowConflict(t *testing.T) {
	w := newWorld(t)
	w.Write(t, w.buckets.Raw, fmt.Sprintf("row,source=x targets=1.5 %d", storetest.At(0).UnixNano()))
	s := open(t, w.options())
	rejected, err := s.Put(t.Context(), batchOf("p2", "p3"))
	if err == nil || errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), `a row of "p1"`) || len(rejected) > 0 {
		t.Errorf("rejected %+v, %v", rejected, err)
	}
	if got := between(t, s, "p1", "p2"); len(got) != 1 {
		t.Errorf("%d results of p2, not 1", len(got))
	}
}

// TestReportConflict: without its report a batch is not stored as a whole.
func TestReportConflict(t *testing.T) {
	w := newWorld(t)
	w.Write(t, w.buckets.Raw, fmt.Sprintf("probe,probe=x waiting=1.5 %d", storetest.At(0).UnixNano()))
	_, err := open(t, w.options()).Put(t.Context(), batchOf("p2"))
	if err == nil || errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), `the report of "p1"`) {
		t.Errorf("Put said %v", err)
	}
}

// TestPingConflict: an old series of the first version has another type, in the
// days of one of three pings. What is refused is not shown.
func TestPingConflict(t *testing.T) {
	w := newWorld(t)
	w.Write(t, w.buckets.Raw, fmt.Sprintf("Ping,source=x,status=ok,target=y loss=1i %d", storetest.At(0).UnixNano()))
	s := open(t, w.options())
	pings := []store.Ping{storetest.NewPing("p1", "p2", 0), storetest.NewPing("p1", "p3", 0), storetest.NewPing("p1", "p4", 0)}
	for i := range 2 {
		pings[i].At = storetest.Start.AddDate(0, 0, 21) // another shard
	}
	refused, err := s.PutPings(t.Context(), pings)
	if err != nil || len(refused) != 1 || refused[0].Source != "p1" || refused[0].Target != "p4" || refused[0].Family != 4 ||
		!strings.Contains(refused[0].Reason, `field "loss"`) {
		t.Errorf("refused %+v, %v", refused, err)
	}
	checkTargets(t, s, "p1", []string{"p2", "p3"})
}

// TestOutdated: what is older than the bucket keeps is rejected by name.
func TestOutdated(t *testing.T) {
	w := newWorldKeeping(t, influx.Retention{Raw: 48 * time.Hour})
	s := open(t, w.options())
	b := batchOf("p2", "p3", "p4")
	b.Start = time.Now().Truncate(time.Minute)
	b.Results[1].Start = b.Start
	rejected, err := s.Put(t.Context(), b)
	if err != nil || len(rejected) != 2 || rejected[0].ID != b.Results[0].ID || rejected[1].ID != b.Results[2].ID ||
		!strings.Contains(rejected[0].Reason, "retention") {
		t.Errorf("rejected %+v, %v", rejected, err)
	}
	if got, err := s.Latest(t.Context(), store.Filter{}, time.Time{}, b.Start); err != nil || len(got) != 1 || got[0].Target != "p3" {
		t.Errorf("latest %+v, %v", got, err)
	}
	b.Start, b.Results = storetest.Start, b.Results[:1]
	if rejected, err := s.Put(t.Context(), b); err != nil || len(rejected) != 1 {
		t.Errorf("of an old batch it rejected %+v, %v", rejected, err)
	}
}

// double answers as an InfluxDB in trouble: it refuses requests that have a line
// about a target whose name begins with "bad".
type double struct {
	*httptest.Server
	status int
	mu     sync.Mutex
	taken  []string
}

func newDouble(t *testing.T, status int) *double {
	d := &double{status: status}
	d.Server = httptest.NewServer(d)
	t.Cleanup(d.Close)
	return d
}

func (d *double) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if strings.Contains(string(body), "target=bad") {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(d.status)
		fmt.Fprint(w, `{"code":"a code","message":"a reason"}`)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.taken = append(d.taken, strings.Split(strings.TrimSpace(string(body)), "\n")...)
	w.WriteHeader(http.StatusNoContent)
}

func (d *double) store(t *testing.T) *influx.Store {
	return open(t, influx.Options{URL: d.URL, Org: "o", Token: "t"})
}

// TestBadLines: where InfluxDB takes nothing of a request because of one line,
// the others get through, each once.
func TestBadLines(t *testing.T) {
	for _, status := range []int{400, 413, 422} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			d := newDouble(t, status)
			rejected, err := d.store(t).Put(t.Context(), batchOf("a", "b", "bad1", "c", "d", "bad2", "e"))
			if err != nil || len(rejected) != 2 || rejected[0].ID.Target != "bad1" || rejected[1].ID.Target != "bad2" || rejected[0].Reason != "a reason" {
				t.Errorf("rejected %+v, %v", rejected, err)
			}
			if len(d.taken) != 5+1+1 { // results, row, report
				t.Errorf("%d lines were taken", len(d.taken))
			}
		})
	}
}

func TestOverloaded(t *testing.T) {
	for _, status := range []int{401, 403, 404, 429, 500, 503} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			d := newDouble(t, status)
			rejected, err := d.store(t).Put(t.Context(), batchOf("a", "bad1"))
			if !errors.Is(err, store.ErrUnavailable) || len(rejected) > 0 || len(d.taken) > 0 {
				t.Errorf("rejected %+v, %v; %d lines were taken", rejected, err, len(d.taken))
			}
		})
	}
}

// TestPassing: what may be over in a moment says so, and how long it asks to wait.
func TestPassing(t *testing.T) {
	for status, want := range map[int]bool{401: false, 404: false, 429: true, 500: true, 503: true} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(status)
		}))
		t.Cleanup(server.Close)
		checkPassing(t, server.URL, want, 7*time.Second)
	}
	checkPassing(t, "http://127.0.0.1:1", true, 0)
}

func checkPassing(t *testing.T, url string, want bool, after time.Duration) {
	t.Helper()
	s := open(t, influx.Options{URL: url, Org: "o", Token: "t"})
	_, err := s.PutPings(t.Context(), []store.Ping{storetest.NewPing("p1", "p2", 0)})
	var passing store.Passing
	if is := errors.As(err, &passing); is != want || is && passing.After != after || !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("%v: passing %v, after %v", err, is, passing.After)
	}
}

// TestHangs: Ready says what hangs, in less time than who asks has.
func TestHangs(t *testing.T) {
	end := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-end }))
	t.Cleanup(func() { close(end); server.Close() })
	for use, what := range map[influx.Use]string{influx.Writing: "write", influx.Reading: "read"} {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		s := open(t, influx.Options{URL: server.URL, Org: "o", Token: "t", Use: use})
		checkUnavailable(t, s.Ready(ctx), []string{what + ": InfluxDB at " + server.URL, "no answer in time (1s)", "look whether it hangs or is overloaded"})
	}
}

// TestPasswordInURL: it would stand in every error; no error tells it.
func TestPasswordInURL(t *testing.T) {
	for _, url := range []string{"http://user:hunter2@127.0.0.1:8086", "http://hunter2@127.0.0.1", "http://user:hunter2%zz@host", "user:hunter2@host"} {
		_, openError := influx.Open(t.Context(), influx.Options{URL: url, Org: "o", Token: "t"})
		_, initError := influx.Init(t.Context(), url, "o", "t", influx.Buckets{}, influx.Retention{})
		for _, err := range []error{openError, initError} {
			if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "leave it out") {
				t.Errorf("%s: %v", url, err)
			}
		}
	}
}

// TestInitFails at the third token: nobody is shown the first two, which then
// must not be left behind, or not unsaid.
func TestInitFails(t *testing.T) {
	for _, revokes := range []bool{true, false} {
		t.Run(fmt.Sprint("revokes ", revokes), func(t *testing.T) {
			live := map[string]bool{}
			api := http.NewServeMux()
			api.HandleFunc("GET /api/v2/orgs", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"orgs":[{"id":"org"}]}`) })
			api.HandleFunc("GET /api/v2/buckets", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"buckets":[{"id":"bucket"}]}`) })
			api.HandleFunc("POST /api/v2/authorizations", func(w http.ResponseWriter, _ *http.Request) {
				if len(live) == 2 {
					w.WriteHeader(http.StatusInternalServerError)
					return
				}
				id := fmt.Sprint("token-", len(live))
				live[id] = true
				fmt.Fprintf(w, `{"id":%q,"token":"secret"}`, id)
			})
			api.HandleFunc("DELETE /api/v2/authorizations/{id}", func(w http.ResponseWriter, r *http.Request) {
				if !revokes {
					w.WriteHeader(http.StatusInternalServerError)
					return
				}
				delete(live, r.PathValue("id"))
				w.WriteHeader(http.StatusNoContent)
			})
			server := httptest.NewServer(api)
			t.Cleanup(server.Close)
			done, err := influx.Init(t.Context(), server.URL, "o", "t", influx.Buckets{}, influx.Retention{})
			if !errors.Is(err, store.ErrUnavailable) || done.Write.Secret != "" || strings.Contains(err.Error(), "secret") {
				t.Errorf("%+v, %v", done, err)
			}
			if named := strings.Contains(err.Error(), "ends token-0, token-1"); named == revokes || revokes != (len(live) == 0) {
				t.Errorf("live %v, but Init said %v", live, err)
			}
		})
	}
}

// TestInjection: a name that would add a line is refused before anything is sent.
func TestInjection(t *testing.T) {
	d := newDouble(t, 400)
	s := d.store(t)
	for _, name := range []string{"", "a\nqos,source=x sent=1i", `ends in\`, "\x00"} {
		b := batchOf("p2", "p3")
		b.Results[0].Target = name
		if _, err := s.Put(t.Context(), b); err == nil {
			t.Errorf("a result for %q was stored", name)
		}
		ping := storetest.NewPing("p1", name, 0)
		if _, err := s.PutPings(t.Context(), []store.Ping{ping}); err == nil {
			t.Errorf("a ping to %q was stored", name)
		}
		if _, err := s.Put(t.Context(), ippm.Batch{Probe: name, Start: storetest.Start}); err == nil {
			t.Errorf("a report of %q was stored", name)
		}
	}
	if len(d.taken) > 0 {
		t.Errorf("%q were sent", d.taken)
	}
}

func between(t *testing.T, s *influx.Store, source, target string) (got []store.Stored) {
	t.Helper()
	err := s.Range(t.Context(), source, target, store.Filter{}, time.Time{}, storetest.Start.AddDate(1, 0, 0), func(r store.Stored) error {
		got = append(got, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}
