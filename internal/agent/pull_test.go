package agent

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
)

// TestAConfigurationThatCannotBeKeptIsTakenUpOnce: each time would give a batch
// that says nothing to a disk that is full.
func TestAConfigurationThatCannotBeKeptIsTakenUpOnce(t *testing.T) {
	api := newServer(t, configOf(t, testPart("v1")))
	s := settings(t, api.URL)
	p, got := newPuller(t, s)
	if err := os.Mkdir(s.configFile(), 0o700); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		p.pull(t.Context())
		if !strings.Contains(p.troubles(), "the newest configuration is in use, but could not be kept for the next start") || strings.Contains(p.troubles(), "old") {
			t.Errorf("troubles: %q", p.troubles())
		}
	}
	if len(got.parts) != 1 || api.given != 1 {
		t.Errorf("taken up %d times, given %d times; want once", len(got.parts), api.given)
	}
	if err := os.Remove(s.configFile()); err != nil {
		t.Fatal(err)
	}
	p.pull(t.Context())
	if kept, err := loadConfig(s.configFile()); err != nil || kept.ETag != p.etag || p.troubles() != "" {
		t.Errorf("kept %+v, %v; troubles %q", kept, err, p.troubles())
	}
}

// answering is an API that answers everything alike.
func answering(t *testing.T, status int, body string, headers ...string) *httptest.Server {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(srv.Close)
	return srv
}

// TestRemovedFromTheInventory ends the tests, also of the next start, until the
// probe is there again.
func TestRemovedFromTheInventory(t *testing.T) {
	api := newServer(t, configOf(t, testPart("v1")))
	s := settings(t, api.URL)
	p, got := newPuller(t, s)
	p.pull(t.Context())
	there := p.api.server
	p.api.server = answering(t, http.StatusForbidden, `{"detail":"probe \"p1\" is not in the inventory"}`).URL
	for range 2 {
		p.pull(t.Context())
	}
	if len(got.parts) != 1 || len(p.parts) != 2 {
		t.Fatalf("told %d parts, handed over %d", len(got.parts), len(p.parts))
	}
	<-p.parts
	if part := <-p.parts; part.Probe != "p1" || len(part.Tests)+len(part.Peers)+len(part.Addresses) > 0 {
		t.Errorf("it goes on by %+v", part)
	}
	if !strings.Contains(p.troubles(), `the server says that probe "p1" is not in the inventory`) {
		t.Errorf("troubles: %q", p.troubles())
	}
	p.api.server = answering(t, http.StatusBadGateway, "").URL
	p.pull(t.Context())
	if got := p.troubles(); !strings.Contains(got, "nothing is measured, since the server said") || !strings.Contains(got, "502") || strings.Contains(got, "old") {
		t.Errorf("and the server away: troubles: %q", got)
	}
	if _, err := os.Stat(s.configFile()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the next start measures again: %v", err)
	}
	p.api.server = there
	p.pull(t.Context())
	if len(p.parts) != 1 || p.troubles() != "" {
		t.Errorf("back in the inventory: %d parts, troubles %q", len(p.parts), p.troubles())
	}
	if _, err := loadConfig(s.configFile()); err != nil {
		t.Error(err)
	}
}

// TestOtherRefusalsEndNothing: a wrong key says nothing about the inventory.
func TestOtherRefusalsEndNothing(t *testing.T) {
	for status, body := range map[int]string{401: `{"detail":"no such key"}`, 403: `{"detail":"this key is a viewer's"}`, 404: `404 page not found`, 503: ``} {
		api := newServer(t, configOf(t, testPart("v1")))
		p, _ := newPuller(t, settings(t, api.URL))
		p.pull(t.Context())
		p.api.server = answering(t, status, body).URL
		p.pull(t.Context())
		if len(p.parts) != 1 || !strings.Contains(p.troubles(), "the configuration may be old") {
			t.Errorf("%d: %d parts, troubles %q", status, len(p.parts), p.troubles())
		}
	}
}

func TestWhatIsNotTheAPI(t *testing.T) {
	for name, c := range map[string]struct {
		server *httptest.Server
		says   []string
	}{
		"redirect":   {answering(t, 301, "", "Location", "https://qos.example.net/api"), []string{"301 Moved Permanently", "https://qos.example.net/api", "set --server"}},
		"login page": {answering(t, 200, "\n<!DOCTYPE html><title>Login"), []string{"a page for a person", "proxy or a login page", "HTTPS_PROXY"}},
		"proxy":      {answering(t, 502, "<html>Bad Gateway", "Content-Type", "text/html"), []string{"502 Bad Gateway", "a page for a person"}},
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := newPuller(t, settings(t, c.server.URL))
			p.pull(t.Context())
			for _, want := range c.says {
				if !strings.Contains(p.troubles(), want) {
					t.Errorf("troubles %q; want %q", p.troubles(), want)
				}
			}
		})
	}
}

// TestWordsOfTheServerAreBounded: they travel on in every batch.
func TestWordsOfTheServerAreBounded(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for name, srv := range map[string]*httptest.Server{
		"detail":   answering(t, 500, `{"detail":"first\nsecond`+long+`"}`),
		"location": answering(t, 302, "", "Location", "https://example.net/"+strings.Repeat("y", 100_000)),
		"key":      newServer(t, strings.Replace(configOf(t, testPart("v1")), `"probe":`, `"`+long+`":1,"probe":`, 1)).Server,
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := newPuller(t, settings(t, srv.URL))
			p.pull(t.Context())
			if got := p.troubles(); got == "" || len(got) > maxTrouble+10 || strings.Contains(got, "\n") {
				t.Errorf("a trouble of %d bytes: %.200q", len(got), got)
			}
		})
	}
}

// TestRepeat goes by its own pauses, not by the time of day.
func TestRepeat(t *testing.T) {
	clock := clockwork.NewFakeClock()
	ctx, cancel := context.WithCancel(t.Context())
	var times atomic.Int32
	did, ended := make(chan bool, 1), make(chan error, 1)
	go func() {
		ended <- repeat(ctx, clock, time.Second, time.Minute, func(context.Context) { times.Add(1); did <- true })
	}()
	for _, pause := range []time.Duration{time.Second, time.Minute, time.Minute} {
		if err := clock.BlockUntilContext(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		clock.Advance(pause)
		<-did
	}
	cancel()
	if err := <-ended; err != nil || times.Load() != 3 {
		t.Errorf("%d times, %v", times.Load(), err)
	}
}
