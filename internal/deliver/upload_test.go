package deliver

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ixpqos/internal/ippm"
	"ixpqos/internal/wire"
)

func posted(t *testing.T, body []byte) wire.Batch {
	t.Helper()
	var b wire.Batch
	if err := json.Unmarshal(body, &b); err != nil {
		t.Fatal(err)
	}
	return b
}

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv
}

func TestRequest(t *testing.T) {
	var got http.Header
	var path, method string
	var body []byte
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got, path, method = r.Header, r.URL.Path, r.Method
		body, _ = io.ReadAll(r.Body)
		writeAnswer(w, wire.Answer{Stored: 1})
	})
	s := openSpool(t, t.TempDir(), SpoolOptions{})
	mustAppend(t, s, batch(0))
	want, err := s.Read(Entry{Name: nameOf(1)})
	if err != nil {
		t.Fatal(err)
	}
	mustDrain(t, newUploader(t, s, srv.URL+"/backend/"))
	if method != "POST" || path != "/backend/api/v2/results" || string(body) != string(want) {
		t.Errorf("%s %s with %q", method, path, body)
	}
	for name, want := range map[string]string{"X-API-Key": "secret", "Content-Type": "application/json", "User-Agent": "ixpqos-probe/1.2.3"} {
		if got.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, got.Get(name), want)
		}
	}
}

// TestAnswers goes through every class of answer to a batch of one group.
func TestAnswers(t *testing.T) {
	const kept, gone, aside = "kept", "gone", "aside"
	for _, tc := range []struct {
		status  int
		body    string
		becomes string
		says    string // in Trouble's sentence or in the log
	}{
		{200, `{"stored":1,"rejected":[]}`, gone, ""},
		{200, `{"stored":1,"rejected":null,"of_a_newer_server":1}`, gone, ""},
		{200, `<html>Welcome to our hotel</html>`, kept, "not as the API does: a page for a person, probably of a proxy or a login page"},
		{200, `{"status":"ok"}`, kept, "not as the API does"},
		{200, `{"stored":1,"rejected":[`, kept, "not as the API does"},
		{200, ``, kept, "not as the API does"},
		{200, strings.Repeat(" ", maxAnswerBytes) + `{"stored":1}`, kept, "more than 8388608 bytes"},
		{201, `{"stored":1}`, kept, "201 Created"},
		{204, ``, kept, "204 No Content"},
		{301, ``, kept, "a redirect, which is not followed"},
		{400, `{"title":"Bad Request"}`, aside, "400 Bad Request"},
		{400, `<html>The plain HTTP request was sent to HTTPS port</html>`, kept, "400 Bad Request (not an answer of the API)"},
		{400, `{"message":"Bad Request"}`, kept, "400 Bad Request (not an answer of the API)"},
		{422, ``, kept, "422 Unprocessable Entity (not an answer of the API)"},
		{401, ``, kept, "answered 401 Unauthorized (the key is not accepted): check --key-file"},
		{403, ``, kept, "403 Forbidden (the key is not this probe's)"},
		{404, ``, kept, "404 Not Found (the API is not there)"},
		{405, ``, kept, "405 Method Not Allowed"},
		{408, ``, kept, "408 Request Timeout"},
		{413, `{"title":"Too Large"}`, aside, "it cannot be split: all its results are of one test"},
		{413, `<html>nginx</html>`, kept, "raise the limit of what stands before the server"},
		{418, strings.Repeat("x", 2*maxErrorBytes), kept, "418"},
		{422, `{"title":"all rejected"}`, aside, "422 Unprocessable Entity"},
		{429, ``, kept, "429 Too Many Requests"},
		{500, ``, kept, "500 Internal Server Error"},
		{502, ``, kept, "502 Bad Gateway"},
		{503, ``, kept, "503 Service Unavailable (the server is in trouble)"},
		{504, ``, kept, "504 Gateway Timeout"},
		{599, ``, kept, "answered 599 ("},
	} {
		t.Run(fmt.Sprintf("%d %.12s", tc.status, strings.TrimSpace(tc.body)), func(t *testing.T) {
			srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(tc.body, `{"title"`) {
					w.Header().Set("Content-Type", "application/problem+json; charset=utf-8")
				}
				w.WriteHeader(tc.status)
				_, _ = io.WriteString(w, tc.body)
			})
			var log logged
			s := openSpool(t, t.TempDir(), SpoolOptions{Log: log.logger()})
			mustAppend(t, s, batch(0))
			failed := drain(t, newUploader(t, s, srv.URL))
			if (failed != nil) != (tc.becomes == kept) {
				t.Fatalf("failure is %+v", failed)
			}
			if failed != nil && !(strings.HasPrefix(failed.sentence, "results wait: POST "+srv.URL+resultsPath) && strings.Contains(failed.sentence, tc.says)) {
				t.Errorf("trouble is %q", failed.sentence)
			}
			switch tc.becomes {
			case kept:
				wantStats(t, s, 1, 0, 0)
			case gone:
				wantStats(t, s, 0, 0, 0)
			case aside:
				wantStats(t, s, 0, 1, 0)
				log.want(t, 1, tc.says)
				if !slices.Contains(asideFiles(t, s), nameOf(1)) {
					t.Error("the batch is not set aside")
				}
			}
		})
	}
}

