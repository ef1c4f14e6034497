package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"ixpqos/internal/deliver"
)

// maxConfig bounds a configuration in bytes: 10,000 peers are about 1 MB.
const maxConfig = 16 << 20

// api is the server as a probe talks to it.
type api struct {
	client              *http.Client
	server, name, agent string
	// key is read before every request, so that a key that was corrected in its
	// file works at once.
	key func() (string, error)
}

// newAPI checks the settings that concern the server, the key file included.
func newAPI(s Settings, log *slog.Logger) (*api, error) {
	key := func() (string, error) { return deliver.ReadKey(s.KeyFile) }
	if _, err := key(); err != nil {
		return nil, err
	}
	u, err := url.Parse(s.Server)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("--server %q is not a URL such as https://qos.example.net", s.Server)
	}
	if ip := net.ParseIP(u.Hostname()); u.Scheme == "http" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		log.Warn("the key travels in clear text: use https", "server", s.Server)
	}
	return &api{
		client: &http.Client{
			Timeout:   30 * time.Second,
			Transport: newTransport(),
			// A redirect would hand the key to whoever it names.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		server: strings.TrimRight(s.Server, "/"), key: key, name: s.Name, agent: "ixpqos-probe/" + s.Version,
	}, nil
}

// newTransport keeps few connections: a probe talks to one server, now and then.
func newTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConns, t.MaxIdleConnsPerHost = 2, 2
	return t
}

// get answers with status, ETag and body. An error says what was asked of whom
// and what came of it.
func (a *api) get(ctx context.Context, path, etag string) (status int, newTag string, body []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.server+path, nil)
	if err != nil {
		return 0, "", nil, err
	}
	key, err := a.key()
	if err != nil {
		return 0, "", nil, err
	}
	request.Header.Set("X-API-Key", key)
	request.Header.Set("User-Agent", a.agent)
	if etag != "" {
		request.Header.Set("If-None-Match", etag)
	}
	response, err := a.client.Do(request)
	if err != nil {
		return 0, "", nil, err // it names method and URL
	}
	defer response.Body.Close()
	body, err = io.ReadAll(io.LimitReader(response.Body, maxConfig))
	if err != nil {
		return 0, "", nil, fmt.Errorf("GET %s: %w", a.server+path, err)
	}
	if response.StatusCode >= 300 && response.StatusCode != http.StatusNotModified {
		return response.StatusCode, "", nil, refusalOf("GET "+a.server+path, response, body)
	}
	return response.StatusCode, response.Header.Get("ETag"), body, nil
}

// maxSaid bounds what is repeated of a server's words: they travel on, in every
// batch.
const maxSaid = 300

// refusal is an answer that is not what was asked for.
type refusal struct {
	what, status string
	code         int
	// detail is the sentence of a problem document, and advice our own.
	detail, advice string
}

func (r refusal) Error() string {
	text := r.what + " answered " + r.status
	for _, more := range []string{r.detail, r.advice} {
		if more != "" {
			text += ": " + more
		}
	}
	return text
}

func refusalOf(what string, response *http.Response, body []byte) refusal {
	r := refusal{what: what, code: response.StatusCode, status: clip(response.Status, maxSaid), detail: clip(detail(body), maxSaid)}
	switch location := response.Header.Get("Location"); {
	case response.StatusCode < 400:
		r.advice = fmt.Sprintf("a redirect, which is not followed, so that the key goes nowhere else: set --server to where it leads, %q", clip(location, maxSaid))
	case deliver.IsPage(response.Header, body):
		r.advice = deliver.PageMeans
	}
	return r
}

// detail is the sentence of a problem document, where the body is one.
func detail(body []byte) string {
	var problem struct {
		Detail string `json:"detail"`
	}
	if json.Unmarshal(body, &problem) != nil {
		return ""
	}
	return problem.Detail
}

// clip bounds a text in bytes, and keeps it on one line.
func clip(text string, most int) string {
	if len(text) > most {
		text = text[:most] + "…"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, ""))
}

// config is the probe's configuration; a status of 304 comes without a body.
func (a *api) config(ctx context.Context, etag string) (status int, newTag string, body []byte, err error) {
	path := "/api/v2/config?probe=" + url.QueryEscape(a.name)
	status, newTag, body, err = a.get(ctx, path, etag)
	if err == nil && deliver.IsPage(nil, body) {
		err = fmt.Errorf("the configuration cannot be read: GET %s answered with %s", a.server+path, deliver.PageMeans)
	}
	return status, newTag, body, err
}

// healthy is nil when the server answers.
func (a *api) healthy(ctx context.Context) error {
	_, _, _, err := a.get(ctx, "/healthz", "")
	return err
}
