package sam

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"ixpqos/infra/influx"
	"ixpqos/infra/needs"
)

func TestMain(m *testing.M) { os.Exit(influxd.Main(m)) }

// TestTemplate: SAM finds nothing to complain of.
func TestTemplate(t *testing.T) {
	needs.Time(t)
	needs.SAM(t)
	newSAM(t).run(t, nil, "validate", "--lint")
}

const inventoryText = `
exchange: Test-IX
sites: [{name: rome-1, switches: [sw1, sw2, sw3]}]
probes:
  - {name: p1, site: rome-1, switch: sw1, addresses: [127.0.0.1]}
  - {name: p2, site: rome-1, switch: sw2, addresses: [127.0.0.2]}
  - {name: p3, site: rome-1, switch: sw3, addresses: [127.0.0.3]}
tests:
  - {name: ping, kind: icmp, every: 10s, count: 5, spacing: 200ms, first_version: true}
`

const sharedKey = "the-shared-key"

func sha(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }

// TestLocal: three probes measure and post through a real `sam local`, their
// results stand in a real InfluxDB, and the matrix shows them.
func TestLocal(t *testing.T) {
	needs.Time(t)
	needs.SAM(t)
	needs.ICMP(t)
	influx := influxd.Start(t)
	s := newSAM(t)
	startDocker(t, s.top)

	var keys strings.Builder
	keys.WriteString("keys:\n")
	for _, name := range []string{"p1", "p2", "p3"} {
		fmt.Fprintf(&keys, "- {role: probe, name: %s, sha256: %s}\n", name, sha("key of "+name))
	}
	fmt.Fprintf(&keys, "- {role: viewer, name: noc, sha256: %s}\n", sha("key of noc"))
	inventory := s.write(t, "the-inventory.yaml", inventoryText)
	template := s.build(t, inventory, s.write(t, "the-keys.yaml", keys.String()))

	raw, flows := influx.BucketName(t, "raw"), influx.BucketName(t, "flows")
	where := onBridge(t, s.top, influx.URL)
	settings := func(token string) map[string]string {
		return map[string]string{"INFLUX_URL": where, "INFLUX_ORG": influx.Org, "INFLUX_TOKEN": token, "INFLUX_BUCKET_RAW": raw,
			"INFLUX_BUCKET_FLOWS": flows, "IXPQOS_SHARED_KEY_SHA256": sha(sharedKey)}
	}
	write, read := s.initialise(t, influx, raw, flows)
	url := s.startAPI(t, template, map[string]map[string]string{"IngestFunction": settings(write), "QueryFunction": settings(read)})

	if !t.Run("answers", func(t *testing.T) { testAnswers(t, url) }) {
		t.FailNow()
	}
	for _, name := range []string{"p1", "p2", "p3"} {
		s.startProbe(t, url, name)
	}
	t.Run("matrix", func(t *testing.T) {
		eventually(t, "the matrix shows six pairs", func() error { return sixPairs(t, url) })
	})
	t.Run("qos", func(t *testing.T) {
		for _, measurement := range []string{"qos", "Ping"} {
			flux := fmt.Sprintf(`from(bucket: %q) |> range(start: -1h) |> filter(fn: (r) => r._measurement == %q) |> group(columns: ["source", "target"]) |> count()`, raw, measurement)
			got := influx.Query(t, flux)
			for _, pair := range []string{"p1,p2", "p1,p3", "p2,p1", "p2,p3", "p3,p1", "p3,p2"} {
				if !strings.Contains(got, pair) {
					t.Errorf("no %s of %s:\n%s", measurement, pair, got)
				}
			}
		}
	})
	t.Run("first version", func(t *testing.T) { testFirstVersion(t, url) })
}

// initialise makes the buckets and tokens as an operator does.
func (s *sam) initialise(t *testing.T, influx *influxd.Server, raw, flows string) (write, read string) {
	t.Helper()
	names := []string{"INFLUX_URL=" + influx.URL, "INFLUX_ORG=" + influx.Org, "INFLUX_TOKEN=" + influx.Token, "INFLUX_BUCKET_RAW=" + raw,
		"INFLUX_BUCKET_FLOWS=" + flows}
	for _, other := range []string{"5M", "1H", "ROWS"} {
		names = append(names, "INFLUX_BUCKET_"+other+"="+influx.BucketName(t, other))
	}
	said := output(t, s.top, names, "go", "run", "./functions/server", "init")
	token := func(what string) string {
		found := regexp.MustCompile(`(?m)^  ` + what + ` +(\S+)$`).FindStringSubmatch(said)
		if found == nil {
			t.Fatalf("init gave no token to %s", what)
		}
		return found[1]
	}
	return token("write"), token("read")
}