func TestRefusedBatchKeepsTheAnswer(t *testing.T) {
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = io.WriteString(w, "because"+strings.Repeat("!", 2*maxErrorBytes))
	})
	var log logged
	s := openSpool(t, t.TempDir(), SpoolOptions{Log: log.logger()})
	mustAppend(t, s, batch(0))
	mustDrain(t, newUploader(t, s, srv.URL))
	said := readFile(t, filepath.Join(s.dir, asideFolder, "0000000000000001.answer.txt"))
	if !strings.Contains(said, "422 Unprocessable Entity\n\nbecause!") || len(said) > maxErrorBytes+200 {
		t.Errorf("the answer is kept as %d bytes: %.100s", len(said), said)
	}
	for _, line := range log.lines("because") {
		if len(line) > 1000 {
			t.Errorf("a log line has %d bytes", len(line))
		}
	}
	again, err := readBatch([]byte(readFile(t, filepath.Join(s.dir, asideFolder, nameOf(1)))))
	if err != nil || number(decode(t, again)) != 0 {
		t.Errorf("what was set aside is not the batch: %v", err)
	}
}

func rejecting(t *testing.T) *httptest.Server {
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		writeAnswer(w, wire.Answer{Stored: 1, Rejected: []wire.Rejected{
			{Index: 2, Test: "test-2", Reason: "no such test"}, {Index: 0, Reason: "too old"}, {Index: 99, Reason: "what?"}}})
	})
}

func TestRejectedResults(t *testing.T) {
	var log logged
	s := openSpool(t, t.TempDir(), SpoolOptions{Log: log.logger()})
	mustAppend(t, s, batch(0, groups(3)...))
	mustDrain(t, newUploader(t, s, rejecting(t).URL))
	wantStats(t, s, 0, 3, 0)
	log.want(t, 1, `rejected 3 results, the first because: \"no such test\"`)
	var kept struct {
		Probe    string
		Rejected []struct {
			Reason string
			Result *wire.Result
		}
	}
	content := readFile(t, filepath.Join(s.dir, asideFolder, "0000000000000001.rejected.json"))
	if err := json.Unmarshal([]byte(content), &kept); err != nil {
		t.Fatal(err)
	}
	if kept.Probe != "p1" || len(kept.Rejected) != 3 || kept.Rejected[0].Reason != "no such test" ||
		kept.Rejected[0].Result.Test != "test-2" || kept.Rejected[1].Result.Test != "test-0" || kept.Rejected[2].Result != nil {
		t.Errorf("kept is %s", content)
	}
	if left := files(t, s.dir); len(left) > 0 {
		t.Errorf("the batch is not unlinked: %v", left)
	}
}

