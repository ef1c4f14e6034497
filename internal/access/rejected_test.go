package access

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestRejectedKeysAreTold: who (the beginning of the hash), from where and how
// often, and at most once a minute of each.
func TestRejectedKeysAreTold(t *testing.T) {
	var said strings.Builder
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	r := rejections{log: slog.New(slog.NewTextHandler(&said, nil)), metrics: NewMetrics(), now: func() time.Time { return now }}
	request := httptest.NewRequest(http.MethodGet, "/api/v2/config", nil)
	request.RemoteAddr = "192.0.2.7:4711"
	request.Header.Set("X-Forwarded-For", "198.51.100.9")
	for range 5 {
		r.note(request, "secret", ErrWrongKey, false)
	}
	now = now.Add(time.Minute)
	r.note(request, "secret", ErrWrongKey, false)
	r.note(request, "", ErrNoKey, false)
	lines := strings.Split(strings.TrimSpace(said.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines:\n%s", len(lines), said.String())
	}
	for i, times := range []int{1, 5} {
		for _, want := range []string{"key_sha256=2bb80d53…", "from=192.0.2.7", "forwarded_for=198.51.100.9", "path=/api/v2/config", fmt.Sprint("times=", times)} {
			if !strings.Contains(lines[i], want) {
				t.Errorf("line %d has no %q: %s", i, want, lines[i])
			}
		}
	}
	if strings.Contains(said.String(), "secret") {
		t.Error("the log has the key")
	}
	recorded := httptest.NewRecorder()
	api := NewAPI("", "", Gate{PublicRead: true}, nil)
	api.ServeMetrics(r.metrics)
	api.Handler().ServeHTTP(recorded, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, want := range []string{`ixpqos_keys_rejected_total{reason="unknown"} 6`, `ixpqos_keys_rejected_total{reason="missing"} 1`} {
		if !strings.Contains(recorded.Body.String(), want) {
			t.Errorf("there is no %q in the metrics", want)
		}
	}
}

// TestRejectedKeysAreBounded: who tries key after key fills neither memory nor log.
func TestRejectedKeysAreBounded(t *testing.T) {
	var said strings.Builder
	r := rejections{log: slog.New(slog.NewTextHandler(&said, nil)), now: time.Now}
	request := httptest.NewRequest(http.MethodGet, "/", nil)
	for i := range 3 * maxRejections {
		r.note(request, fmt.Sprint(i), ErrWrongKey, false)
	}
	if lines := strings.Count(said.String(), "\n"); len(r.seen) > maxRejections+1 || lines > maxRejections+1 {
		t.Errorf("%d are remembered, %d lines are said", len(r.seen), lines)
	}
}