func (s *sam) write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(s.folder, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// startProbe runs the real probe against the API until the test ends.
func (s *sam) startProbe(t *testing.T, url, name string) {
	t.Helper()
	binary := filepath.Join(s.folder, "ixpqos-probe")
	if _, err := os.Stat(binary); err != nil {
		output(t, s.top, []string{"CGO_ENABLED=0"}, "go", "build", "-buildvcs=false", "-o", binary, "./probe")
	}
	cmd := exec.Command(binary, "run", "--name", name, "--server", url,
		"--key-file", s.write(t, name+".key", "key of "+name+"\n"), "--state", filepath.Join(s.folder, name))
	log := &strings.Builder{}
	cmd.Stderr = log
	background(t, cmd, syscall.SIGTERM, func() {
		if t.Failed() {
			t.Logf("%s said:\n%s", name, last(log.String(), 2000))
		}
	})
}

func testAnswers(t *testing.T, url string) {
	for _, tc := range []struct {
		method, path, key, body string
		status                  int
		want                    string
	}{
		{"GET", "/openapi.json", "", "", 200, "/api/v2/matrix"},
		{"GET", "/readyz", "", "", 200, "ready"},
		{"GET", "/api/v2/config", "", "", 401, "this needs a key"},
		{"GET", "/api/v2/config", "wrong", "", 401, "not accepted"},
		{"GET", "/api/v2/config", "key of p1", "", 200, `"probe":"p1"`},
		{"POST", "/api/v2/results", "key of p1", "{", 400, ""},
		{"POST", "/api/v2/results", "key of p1", "", 400, ""},
		{"POST", "/api/v2/results", "key of p1", `{"probe":"p2","start":"2026-01-01T00:00:00Z"}`, 403, "cannot report as"},
		{"GET", "/api/v2/matrix", "key of p1", "", 403, "this key is probe"},
		{"GET", "/api/v2/matrix?test=ping&family=4", "key of noc", "", 200, `"cells"`},
		{"GET", "/api/v2/pairs/p1/no%20such/series", "key of noc", "", 404, `no such`},
		{"GET", "/assets/page.css", "", "", 200, "{"},
		{"GET", "/", "key of noc", "", 200, "Test-IX"},
	} {
		got := ask(t, tc.method, url+tc.path, map[string]string{"X-API-Key": tc.key}, tc.body)
		if got.status != tc.status || !strings.Contains(got.body, tc.want) {
			t.Errorf("%s %s with key %q: %s %d %s\nwant %d %s", tc.method, tc.path, tc.key, got.failed, got.status, got.body, tc.status, tc.want)
		}
	}
}

// sixPairs is nil when the matrix has a fresh result of every pair.
func sixPairs(t *testing.T, url string) error {
	got := ask(t, "GET", url+"/api/v2/matrix", map[string]string{"X-API-Key": "key of noc"}, "")
	var matrix struct {
		Cells []struct {
			Source, Target, State string
			Sent                  *int `json:"sent"`
		}
	}
	if err := json.Unmarshal([]byte(got.body), &matrix); err != nil || got.status != 200 {
		return fmt.Errorf("%s %d %s: %v", got.failed, got.status, got.body, err)
	}
	fresh := 0
	for _, c := range matrix.Cells {
		if c.State == "fresh" && c.Sent != nil && *c.Sent == 5 {
			fresh++
		}
	}
	if fresh != 6 || len(matrix.Cells) != 6 {
		return fmt.Errorf("%d of %d pairs are fresh: %s", fresh, len(matrix.Cells), last(got.body, 1500))
	}
	return nil
}

// testFirstVersion: the first version's clients need change nothing.
func testFirstVersion(t *testing.T, url string) {
	const post = `{"source":"old","probes":[{"name":"older","proto":4,"address":"192.0.2.9","pinged":true,
		"ping_min":0.5,"ping_max":2,"ping_avg":1,"ping_jitter":0.25,"ping_loss":0.1}]}`
	for _, tc := range []struct {
		method, path, key, body string
		status                  int
		want                    string
	}{
		{"GET", "/api/v1/conf/probes", "", "", 400, `{"error":"Please provide an API key"}`},
		{"GET", "/backend/api/v1/conf/probes", "wrong", "", 403, `{"error":"The provided API key is not valid"}`},
		{"GET", "/backend/api/v1/conf/probes", sharedKey, "", 200, `{"name":"p1","proto":4,"address":"127.0.0.1"}`},
		{"POST", "/backend/api/v1/data/probe-result", sharedKey, post, 200, `{"status":"ok"}`},
		{"GET", "/api/v1/data/probe/old/last", sharedKey, "", 200, `"name":"older"`},
		{"GET", "/backend/api/v1/data/probe/p1/last", sharedKey, "", 200, `"name":"p3"`},
	} {
		header := map[string]string{"X-API-Key": tc.key}
		if tc.key == "" {
			header = nil
		}
		got := ask(t, tc.method, url+tc.path, header, tc.body)
		if got.status != tc.status || !strings.Contains(got.body, tc.want) {
			t.Errorf("%s %s with key %q: %s %d %s\nwant %d %s", tc.method, tc.path, tc.key, got.failed, got.status, got.body, tc.status, tc.want)
		}
	}
}