func TestRejectedHeard(t *testing.T) {
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		writeAnswer(w, wire.Answer{Stored: 1, RejectedHeard: []wire.Rejected{{Index: 1, Reason: "too old"}, {Index: 2, Reason: "what?"}}})
	})
	var log logged
	s := openSpool(t, t.TempDir(), SpoolOptions{Log: log.logger()})
	b := batch(0)
	b.Heard = heard(b, groups(2)...)
	mustAppend(t, s, b)
	mustDrain(t, newUploader(t, s, srv.URL))
	wantStats(t, s, 0, 2, 0)
	log.want(t, 1, `rejected 2 results, the first because: \"too old\"`)
	var kept struct {
		Rejected      []any
		RejectedHeard []struct {
			Reason string
			Heard  *wire.Heard
		} `json:"rejected_heard"`
	}
	content := readFile(t, filepath.Join(s.dir, asideFolder, "0000000000000001.rejected.json"))
	if err := json.Unmarshal([]byte(content), &kept); err != nil {
		t.Fatal(err)
	}
	if kept.Rejected == nil || len(kept.Rejected) > 0 || len(kept.RejectedHeard) != 2 || kept.RejectedHeard[0].Reason != "too old" ||
		kept.RejectedHeard[0].Heard.Test != "test-1" || kept.RejectedHeard[1].Heard != nil {
		t.Errorf("kept is %s", content)
	}
}

// TestRejectedResultsCannotBeKept puts a folder where their file belongs: then
// the whole batch is set aside.
func TestRejectedResultsCannotBeKept(t *testing.T) {
	s := openSpool(t, t.TempDir(), SpoolOptions{})
	mustAppend(t, s, batch(0, groups(3)...))
	if _, err := s.makeAside(); err != nil {
		t.Fatal(err)
	}
	blocked := filepath.Join(s.dir, asideFolder, "0000000000000001.rejected.json", "x")
	if err := makeFolder(blocked); err != nil {
		t.Fatal(err)
	}
	mustDrain(t, newUploader(t, s, rejecting(t).URL))
	wantStats(t, s, 0, 1, 0)
	if got := asideFiles(t, s); !slices.Equal(got, []string{nameOf(1)}) {
		t.Errorf("set aside are %v", got)
	}
}

func TestTooLargeIsSplit(t *testing.T) {
	a := newAPI(t)
	a.maxResults = 2
	s := openSpool(t, t.TempDir(), SpoolOptions{})
	var all []ippm.Batch
	for n := range 4 {
		all = append(all, batch(n, groups(2+5*n)...))
	}
	mustAppend(t, s, all...)
	mustDrain(t, newUploader(t, s, a.URL))
	a.want(t, all...)
	wantStats(t, s, 0, 0, 0)
	if n := a.repeats(); n > 0 {
		t.Errorf("%d results came twice", n)
	}
	if left := files(t, s.dir); len(left) > 0 {
		t.Errorf("files are left: %v", left)
	}
}

// TestCrashWhileSplitting brings about what a crash leaves between the writing
// of the halves and the unlinking of the batch.
func TestCrashWhileSplitting(t *testing.T) {
	for _, halves := range []int{1, 2} {
		t.Run(fmt.Sprint(halves), func(t *testing.T) {
			a := newAPI(t)
			a.maxResults = 2
			s := openSpool(t, t.TempDir(), SpoolOptions{})
			all := []ippm.Batch{batch(0, groups(7)...), batch(1)}
			mustAppend(t, s, all...)
			e, body, _, err := s.take()
			if err != nil {
				t.Fatal(err)
			}
			first, second, err := split(body)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.writeHalves(e, first, second); err != nil {
				t.Fatal(err)
			}
			if halves == 1 {
				_, name := halfNames(e.Name)
				if err := s.Remove(Entry{Name: name}); err != nil {
					t.Fatal(err)
				}
			}
			s = reopen(t, s)
			wantStats(t, s, 2+halves, 0, 0)
			mustDrain(t, newUploader(t, s, a.URL))
			a.want(t, all...)
			wantStats(t, s, 0, 0, 0)
		})
	}
}

