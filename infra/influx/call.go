package influxd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"
)

var errMissing = errors.New("not found")

// call asks the server's own API, without the client that is under test.
func (s *Server) call(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	answer, err := s.send(ctx, method, path, "application/json", body)
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(answer, out)
}

func (s *Server) send(ctx context.Context, method, path, kind string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, s.URL+"/api/v2/"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Token "+s.Token)
	request.Header.Set("Content-Type", kind)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode == http.StatusNotFound {
		return nil, fmt.Errorf("influxd: %s %s: %w: %s", method, path, errMissing, answer)
	}
	if err == nil && response.StatusCode >= 300 {
		err = fmt.Errorf("influxd: %s %s: %s: %s", method, path, response.Status, answer)
	}
	return answer, err
}

// Query runs a Flux query with the operator's token and gives its CSV.
func (s *Server) Query(t testing.TB, flux string) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": flux, "dialect": map[string]any{"header": true, "annotations": []string{}}})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := s.send(t.Context(), "POST", "query?org="+url.QueryEscape(s.Org), "application/json", body)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

// Write writes lines with the operator's token.
func (s *Server) Write(t testing.TB, bucket, lines string) {
	t.Helper()
	path := "write?org=" + url.QueryEscape(s.Org) + "&bucket=" + url.QueryEscape(bucket)
	if _, err := s.send(t.Context(), "POST", path, "text/plain; charset=utf-8", []byte(lines)); err != nil {
		t.Fatal(err)
	}
}

// Activate makes the token with this ID work or not.
func (s *Server) Activate(t testing.TB, id string, active bool) {
	t.Helper()
	status := map[bool]string{true: "active", false: "inactive"}[active]
	if err := s.call(t.Context(), "PATCH", "authorizations/"+id, map[string]any{"status": status}, nil); err != nil {
		t.Fatal(err)
	}
}

// Drop deletes a bucket if there is one.
func (s *Server) Drop(name string) error {
	ctx := context.Background() // a test's own has ended when it tidies up
	id, err := s.bucketID(ctx, name)
	if err != nil || id == "" {
		return err
	}
	return s.call(ctx, "DELETE", "buckets/"+id, nil, nil)
}

// bucketID is empty where there is no such bucket.
func (s *Server) bucketID(ctx context.Context, name string) (string, error) {
	var found struct{ Buckets []struct{ ID string } }
	query := url.Values{"org": {s.Org}, "name": {name}}
	switch err := s.call(ctx, "GET", "buckets?"+query.Encode(), nil, &found); {
	case errors.Is(err, errMissing):
		return "", nil
	case err != nil:
		return "", err
	}
	if len(found.Buckets) == 0 {
		return "", nil
	}
	return found.Buckets[0].ID, nil
}
