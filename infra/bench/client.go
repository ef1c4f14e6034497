package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"ixpqos/internal/access"
	"ixpqos/internal/wire"
)

// client talks to one server, over connections that stay.
type client struct {
	http http.Client
	url  string
}

// refusal is what the server said that is not what was asked for.
type refusal string

func (r refusal) Error() string { return string(r) }

func newClient(url string) *client {
	return &client{url: url, http: http.Client{Timeout: 30 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: max(connections, busy.probes), DisableCompression: true}}}
}

// get reads an answer to its end.
func (c *client) get(ctx context.Context, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+path, nil)
	if err != nil {
		return nil, err
	}
	return c.do(request)
}

// post hands in a batch, of which everything must be stored.
func (c *client) post(ctx context.Context, r reporter, at time.Time) (stored int, err error) {
	return len(r.batch.Results), c.postBody(ctx, post{r.key, r.post(at), len(r.batch.Results)})
}

func (c *client) postBody(ctx context.Context, p post) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/api/v2/results", bytes.NewReader(p.body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set(access.HeaderKey, p.key)
	body, err := c.do(request)
	if err != nil {
		return err
	}
	var answer wire.Answer
	if err := json.Unmarshal(body, &answer); err != nil {
		return fmt.Errorf("the answer to a batch: %w", err)
	}
	if answer.Stored != p.n {
		return refusal(fmt.Sprintf("of %d results only %d were stored: %.300v", p.n, answer.Stored, answer.Rejected))
	}
	return nil
}

func (c *client) do(request *http.Request) ([]byte, error) {
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode/100 != 2 {
		return nil, refusal(fmt.Sprintf("%s %s: %s: %.300s", request.Method, request.URL.Path, response.Status, body))
	}
	return body, nil
}

// close ends the connections, so that the server need not wait for them.
func (c *client) close() { c.http.CloseIdleConnections() }