// TestTooLargeAndClosed has a server that says 413 and closes at once, before
// the body was sent.
func TestTooLargeAndClosed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			answer := "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
			if req, err := http.ReadRequest(bufio.NewReader(conn)); err == nil && req.ContentLength < 2<<20 {
				_, _ = io.Copy(io.Discard, req.Body)
				answer = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nConnection: close\r\n\r\n{\"stored\":1}"
			}
			_, _ = io.WriteString(conn, answer)
			conn.Close()
		}
	}()
	s := openSpool(t, t.TempDir(), SpoolOptions{})
	mustAppend(t, s, batch(0, manyResults(20_000)...))
	if got := s.Stats().Bytes; got < 2<<20 {
		t.Fatalf("the batch has only %d bytes", got)
	}
	u := newUploader(t, s, "http://"+l.Addr().String())
	for range 2 {
		if drain(t, u) == nil {
			break
		}
	}
	wantStats(t, s, 0, 0, 0)
}

// manyResults are of two groups.
func manyResults(n int) []group {
	out := make([]group, n)
	for i := range out {
		out[i] = groups(2)[i%2]
	}
	return out
}

// The next two are different faults that must come to the same: in the first
// the request failed, in the second only its answer.
func TestServerFailsBeforeStoring(t *testing.T) {
	a := newAPI(t)
	var requests atomic.Int32
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) == 1 {
			panic(http.ErrAbortHandler)
		}
		a.ServeHTTP(w, r)
	})
	s := openSpool(t, t.TempDir(), SpoolOptions{})
	mustAppend(t, s, batch(0))
	u := newUploader(t, s, srv.URL)
	if failed := drain(t, u); failed == nil || !strings.HasPrefix(failed.kind, "network") {
		t.Fatalf("failure is %+v", failed)
	}
	mustDrain(t, u)
	a.want(t, batch(0))
	if n := a.repeats(); n != 0 {
		t.Errorf("%d results came twice", n)
	}
}

func TestAnswerIsLostAfterStoring(t *testing.T) {
	for name, lose := range map[string]func(w http.ResponseWriter){
		"before the status": func(http.ResponseWriter) {},
		"within the answer": func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "40")
			_, _ = io.WriteString(w, `{"stored":1,"rejected":[]`)
			w.(http.Flusher).Flush()
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAPI(t)
			var requests atomic.Int32
			srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if requests.Add(1) == 1 {
					a.ServeHTTP(httptest.NewRecorder(), r)
					lose(w)
					panic(http.ErrAbortHandler)
				}
				a.ServeHTTP(w, r)
			})
			s := openSpool(t, t.TempDir(), SpoolOptions{})
			mustAppend(t, s, batch(0))
			u := newUploader(t, s, srv.URL)
			if failed := drain(t, u); failed == nil || !strings.HasPrefix(failed.kind, "network") {
				t.Fatalf("failure is %+v", failed)
			}
			wantStats(t, s, 1, 0, 0)
			mustDrain(t, u)
			a.want(t, batch(0))
			if n := a.repeats(); n != 1 {
				t.Errorf("%d results came twice, want 1", n)
			}
			wantStats(t, s, 0, 0, 0)
		})
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	var elsewhere atomic.Int32
	other := serve(t, func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) })
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
	})
	s := openSpool(t, t.TempDir(), SpoolOptions{})
	mustAppend(t, s, batch(0))
	failed := drain(t, newUploader(t, s, srv.URL))
	if failed == nil || !strings.Contains(failed.sentence, other.URL) {
		t.Errorf("failure is %+v", failed)
	}
	if n := elsewhere.Load(); n != 0 {
		t.Errorf("the other host got %d requests", n)
	}
}

