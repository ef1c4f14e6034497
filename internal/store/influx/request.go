package influx

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"sync"
	"time"

	api "github.com/influxdata/influxdb-client-go/v2/api/http"
)

// dialer gives up on a host that does not answer before the request's own time ends.
var dialer = &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}

// do sends a request, which may be sent twice: every one of ours may. Read is
// called with a good answer that expect lets pass. Its time is bounded.
func (s *Store) do(ctx context.Context, address string, body []byte, header http.Header, expect, read func(*http.Response) error) error {
	bounded, cancel := context.WithTimeoutCause(ctx, s.timeout, errSlow)
	defer cancel()
	failed := s.service.DoPostRequest(bounded, address, bytes.NewReader(body), func(r *http.Request) {
		for name, values := range header {
			r.Header[name] = values
		}
		// With this, which is not sent, net/http sends again what it sent over a
		// connection that had ended meanwhile (net/http.Transport).
		r.Header["Idempotency-Key"] = nil
	}, func(r *http.Response) error {
		err := expect(r)
		if err == nil {
			err = read(r)
		}
		return errors.Join(err, r.Body.Close())
	})
	switch {
	case failed == nil: // a nil *api.Error must not become an error
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case bounded.Err() != nil:
		return fmt.Errorf("%w (%v): %w", errSlow, s.timeout, failed)
	case failed.StatusCode >= 300 && failed.StatusCode < 400:
		return stranger{failed.StatusCode, ""} // its body is a page
	}
	return failed
}

// stranger is an answer that no InfluxDB gives. What was written there is not
// stored, however well it was taken.
type stranger struct {
	status int
	what   string
}

func (s stranger) Error() string {
	return fmt.Sprintf("it answered %d %s%s", s.status, http.StatusText(s.status), s.what)
}

// written is nil for the one answer by which InfluxDB says that it stored all.
func written(r *http.Response) error {
	if r.StatusCode != http.StatusNoContent {
		return stranger{r.StatusCode, " to what was written, not 204"}
	}
	return nil
}

// answered is nil for an answer to a query.
func answered(r *http.Response) error {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if r.StatusCode != http.StatusOK || err != nil || kind != "text/csv" {
		return stranger{r.StatusCode, " to a query, and no CSV"}
	}
	return nil
}

func unread(*http.Response) error { return nil }

var (
	plainText  = http.Header{"Content-Type": {"text/plain; charset=utf-8"}}
	zippedText = http.Header{"Content-Type": {"text/plain; charset=utf-8"}, "Content-Encoding": {"gzip"}}
)

// post writes lines to a bucket.
func (s *Store) post(ctx context.Context, to *bucket, lines []byte) error {
	if !s.gzip || len(lines) == 0 {
		return s.do(ctx, to.writeURL, lines, plainText, written, unread)
	}
	zipped, err := zip(lines)
	if err != nil {
		return err
	}
	return s.do(ctx, to.writeURL, zipped, zippedText, written, unread)
}

var zippers = sync.Pool{New: func() any {
	w, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		panic(err) // there is such a level
	}
	return w
}}

func zip(lines []byte) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(len(lines) / 2)
	w := zippers.Get().(*gzip.Writer)
	defer zippers.Put(w)
	w.Reset(&b)
	if _, err := w.Write(lines); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// status is the HTTP status of an error, 0 where no answer came.
func status(err error) (code int, message string) {
	var e *api.Error
	if errors.As(err, &e) {
		return e.StatusCode, e.Message
	}
	return 0, ""
}
