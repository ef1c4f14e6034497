package service_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ixpqos/infra/influx"
	"ixpqos/infra/needs"
	"ixpqos/internal/store/influx"
)

func TestMain(m *testing.M) { os.Exit(influxd.Main(m)) }

// serving is a function that serves over HTTP.
type serving struct {
	url string
	cmd *exec.Cmd
	log *lines
}

// lines is what a process said, while it goes on.
type lines struct {
	said chan string
	all  bytes.Buffer // to be read when the process has ended
}

// serve runs the binary of a folder over HTTP until the test ends, and waits
// until it says where it listens.
func serve(t *testing.T, folder string, env ...string) *serving {
	t.Helper()
	s := &serving{cmd: exec.Command(filepath.Join(folder, "bootstrap"), "--listen", "127.0.0.1:0",
		"--inventory", filepath.Join(folder, "inventory.yaml"), "--keys", filepath.Join(folder, "keys.yaml")), log: &lines{said: make(chan string, 100)}}
	s.cmd.Env = slices.Concat([]string{"PATH=/usr/bin"}, env)
	out, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(s.log.said)
		for scanner := bufio.NewScanner(io.TeeReader(out, &s.log.all)); scanner.Scan(); {
			select {
			case s.log.said <- scanner.Text():
			default: // nobody waits for that many
			}
		}
	}()
	t.Cleanup(func() {
		if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		<-read
		if err := s.cmd.Wait(); err != nil {
			t.Errorf("it ended with %v: %s", err, &s.log.all)
		}
	})
	said := s.says(t, "msg=listening")
	s.url = "http://" + regexp.MustCompile(`address=(\S+)`).FindStringSubmatch(said)[1]
	return s
}

// says waits for a line of the log with that text.
func (s *serving) says(t *testing.T, text string) string {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case line, ok := <-s.log.said:
			if !ok {
				t.Fatalf("it ended without saying %q: %s", text, &s.log.all)
			}
			if strings.Contains(line, text) {
				return line
			}
		case <-late:
			t.Fatalf("it does not say %q", text)
		}
	}
}

func (s *serving) ask(t *testing.T, method, path, key, body string) (int, http.Header, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-API-Key", key)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, string(text)
}

// TestOverHTTP: the functions are HTTP servers where there is no Lambda, each
// with its own token, and what one wrote the other shows.
func TestOverHTTP(t *testing.T) {
	needs.Time(t) // to build the functions
	server := influxd.Start(t)
	raw, flows := server.BucketName(t, "raw"), server.BucketName(t, "flows")
	made, err := influx.Init(t.Context(), server.URL, server.Org, server.Token, influx.Buckets{Raw: raw,
		FiveMinutes: server.BucketName(t, "5m"), Hours: server.BucketName(t, "1h"), Flows: flows, Rows: server.BucketName(t, "rows")},
		influx.DefaultRetention)
	if err != nil {
		t.Fatal(err)
	}
	settings := func(token, bucket string) []string {
		return []string{"INFLUX_URL=" + server.URL, "INFLUX_ORG=" + server.Org, "INFLUX_TOKEN_FILE=" + tokenFile(t, token), "INFLUX_BUCKET_RAW=" + bucket,
			"INFLUX_BUCKET_FLOWS=" + flows}
	}
	ingest, query := build(t, "ingest"), build(t, "query")

	t.Run("together", func(t *testing.T) {
		in, out := serve(t, ingest, settings(made.Write.Secret, raw)...), serve(t, query, settings(made.Read.Secret, raw)...)
		for _, s := range []*serving{in, out} {
			if status, _, body := s.ask(t, "GET", "/readyz", "", ""); status != http.StatusOK {
				t.Errorf("not ready: %d %s", status, body)
			}
		}
		if status, _, body := in.ask(t, "POST", "/api/v2/results", probeKey, batchText()); status != http.StatusOK {
			t.Errorf("post: %d %s", status, body)
		}
		if status, _, body := out.ask(t, "GET", "/api/v2/probes", viewerKey, ""); status != http.StatusOK || !strings.Contains(body, `"name":"p1","site":"rome-1","switch":"sw1","drain":false,"heard_at":"`) {
			t.Errorf("probes: %d %s", status, body)
		}
	})
	for _, tc := range []struct {
		name, folder, token, bucket string
		want                        string
	}{
		{"ingest with a wrong token", ingest, "wrong", raw, "token"},
		{"ingest with the token to read", ingest, made.Read.Secret, raw, "token"},
		{"query with the token to write", query, made.Write.Secret, raw, "token"},
		{"ingest without a bucket", ingest, made.Write.Secret, "none", "bucket"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := serve(t, tc.folder, settings(tc.token, tc.bucket)...)
			if line := s.says(t, "the store is not ready"); !strings.Contains(line, tc.want) {
				t.Errorf("the log does not name the %s: %s", tc.want, line)
			}
			if status, _, body := s.ask(t, "GET", "/readyz", viewerKey, ""); status != http.StatusServiceUnavailable || !strings.Contains(body, tc.want) {
				t.Errorf("/readyz: %d %s", status, body)
			}
			if tc.folder != ingest {
				return
			}
			status, header, body := s.ask(t, "POST", "/api/v2/results", probeKey, batchText())
			if status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" {
				t.Errorf("post: %d %v %s", status, header, body)
			}
		})
	}
	t.Run("SQLite", func(t *testing.T) {
		store := fmt.Sprintf("IXPQOS_STORE=sqlite:%s/x.db", t.TempDir())
		in, out := serve(t, ingest, store), serve(t, query, store)
		if status, _, body := in.ask(t, "POST", "/api/v2/results", probeKey, batchText()); status != http.StatusOK {
			t.Errorf("post: %d %s", status, body)
		}
		if status, _, body := out.ask(t, "GET", "/api/v2/probes", viewerKey, ""); status != http.StatusOK || !strings.Contains(body, `"heard_at":"`) {
			t.Errorf("probes: %d %s", status, body)
		}
	})
}

func tokenFile(t *testing.T, token string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "token")
	write(t, path, token+"\n")
	return path
}