func TestTLSIsVerified(t *testing.T) {
	a := newAPI(t)
	srv := httptest.NewUnstartedServer(a)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	s := openSpool(t, t.TempDir(), SpoolOptions{})
	mustAppend(t, s, batch(0))
	if failed := drain(t, newUploader(t, s, srv.URL)); failed == nil || !strings.Contains(failed.sentence, "certificate") {
		t.Errorf("failure with an unknown certificate is %+v", failed)
	}
	mustDrain(t, newUploader(t, s, srv.URL, func(o *UploaderOptions) { o.Client = srv.Client() }))
	a.want(t, batch(0))
}

func TestNetworkTrouble(t *testing.T) {
	srv := serve(t, func(http.ResponseWriter, *http.Request) {})
	srv.Close()
	s := openSpool(t, t.TempDir(), SpoolOptions{})
	mustAppend(t, s, batch(0))
	u := newUploader(t, s, srv.URL)
	want := fmt.Sprintf("results wait: POST %s/api/v2/results failed: dial tcp %s: connect: connection refused: check the network and the server",
		srv.URL, srv.Listener.Addr())
	if failed := drain(t, u); failed == nil || failed.sentence != want || failed.kind != "network: connection refused" {
		t.Errorf("failure is %+v", failed)
	}
	u = newUploader(t, s, srv.URL, func(o *UploaderOptions) {
		o.Key = func() (string, error) { return "", errors.New("key file x: it is empty") }
	})
	if failed := drain(t, u); failed == nil || failed.sentence != "results wait: key file x: it is empty" {
		t.Errorf("failure is %+v", failed)
	}
}

// TestWordsOfTheServerAreBounded: a sentence travels on in every batch.
func TestWordsOfTheServerAreBounded(t *testing.T) {
	long := strings.Repeat("x", 50_000)
	for name, answer := range map[string]string{
		"no HTTP": long + "\r\n\r\n",
		"status":  "HTTP/1.1 " + long + "\r\n\r\n",
		"detail":  "HTTP/1.1 500 No\r\nContent-Type: application/problem+json\r\nConnection: close\r\n\r\n" + `{"detail":"` + long + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				conn, _, err := w.(http.Hijacker).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				_, _ = io.WriteString(conn, answer)
			})
			s := openSpool(t, t.TempDir(), SpoolOptions{})
			mustAppend(t, s, batch(0))
			failed := drain(t, newUploader(t, s, srv.URL))
			if failed == nil || len(failed.sentence) > 1000 {
				t.Errorf("failure is %.300q", fmt.Sprint(failed))
			}
		})
	}
}

func TestOptions(t *testing.T) {
	s := openSpool(t, t.TempDir(), SpoolOptions{})
	for _, url := range []string{"", "example.net", "ftp://example.net", "https://", "https://a:hidden@example.net", "https://a:hidden@exa mple.net",
		"https://example.net?x=1", "https://example.net/#x"} {
		_, err := NewUploader(s, UploaderOptions{URL: url, Client: http.DefaultClient, Key: func() (string, error) { return "", nil }})
		if err == nil || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%q: %v", url, err)
		}
	}
	if _, err := NewUploader(s, UploaderOptions{URL: "https://example.net"}); err == nil {
		t.Error("neither key nor client is missed")
	}
}

// script answers with one status after the other, and then as the API does.
func script(t *testing.T, a *api, steps ...func(http.ResponseWriter)) *httptest.Server {
	var mu sync.Mutex
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if len(steps) == 0 {
			a.ServeHTTP(w, r)
			return
		}
		steps[0](w)
		steps = steps[1:]
	})
}

func status(code int, headers ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
	}
}

func stored(n int) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) { writeAnswer(w, wire.Answer{Stored: n}) }
}

