// Package runtimeapi is a double of the Lambda runtime API, so that a bootstrap
// can be started, given events and timed without Lambda. It stands in for the
// two calls that a bootstrap makes, GET next and POST response or error:
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
package runtimeapi

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Variable is the environment variable that tells a bootstrap the address.
const Variable = "AWS_LAMBDA_RUNTIME_API"

// Outcome is what a bootstrap made of an event.
type Outcome struct {
	// Failed: it reported an error rather than a response.
	Failed bool
	Body   []byte
}

// Double gives events to one bootstrap.
type Double struct {
	server *httptest.Server
	events chan event
	ready  chan struct{}
	once   sync.Once

	mu      sync.Mutex
	last    int
	waiting map[string]chan Outcome
}

type event struct {
	id   string
	body []byte
}

// Start makes a double that listens on loopback.
func Start() *Double {
	d := &Double{events: make(chan event), ready: make(chan struct{}), waiting: map[string]chan Outcome{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", d.next)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/{how}", d.outcome)
	d.server = httptest.NewServer(mux)
	return d
}

// Close ends the double; the bootstrap is to have ended before.
func (d *Double) Close() { d.server.Close() }

// Environment is the setting by which a bootstrap finds the double.
func (d *Double) Environment() string {
	return Variable + "=" + strings.TrimPrefix(d.server.URL, "http://")
}

// Ready is closed when the bootstrap has asked for its first event.
func (d *Double) Ready() <-chan struct{} { return d.ready }

// Invoke gives the bootstrap an event and waits for what becomes of it.
func (d *Double) Invoke(ctx context.Context, body []byte) (Outcome, error) {
	done := make(chan Outcome, 1)
	d.mu.Lock()
	d.last++
	id := strconv.Itoa(d.last)
	d.waiting[id] = done
	d.mu.Unlock()
	select {
	case d.events <- event{id, body}:
	case <-ctx.Done():
		return Outcome{}, fmt.Errorf("event %s: the bootstrap does not ask for it: %w", id, ctx.Err())
	}
	select {
	case out := <-done:
		return out, nil
	case <-ctx.Done():
		return Outcome{}, fmt.Errorf("event %s: the bootstrap does not answer: %w", id, ctx.Err())
	}
}

func (d *Double) next(w http.ResponseWriter, r *http.Request) {
	d.once.Do(func() { close(d.ready) })
	select {
	case e := <-d.events:
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", e.id)
		w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(time.Minute).UnixMilli(), 10))
		w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-south-1:123456789012:function:double")
		w.Write(e.body) // an error here is the bootstrap's end
	case <-r.Context().Done():
	}
}

func (d *Double) outcome(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	d.mu.Lock()
	done, ok := d.waiting[r.PathValue("id")]
	delete(d.waiting, r.PathValue("id"))
	d.mu.Unlock()
	if !ok {
		http.Error(w, "no such invocation", http.StatusBadRequest)
		return
	}
	done <- Outcome{Failed: r.PathValue("how") == "error", Body: body}
	w.WriteHeader(http.StatusAccepted)
}
