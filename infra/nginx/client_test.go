package nginx

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

// client is one of the first version, written from its interface alone: it asks
// for the list, pings everybody on it but itself, and posts what it found.
type client struct {
	name, key, base string
	http            *http.Client
}

func newClient(name, key, base string, trusted *x509.CertPool) client {
	return client{name, key, base, &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       20 * time.Second,
	}}
}

type listed struct {
	Name    string `json:"name"`
	Proto   int    `json:"proto"`
	Address string `json:"address"`
}

type pinged struct {
	listed
	Pinged bool     `json:"pinged"`
	Min    *float64 `json:"ping_min"`
	Max    *float64 `json:"ping_max"`
	Avg    *float64 `json:"ping_avg"`
	Jitter *float64 `json:"ping_jitter"`
	Loss   *float64 `json:"ping_loss"`
}

// round is one run of cron. The error is what the client would print.
func (c client) round(t *testing.T) error {
	t.Helper()
	var list struct {
		Probes []listed `json:"probes"`
	}
	if err := c.ask(t, http.MethodGet, "/api/v1/conf/probes", nil, &list); err != nil {
		return err
	}
	result := map[string]any{"source": c.name}
	var probes []pinged
	for i, probe := range list.Probes {
		if probe.Name == c.name {
			probes = append(probes, pinged{listed: probe})
			continue
		}
		low, high, average, jitter, loss := float64(i), float64(i)+2, float64(i)+1, 0.5, 0.0
		probes = append(probes, pinged{probe, true, &low, &high, &average, &jitter, &loss})
	}
	result["probes"] = probes
	body, err := json.Marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	var done struct {
		Status string `json:"status"`
	}
	if err := c.ask(t, http.MethodPost, "/api/v1/data/probe-result", body, &done); err != nil {
		return err
	}
	if done.Status != "ok" {
		t.Errorf("the status is %q", done.Status)
	}
	return nil
}

// failure is what the client reads of an answer that is not a 200.
type failure struct {
	status int
	said   string
}

func (f failure) Error() string { return fmt.Sprintf("%d: %s", f.status, f.said) }

func (c client) ask(t *testing.T, method, path string, body []byte, into any) error {
	t.Helper()
	got := c.do(t, method, path, body)
	if got.status == http.StatusOK {
		if err := json.Unmarshal(got.body, into); err != nil {
			t.Fatalf("%s: %v: %s", path, err, got.body)
		}
		return nil
	}
	var told struct {
		Error string `json:"error"`
	}
	if err := json.Unmarshal(got.body, &told); err != nil || told.Error == "" {
		t.Fatalf("%s: a %d that the client cannot read: %v: %s", path, got.status, err, got.body)
	}
	return failure{got.status, told.Error}
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) kind() string { return a.header.Get("Content-Type") }

func (c client) do(t *testing.T, method, path string, body []byte) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if c.key != "" {
		request.Header.Set("X-API-Key", c.key)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, text}
}
