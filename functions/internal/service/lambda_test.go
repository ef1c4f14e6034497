package service_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ixpqos/infra/needs"
	"ixpqos/infra/runtimeapi"
)

// probeKey and probeHash are a key of p1, who is in the inventory of the tests.
const (
	probeKey  = "a-key-of-p1"
	viewerKey = "a-key-of-noc"
)

// build makes the bootstrap of a function as `sam build` does, with the files
// that lie beside it, and returns its folder.
func build(t testing.TB, function string) string {
	t.Helper()
	folder := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -X main.version=test",
		"-o", filepath.Join(folder, "bootstrap"), "ixpqos/functions/"+function)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v: %s", cmd, err, out)
	}
	write(t, filepath.Join(folder, "inventory.yaml"), inventoryText)
	write(t, filepath.Join(folder, "keys.yaml"), keysText)
	return folder
}

// bootstrap is a running function under the double.
type bootstrap struct {
	*runtimeapi.Double
	cmd   *exec.Cmd
	said  *bytes.Buffer
	began time.Time
}

// start runs the bootstrap of a folder as Lambda does. The test ends it.
func start(t testing.TB, folder string, env ...string) *bootstrap {
	t.Helper()
	double := runtimeapi.Start()
	b := &bootstrap{Double: double, cmd: exec.Command(filepath.Join(folder, "bootstrap")), said: &bytes.Buffer{}}
	b.cmd.Dir, b.cmd.Stderr = folder, b.said
	b.cmd.Env = slices.Concat([]string{double.Environment(), "LAMBDA_TASK_ROOT=" + folder, "PATH=/usr/bin"}, env)
	b.began = time.Now()
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		b.stop(t)
		double.Close()
	})
	return b
}

// stop ends the bootstrap as Lambda does, and wants it to end well.
func (b *bootstrap) stop(t testing.TB) {
	if b.cmd.ProcessState != nil {
		return
	}
	if err := b.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if err := b.cmd.Wait(); err != nil {
		t.Errorf("the bootstrap ended with %v: %s", err, b.said)
	}
}

// ready waits until the bootstrap asks for its first event.
func (b *bootstrap) ready(t testing.TB) time.Duration {
	t.Helper()
	select {
	case <-b.Ready():
		return time.Since(b.began)
	case <-time.After(20 * time.Second):
		b.cmd.Process.Kill()
		b.cmd.Wait()
		t.Fatalf("the bootstrap does not ask for an event: %s", b.said)
		return 0
	}
}

type answer struct {
	StatusCode      int
	Headers         map[string]string
	Body            string
	IsBase64Encoded bool
}

// ask sends an event and returns the answer, its body decoded.
func (b *bootstrap) ask(t testing.TB, event string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	out, err := b.Invoke(ctx, []byte(event))
	if err != nil {
		t.Fatal(err)
	}
	var a answer
	if err := json.Unmarshal(out.Body, &a); err != nil || out.Failed {
		t.Fatalf("%s: failed %v, %v: %s", event, out.Failed, err, out.Body)
	}
	if a.IsBase64Encoded {
		body, err := base64.StdEncoding.DecodeString(a.Body)
		if err != nil {
			t.Fatal(err)
		}
		a.Body = string(body)
	}
	return a
}

func httpEvent(method, path, key, body string) string {
	return fmt.Sprintf(`{"version":"2.0","rawPath":%q,"headers":{"x-api-key":%q,"host":"api"},"body":%q,"isBase64Encoded":false,
		"requestContext":{"stage":"$default","http":{"method":%q,"sourceIp":"192.0.2.1"}}}`, path, key, body, method)
}

// influxAway is an InfluxDB that nobody reaches: the discard port of loopback.
var influxAway = []string{"INFLUX_URL=http://127.0.0.1:9", "INFLUX_ORG=ixpqos", "INFLUX_TOKEN=none"}