func TestPauses(t *testing.T) {
	steps := slices.Repeat([]func(http.ResponseWriter){status(503)}, 9)
	steps = append(steps, stored(1), status(503))
	clock := newStepClock()
	a := newAPI(t)
	s := openSpool(t, t.TempDir(), SpoolOptions{})
	mustAppend(t, s, batch(0), batch(1))
	run(t, newUploader(t, s, script(t, a, steps...).URL, func(o *UploaderOptions) { o.Clock = clock }))
	within := func(got time.Duration, from, to int) {
		t.Helper()
		if got < time.Duration(from)*time.Second || got > time.Duration(to)*time.Second {
			t.Errorf("a pause of %v, want %d to %d seconds", got, from, to)
		}
	}
	for _, from := range []int{1, 2, 4, 8, 16, 30, 30, 30, 30} {
		within(clock.skip(t), from, min(2*from, 60))
	}
	within(clock.skip(t), 1, 2) // the success in between has reset it
}

func TestRetryAfter(t *testing.T) {
	date := func(d time.Duration) string { return epoch.Add(d).Format(http.TimeFormat) }
	for _, tc := range []struct {
		headers []string
		want    time.Duration // 0: the pause is our own
	}{
		{[]string{"Retry-After", "120"}, 120 * time.Second},
		{[]string{"Retry-After", "3600"}, 5 * time.Minute},
		{[]string{"Retry-After", "99999999999999999999"}, 0},
		{[]string{"Retry-After", "0"}, 0},
		{[]string{"Retry-After", "-5"}, 0},
		{[]string{"Retry-After", "soon"}, 0},
		{[]string{"Retry-After", date(time.Minute), "Date", date(0)}, time.Minute},
		{[]string{"Retry-After", date(9 * time.Hour), "Date", date(9*time.Hour - 90*time.Second)}, 90 * time.Second},
		{[]string{"Retry-After", date(9 * time.Hour), "Date", date(0)}, 5 * time.Minute},
		{[]string{"Retry-After", date(time.Minute), "Date", ""}, time.Minute},
		{[]string{"Retry-After", date(-time.Minute), "Date", date(0)}, 0},
	} {
		t.Run(strings.Join(tc.headers, " "), func(t *testing.T) {
			clock := newStepClock()
			s := openSpool(t, t.TempDir(), SpoolOptions{})
			mustAppend(t, s, batch(0))
			srv := script(t, newAPI(t), func(w http.ResponseWriter) {
				status(429, tc.headers...)(w)
			})
			run(t, newUploader(t, s, srv.URL, func(o *UploaderOptions) { o.Clock = clock }))
			got := clock.skip(t)
			if tc.want > 0 && got != tc.want || tc.want == 0 && (got < time.Second || got > 2*time.Second) {
				t.Errorf("a pause of %v, want %v", got, tc.want)
			}
		})
	}
}

// TestRefusalsAreTrouble: a probe whose batches are all refused delivers, and
// must not seem well.
func TestRefusalsAreTrouble(t *testing.T) {
	refusing := true
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if !refusing {
			writeAnswer(w, wire.Answer{Stored: 1})
			return
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = io.WriteString(w, `{"detail":"the clock is ahead"}`)
	})
	s := openSpool(t, t.TempDir(), SpoolOptions{})
	u := newUploader(t, s, srv.URL)
	mustAppend(t, s, batch(0))
	mustDrain(t, u)
	if got := u.Trouble(); !strings.Contains(got, "results are set aside") || !strings.Contains(got, "the clock is ahead") {
		t.Errorf("trouble is %q", got)
	}
	refusing = false
	mustAppend(t, s, batch(1))
	mustDrain(t, u)
	if got := u.Trouble(); got != "" {
		t.Errorf("trouble stays: %q", got)
	}
}

