// Package nginx holds an example configuration of the web server before
// ixpqos-server. Its tests run it in a real nginx, before the real server.
package nginx

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"ixpqos/infra/needs"
)

const sharedKey = "a key that everybody has"

// configure writes what an exchange has that runs the first version, and a key
// of a probe of ours.
func configure(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	write(t, filepath.Join(folder, "probes.json"), `{"probes": [{"name": "p1", "proto": 4, "address": "192.0.2.1"},
		{"name": "p2", "proto": 4, "address": "192.0.2.2"}, {"name": "p2", "proto": 6, "address": "2001:db8::2"}]}`)
	write(t, filepath.Join(folder, "schedule.json"), `{"schedule": []}`)
	write(t, filepath.Join(folder, "shared.key"), sharedKey+"\n")
	write(t, filepath.Join(folder, "keys.yaml"), fmt.Sprintf("keys: [{role: probe, name: p1, sha256: %x}]\n", sha256.Sum256([]byte("key of p1"))))
	return folder
}

func parse(t *testing.T, reader *bufio.Reader) answer {
	t.Helper()
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, body}
}

var prefixes = []string{"", "/backend"}

// TestExample is the life of an exchange: it works, keys are wrong, bodies too
// large, and the server goes and comes back.
func TestExample(t *testing.T) {
	needs.Nginx(t)
	needs.Time(t) // to build the server
	folder, binary := configure(t), buildServer(t)
	upstream, stop := startServer(t, binary, folder, "127.0.0.1:0")
	proxy := startNginx(t, upstream, nil)
	check := func(name string, test func(t *testing.T, p proxyAt)) {
		for _, prefix := range prefixes {
			t.Run(name+" below /"+strings.TrimPrefix(prefix, "/"), func(t *testing.T) { test(t, proxyAt{proxy, prefix}) })
		}
	}
	check("a round", round)
	check("keys", keys)
	check("too large", tooLarge)
	t.Run("version 2", func(t *testing.T) { versionTwo(t, proxy) })
	t.Run("from HTTP to HTTPS", func(t *testing.T) { redirected(t, proxy) })
	t.Run("what cannot be read", func(t *testing.T) { unreadable(t, proxy) })
	stop()
	check("the server is down", serverDown)
	t.Run("the server is down for version 2", func(t *testing.T) { serverDownForTwo(t, proxy) })
	startServer(t, binary, folder, upstream)
	check("the server is back", round)
}

// proxyAt is where a client of the first version was told that the API is.
type proxyAt struct {
	proxy
	prefix string
}

func (p proxyAt) client(name, key string) client {
	return newClient(name, key, "https://"+p.https+p.prefix, p.trusted)
}

func round(t *testing.T, p proxyAt) {
	if err := p.client("p1", sharedKey).round(t); err != nil {
		t.Fatal(err)
	}
	if err := p.client("p1", "key of p1").round(t); err != nil {
		t.Fatal(err)
	}
	if err := p.client("not in the inventory", sharedKey).round(t); err != nil {
		t.Fatal(err)
	}
	var last struct {
		Result struct {
			Source string
			Probes []pinged
		}
	}
	if err := p.client("p1", sharedKey).ask(t, http.MethodGet, "/api/v1/data/probe/p1/last", nil, &last); err != nil {
		t.Fatal(err)
	}
	if got := last.Result; got.Source != "p1" || len(got.Probes) != 2 || got.Probes[0].Name != "p2" || *got.Probes[0].Avg != 2 || got.Probes[1].Proto != 6 {
		t.Errorf("the last result is %+v", got)
	}
}

func keys(t *testing.T, p proxyAt) {
	for key, want := range map[string]failure{
		"":      {400, "Please provide an API key"},
		"wrong": {403, "The provided API key is not valid"},
	} {
		c := p.client("p1", key)
		if err := c.round(t); !errors.Is(err, want) {
			t.Errorf("key %q: %v", key, err)
		}
		if err := c.ask(t, http.MethodPost, "/api/v1/data/probe-result", []byte("{}"), nil); !errors.Is(err, want) {
			t.Errorf("key %q: %v", key, err)
		}
	}
	if err := p.client("p2", "key of p1").round(t); !errors.Is(err, failure{403, `this key is probe "p1"'s: it cannot report as "p2"`}) {
		t.Errorf("another probe's key: %v", err)
	}
}

func tooLarge(t *testing.T, p proxyAt) {
	const limit = 4 << 20
	c := p.client("p1", sharedKey)
	body := []byte(`{"source": "p1", "probes": []}`)
	body = append(body, bytes.Repeat([]byte(" "), limit-len(body))...)
	if err := c.ask(t, http.MethodPost, "/api/v1/data/probe-result", body, &struct{}{}); err != nil {
		t.Errorf("4 MiB: %v", err)
	}
	err := c.ask(t, http.MethodPost, "/api/v1/data/probe-result", append(body, ' '), nil)
	if !errors.Is(err, failure{413, "the body is larger than the web server before IXPQos takes (client_max_body_size)"}) {
		t.Errorf("a byte more: %v", err)
	}
}

// isProblem fails where an answer is no problem document of that status.
func isProblem(t *testing.T, got answer, status int) {
	t.Helper()
	var told struct {
		Status int
		Detail string
	}
	if err := json.Unmarshal(got.body, &told); err != nil || got.status != status || told.Status != status || told.Detail == "" ||
		got.kind() != "application/problem+json" {
		t.Errorf("%d %s %s, want a problem document of %d", got.status, got.kind(), got.body, status)
	}
}