func TestFunctionsUnderLambda(t *testing.T) {
	needs.Time(t) // to build the functions
	type exchange struct {
		event, want string
		status      int
	}
	for _, tc := range []struct {
		function  string
		exchanges []exchange
	}{
		{"ingest", []exchange{
			{httpEvent("GET", "/healthz", "", ""), "ok", 200},
			{httpEvent("GET", "/api/v2/config", "", ""), "this needs a key", 401},
			{httpEvent("GET", "/api/v2/config", "wrong", ""), "not accepted", 401},
			{httpEvent("GET", "/api/v2/config", probeKey, ""), `"probe":"p1"`, 200},
			{httpEvent("POST", "/api/v2/results", probeKey, ""), "", 400},
			{httpEvent("POST", "/api/v2/results", probeKey, `{"probe":"p1"`), "", 400},
			{httpEvent("POST", "/api/v2/results", probeKey, batchText()), "the store cannot take results now", 503},
			{httpEvent("GET", "/api/v2/matrix", viewerKey, ""), "there is nothing at /api/v2/matrix", 404},
			{httpEvent("GET", "/openapi.json", "", ""), "/api/v2/matrix", 200},
			{httpEvent("GET", "/readyz", "", ""), "not ready", 503},
		}},
		{"query", []exchange{
			{httpEvent("GET", "/healthz", "", ""), "ok", 200},
			{httpEvent("GET", "/", "", ""), "this needs a key", 401},
			{httpEvent("GET", "/api/v2/matrix", probeKey, ""), "this key is probe", 403},
			{httpEvent("GET", "/api/v2/matrix", viewerKey, ""), "the store cannot be read now", 503},
			{httpEvent("GET", "/assets/page.css", "", ""), "{", 200},
			{httpEvent("POST", "/api/v2/results", probeKey, "{}"), "there is nothing at /api/v2/results", 404},
			{httpEvent("GET", "/openapi.json", "", ""), "/api/v2/results", 200},
		}},
	} {
		t.Run(tc.function, func(t *testing.T) {
			t.Parallel()
			b := start(t, build(t, tc.function), influxAway...)
			b.ready(t)
			for _, garbage := range []string{`{}`, `[]`, `not JSON`, `{"version":"0","detail-type":"Scheduled Event"}`} {
				if out, err := b.Invoke(t.Context(), []byte(garbage)); err != nil || !out.Failed || !strings.Contains(string(out.Body), "errorMessage") {
					t.Errorf("%s: %+v, %v", garbage, out, err)
				}
			}
			for _, e := range tc.exchanges {
				if got := b.ask(t, e.event); got.StatusCode != e.status || !strings.Contains(got.Body, e.want) {
					t.Errorf("%s\nanswered %d %s\nwant %d %s", e.event, got.StatusCode, got.Body, e.status, e.want)
				}
			}
		})
	}
}

// TestStartUnderLambda: what cannot work is said once, in one line, at start.
func TestStartUnderLambda(t *testing.T) {
	needs.Time(t) // to build a function
	folder := build(t, "ingest")
	bare := t.TempDir()
	if err := os.Link(filepath.Join(folder, "bootstrap"), filepath.Join(bare, "bootstrap")); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, folder string
		env          []string
		want         string
	}{
		{"SQLite", folder, append([]string{"IXPQOS_STORE=sqlite:/tmp/x.db"}, influxAway...),
			"ixpqos-ingest: --store sqlite:/tmp/x.db cannot be used under Lambda, where a file goes with the instance that wrote it: use --store influx\n"},
		{"no store of that name", folder, append([]string{"IXPQOS_STORE=postgres"}, influxAway...),
			"ixpqos-ingest: --store \"postgres\" is not known: it is sqlite:PATH or influx\n"},
		{"no URL", folder, nil,
			"ixpqos-ingest: --store influx needs --influx-url or $INFLUX_URL, such as http://127.0.0.1:8086\n"},
		{"no token", folder, influxAway[:2],
			"ixpqos-ingest: there is no InfluxDB token: set $INFLUX_TOKEN, or name a file by --influx-token-file\n"},
		{"no inventory", bare, influxAway,
			"ixpqos-ingest: the inventory cannot be read: open " + bare + "/inventory.yaml: no such file or directory; create it, or name the file that you mean\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := start(t, tc.folder, tc.env...)
			ended := make(chan error, 1)
			go func() { ended <- b.cmd.Wait() }()
			select {
			case err := <-ended:
				if err == nil {
					t.Error("it ended well")
				}
			case <-b.Ready():
				b.cmd.Process.Kill()
				<-ended
				t.Error("it runs")
			}
			if diff := cmp.Diff(tc.want, b.said.String()); diff != "" {
				t.Errorf("want - got +:\n%s", diff)
			}
		})
	}
}

// TestFirstVersionsFiles: a first version's files may lie beside a bootstrap too.
func TestFirstVersionsFiles(t *testing.T) {
	needs.Time(t) // to build a function
	folder := build(t, "ingest")
	if err := os.Remove(filepath.Join(folder, "inventory.yaml")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(folder, "probes.json"), `{"probes":[{"name":"p1","proto":4,"address":"192.0.2.1"},{"name":"p2","proto":4,"address":"192.0.2.2"}]}`)
	b := start(t, folder, influxAway...)
	b.ready(t)
	if got := b.ask(t, httpEvent("GET", "/api/v2/config", probeKey, "")); got.StatusCode != 200 || !strings.Contains(got.Body, "192.0.2.2") {
		t.Errorf("answered %d %s", got.StatusCode, got.Body)
	}
}

// BenchmarkColdStart is the time from the start of a process to its asking for
// the first event, the median of all.
func BenchmarkColdStart(b *testing.B) {
	for _, function := range []string{"ingest", "query"} {
		b.Run(function, func(b *testing.B) {
			folder := build(b, function)
			var all []time.Duration
			for b.Loop() {
				process := start(b, folder, influxAway...)
				all = append(all, process.ready(b))
				process.stop(b)
			}
			slices.Sort(all)
			b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "ms-median")
			b.ReportMetric(float64(all[len(all)-1].Microseconds())/1000, "ms-max")
		})
	}
}