func TestTroubleAndLog(t *testing.T) {
	var log logged
	clock := newStepClock()
	a := newAPI(t)
	s := openSpool(t, t.TempDir(), SpoolOptions{Log: log.logger()})
	mustAppend(t, s, batch(0))
	srv := script(t, a, status(503), status(503), status(503), status(401), status(401))
	u := newUploader(t, s, srv.URL, func(o *UploaderOptions) { o.Clock = clock })
	if got := u.Trouble(); got != "" {
		t.Errorf("trouble before the start: %q", got)
	}
	stop := run(t, u)
	for _, want := range []string{"503 Service", "503 Service", "503 Service", "401 Unauthorized", "401 Unauthorized"} {
		p := clock.paused(t)
		if got := u.Trouble(); !strings.Contains(got, want) {
			t.Errorf("trouble is %q, want %s", got, want)
		}
		close(p.over)
	}
	waitEmpty(t, s, a)
	stop()
	if got := u.Trouble(); got != "" {
		t.Errorf("trouble after success: %q", got)
	}
	log.want(t, 1, "503 Service")
	log.want(t, 1, "401 Unauthorized")
	log.want(t, 1, "delivered again")
	log.want(t, 1, "failures=5")
}

// waitEmpty appends one more batch and waits for it to come: batches go one by
// one, so those before it are settled then.
func waitEmpty(t *testing.T, s *Spool, a *api) {
	t.Helper()
	came := make(chan struct{})
	a.mu.Lock()
	a.onBatch = func(n int) {
		if n == 999 {
			close(came)
		}
	}
	a.mu.Unlock()
	mustAppend(t, s, batch(999))
	await(t, came)
}

func TestRunDeliversWhatIsAppended(t *testing.T) {
	a := newAPI(t)
	s := openSpool(t, t.TempDir(), SpoolOptions{})
	run(t, newUploader(t, s, a.URL))
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for i := range 10 {
				if err := s.Append(t.Context(), batch(worker*10+i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	waitEmpty(t, s, a)
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.stored) != 41 {
		t.Errorf("%d results are stored, want 41", len(a.stored))
	}
}

func TestTimeout(t *testing.T) {
	arrived := make(chan struct{})
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the server sees a closed connection only then
		arrived <- struct{}{}
		<-r.Context().Done()
	})
	clock := newStepClock()
	s := openSpool(t, t.TempDir(), SpoolOptions{})
	mustAppend(t, s, batch(0))
	u := newUploader(t, s, srv.URL, func(o *UploaderOptions) { o.Clock = clock })
	run(t, u)
	await(t, arrived)
	clock.Advance(defaultTimeout)
	clock.paused(t)
	if got := u.Trouble(); !strings.Contains(got, "no answer in time (30s)") {
		t.Errorf("trouble is %q", got)
	}
}

func TestRunEndsAtOnce(t *testing.T) {
	t.Run("while the server hangs", func(t *testing.T) {
		arrived := make(chan struct{})
		srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			close(arrived)
			<-r.Context().Done()
		})
		s := openSpool(t, t.TempDir(), SpoolOptions{})
		mustAppend(t, s, batch(0))
		u := newUploader(t, s, srv.URL)
		stop := run(t, u)
		await(t, arrived)
		stop()
		wantStats(t, s, 1, 0, 0)
		if got := u.Trouble(); got != "" {
			t.Errorf("to be told to end is no trouble, but %q", got)
		}
	})
	t.Run("while it pauses", func(t *testing.T) {
		clock := newStepClock()
		s := openSpool(t, t.TempDir(), SpoolOptions{})
		mustAppend(t, s, batch(0))
		stop := run(t, newUploader(t, s, script(t, newAPI(t), status(503)).URL, func(o *UploaderOptions) { o.Clock = clock }))
		clock.paused(t)
		stop()
		wantStats(t, s, 1, 0, 0)
	})
	t.Run("while nothing waits", func(t *testing.T) {
		s := openSpool(t, t.TempDir(), SpoolOptions{})
		run(t, newUploader(t, s, newAPI(t).URL))()
	})
}
