package collect_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ixpqos/internal/access"
	"ixpqos/internal/wire"
)

func (s *server) config(t *testing.T, key, query string, headers ...string) answer {
	t.Helper()
	return s.do(t, http.MethodGet, "/api/v2/config"+query, key, nil, headers...)
}

func TestConfig(t *testing.T) {
	s := serve(t)
	for name, key := range map[string]string{"p1": "key-1", "p2": "key-2"} {
		got := s.config(t, key, "?probe="+name)
		part, unknown, err := wire.DecodeConfig([]byte(got.body))
		if err != nil || unknown != "" || got.StatusCode != http.StatusOK {
			t.Fatalf("%d, %v, %q", got.StatusCode, err, unknown)
		}
		want, _ := s.inventory.Part(name)
		if diff := cmp.Diff(want, part, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if strings.Contains(got.body, hash("key-1")) || strings.Contains(got.body, "sha256") {
			t.Errorf("it carries a key: %s", got.body)
		}
	}
}

func TestConfigIsForItsProbeAlone(t *testing.T) {
	s := serve(t)
	s.config(t, "key-1", "?probe=p2").isProblem(t, http.StatusForbidden, `this key is probe "p1"'s: it cannot get the configuration of "p2"`)
	s.post(t, `{"probe":"gone","start":"2026-03-01T12:00:00Z"}`, access.HeaderKey, "key-gone").isProblem(t, http.StatusForbidden, `probe "gone" is not in the inventory`)
	s.config(t, "key-gone", "").isProblem(t, http.StatusForbidden, `probe "gone" is not in the inventory`)
	if got := s.config(t, "key-1", ""); got.StatusCode != http.StatusOK { // the name may be left out
		t.Errorf("%d: %s", got.StatusCode, got.body)
	}
}

func TestConfigThatTheProbeHas(t *testing.T) {
	s := serve(t)
	etag := s.config(t, "key-1", "").Header.Get("ETag")
	if len(etag) < 10 || etag[0] != '"' {
		t.Fatalf("ETag %s", etag)
	}
	for _, has := range []string{etag, "W/" + etag, `"other", ` + etag, "*"} { // a proxy that compresses makes it weak
		got := s.config(t, "key-1", "", "If-None-Match", has)
		if got.StatusCode != http.StatusNotModified || got.body != "" || got.Header.Get("ETag") != etag {
			t.Errorf("If-None-Match %s: %d, ETag %s, body %q", has, got.StatusCode, got.Header.Get("ETag"), got.body)
		}
	}
	for _, has := range []string{"", `"other"`, strings.Trim(etag, `"`)} {
		if got := s.config(t, "key-1", "", "If-None-Match", has); got.StatusCode != http.StatusOK || got.body == "" {
			t.Errorf("If-None-Match %s: %d", has, got.StatusCode)
		}
	}
	if other := s.config(t, "key-2", "").Header.Get("ETag"); other == etag {
		t.Error("two probes have one ETag")
	}
	s.inventory = parse(t, "5m") // the same, loaded again
	if got := s.config(t, "key-1", "", "If-None-Match", etag); got.StatusCode != http.StatusNotModified {
		t.Errorf("loaded again: %d", got.StatusCode)
	}
	s.inventory = parse(t, "10m")
	got := s.config(t, "key-1", "", "If-None-Match", etag)
	if got.StatusCode != http.StatusOK || got.Header.Get("ETag") == etag || !strings.Contains(got.body, `"every_s":600`) {
		t.Errorf("changed: %d, ETag %s, %s", got.StatusCode, got.Header.Get("ETag"), got.body)
	}
}