func versionTwo(t *testing.T, p proxy) {
	c := newClient("p1", "key of p1", "https://"+p.https, p.trusted)
	if got := c.do(t, http.MethodGet, "/api/v2/config", nil); got.status != 200 || !strings.Contains(string(got.body), `"probe":"p1"`) {
		t.Errorf("config: %d %s", got.status, got.body)
	}
	isProblem(t, c.do(t, http.MethodPost, "/api/v2/results", []byte("{")), 400)
	isProblem(t, c.do(t, http.MethodPost, "/api/v2/results", bytes.Repeat([]byte(" "), 4<<20+1)), 413)
	isProblem(t, c.do(t, http.MethodGet, "/nothing", nil), 404)
	isProblem(t, c.do(t, http.MethodGet, "/.ixpqos/refusal", nil), 404)
	isProblem(t, c.do(t, http.MethodGet, "/", nil), 403)
	got := newClient("p1", "nobody's key", "https://"+p.https, p.trusted).do(t, http.MethodGet, "/", nil)
	isProblem(t, got, 401)
	if got.header.Get("WWW-Authenticate") == "" {
		t.Error("a browser is not asked for a key")
	}
}

func redirected(t *testing.T, p proxy) {
	c := newClient("p1", sharedKey, "http://"+p.plain, nil)
	got := c.do(t, http.MethodGet, "/api/v1/conf/probes?x=1", nil)
	if to := got.header.Get("Location"); got.status != 301 || to != "https://127.0.0.1/api/v1/conf/probes?x=1" {
		t.Errorf("%d to %q", got.status, to)
	}
}

// unreadable is what nginx itself refuses with 400: what the first version's
// clients can read, and nothing that makes a probe of ours set a batch aside.
func unreadable(t *testing.T, p proxy) {
	// Over what nginx takes, and in one TLS record: of a longer one it would leave
	// something unread, and reset the connection before its answer is read.
	long := strings.Repeat("x", 9_000)
	for name, c := range map[string]struct {
		path, headers string
		plain         bool
		status        int // with 414 the address is not known, nor who asks
	}{
		"no host":              {"", "", false, 400},
		"plain HTTP":           {"", "Host: 127.0.0.1\r\n", true, 400},
		"a header too long":    {"", "Host: 127.0.0.1\r\nX-Long: " + long + "\r\n", false, 400},
		"an address too long":  {"?" + long, "Host: 127.0.0.1\r\n", false, 414},
		"a length that is not": {"", "Host: 127.0.0.1\r\nContent-Length: x\r\n", false, 400},
	} {
		for path, first := range map[string]bool{"/api/v1/conf/probes": true, "/backend/api/v1/conf/probes": true, "/api/v2/results": false} {
			conn, err := net.Dial("tcp", p.https)
			if err != nil {
				t.Fatal(err)
			}
			if !c.plain {
				conn = tls.Client(conn, &tls.Config{RootCAs: p.trusted, ServerName: "127.0.0.1", DynamicRecordSizingDisabled: true})
			}
			got := raw(t, conn, "GET "+path+c.path+" HTTP/1.1\r\n"+c.headers+"Connection: close\r\n\r\n")
			var told map[string]any
			if err := json.Unmarshal(got.body, &told); err != nil || got.status != c.status {
				t.Errorf("%s, %s: %d %s: %v", name, path, got.status, got.body, err)
			}
			_, problem := told["detail"]
			if problem == first && c.path == "" || told["error"] == nil || got.status == 400 && got.kind() != "application/json" {
				t.Errorf("%s, %s: %d %s %s", name, path, got.status, got.kind(), got.body)
			}
		}
	}
}

func serverDown(t *testing.T, p proxyAt) {
	c := p.client("p1", sharedKey)
	want := failure{502, "ixpqos-server does not answer the web server before it: it is stopped or starts just now; send it again later"}
	if err := c.round(t); !errors.Is(err, want) {
		t.Errorf("the list: %v", err)
	}
	if err := c.ask(t, http.MethodPost, "/api/v1/data/probe-result", []byte("{}"), nil); !errors.Is(err, want) {
		t.Errorf("a post: %v", err)
	}
	if got := c.do(t, http.MethodGet, "/api/v1/conf/probes", nil); got.header.Get("Retry-After") != "5" {
		t.Errorf("Retry-After is %q", got.header.Get("Retry-After"))
	}
}

func serverDownForTwo(t *testing.T, p proxy) {
	c := newClient("p1", "key of p1", "https://"+p.https, p.trusted)
	for _, path := range []string{"/api/v2/results", "/", "/api/v10"} {
		got := c.do(t, http.MethodPost, path, []byte("{}"))
		isProblem(t, got, 502)
		if got.header.Get("Retry-After") != "5" {
			t.Errorf("%s: Retry-After is %q", path, got.header.Get("Retry-After"))
		}
	}
}

// A server that takes connections, and nothing else.
func TestServerHangs(t *testing.T) {
	needs.Nginx(t)
	hanging, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer hanging.Close()
	proxy := startNginx(t, hanging.Addr().String(), map[string]string{"proxy_read_timeout 65s;": "proxy_read_timeout 100ms;"})
	for _, prefix := range prefixes {
		err := proxyAt{proxy, prefix}.client("p1", sharedKey).round(t)
		if !errors.Is(err, failure{504, "ixpqos-server takes too long to answer the web server before it; send it again later"}) {
			t.Errorf("%v", err)
		}
	}
	isProblem(t, newClient("p1", "", "https://"+proxy.https, proxy.trusted).do(t, http.MethodGet, "/", nil), 504)
}
