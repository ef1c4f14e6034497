package deliver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/jonboulle/clockwork"

	"ixpqos/internal/wire"
)

const (
	resultsPath    = "/api/v2/results"
	defaultTimeout = 30 * time.Second
	minPause       = time.Second
	maxPause       = time.Minute
	// refusalPause is between batches that are refused in a row: a server that
	// refuses all that waits is wrong itself, and somebody should see that before
	// all of it is set aside.
	refusalPause   = 5 * time.Second
	maxAnswerBytes = 8 << 20
	maxErrorBytes  = 64 << 10
	// maxQuoted is how much of a server's words goes into a log line.
	maxQuoted = 300
)

// UploaderOptions say where batches go and how.
type UploaderOptions struct {
	// URL is the server's, such as https://ixpqos.example.net.
	URL string
	// Key gives the probe's key. It is asked before each request, so that a key
	// that was corrected in its file works at once.
	Key func() (string, error)
	// Version is the probe binary's.
	Version string
	// Client makes the requests and verifies the server. Its redirect policy is
	// not used: the key goes nowhere but to URL. Its transport should have an
	// ExpectContinueTimeout, as http.DefaultTransport has.
	Client *http.Client
	// Timeout is for one request with its answer, 30 s by default.
	Timeout time.Duration
	Clock   clockwork.Clock
	Log     *slog.Logger
}

// Uploader delivers the batches of a spool.
type Uploader struct {
	spool   *Spool
	target  string
	opts    UploaderOptions
	client  *http.Client
	pauses  *backoff.ExponentialBackOff
	trouble trouble
	// refusals are batches that were refused in a row.
	refusals int
	// stuck tells that the last unlink failed, so that only the first is logged.
	stuck bool
	// askFirst tells that the last request got no answer. A server that says 413
	// and closes at once resets the connection while the body is being sent, and
	// the 413 is lost; with "Expect: 100-continue" it comes before the body.
	askFirst bool
}

// NewUploader checks the options. Run does the work.
func NewUploader(spool *Spool, opts UploaderOptions) (*Uploader, error) {
	target, err := resultsURL(opts.URL)
	if err != nil {
		return nil, err
	}
	if opts.Key == nil || opts.Client == nil {
		return nil, errors.New("upload: a key and a client are needed")
	}
	if opts.Timeout <= 0 {
		opts.Timeout = defaultTimeout
	}
	if opts.Clock == nil {
		opts.Clock = clockwork.NewRealClock()
	}
	opts.Log = orDiscard(opts.Log)
	client := *opts.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Uploader{spool: spool, target: target, opts: opts, client: &client,
		pauses: newPauses(), trouble: trouble{log: opts.Log}}, nil
}

func resultsURL(base string) (string, error) {
	u, err := url.Parse(base)
	if err != nil {
		return "", fmt.Errorf("upload: the server's address: %w", plain(err)) // plain: it may hold a password
	}
	switch {
	case u.Scheme != "https" && u.Scheme != "http", u.Host == "":
		return "", fmt.Errorf("upload: the server's address %q is not one such as https://ixpqos.example.net", u.Redacted())
	case u.User != nil:
		return "", errors.New("upload: the server's address has a user in it: the key belongs into the key file")
	case u.RawQuery != "" || u.Fragment != "":
		return "", fmt.Errorf("upload: the server's address %q ends with a query or fragment: leave that out", base)
	}
	return u.JoinPath(resultsPath).String(), nil
}

// newPauses makes pauses that are random within [1 s, 2 s], [2 s, 4 s] and so on
// up to [30 s, 60 s].
func newPauses() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.RandomizationFactor = 1.0 / 3
	b.InitialInterval = minPause * 3 / 2
	b.MaxInterval = maxPause * 3 / 4
	b.Multiplier = 2
	b.Reset()
	return b
}

// Trouble is a sentence for the probe's health while uploads fail or the server
// refuses what it is sent, and empty while all is well. It may be called from any goroutine.
func (u *Uploader) Trouble() string { return u.trouble.sentence() }

// Run delivers until ctx ends and then returns nil at once: what is not
// acknowledged is still in the spool.
func (u *Uploader) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		entry, body, ok, err := u.spool.take()
		switch {
		case err != nil:
			u.pause(ctx, &failure{kind: "spool", sentence: fmt.Sprintf("results wait: the spool cannot be read: %v", err)})
		case !ok:
			u.idle(ctx)
		default:
			u.settle(ctx, u.deliver(ctx, entry, body))
		}
	}
	return nil
}

func (u *Uploader) idle(ctx context.Context) {
	var again <-chan time.Time
	if wait, ok := u.spool.due(); ok {
		timer := u.opts.Clock.NewTimer(wait)
		defer timer.Stop()
		again = timer.Chan()
	}
	select {
	case <-ctx.Done():
	case <-u.spool.Wake():
	case <-again:
	}
}

// Finish delivers what it can until ctx ends, after Run has returned. The first
// failure ends it: what waits is safe, and the next start goes on with it. So does
// the first refusal: there is no time for the pauses that a server which refuses
// everything must be given.
func (u *Uploader) Finish(ctx context.Context) {
	for ctx.Err() == nil {
		entry, body, ok, err := u.spool.take()
		if err != nil || !ok || u.deliver(ctx, entry, body) != nil || u.refusals > 0 {
			return
		}
	}
}

func (u *Uploader) settle(ctx context.Context, failed *failure) {
	switch {
	case failed == nil:
		u.spool.serverIs(false)
		u.pauses.Reset()
		u.trouble.end()
		if u.refusals > 1 {
			u.rest(ctx, refusalPause)
		}
	case ctx.Err() == nil: // else it failed because it was told to end
		u.spool.serverIs(true)
		u.pause(ctx, failed)
	}
}

func (u *Uploader) pause(ctx context.Context, failed *failure) {
	u.trouble.fail(*failed)
	pause := min(max(u.pauses.NextBackOff(), minPause), maxPause)
	u.rest(ctx, max(pause, failed.retryAfter))
}

func (u *Uploader) rest(ctx context.Context, pause time.Duration) {
	timer := u.opts.Clock.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.Chan():
	}
}

// deliver posts one batch and does with it what the answer asks for. A failure
// means that it stays where it is.
func (u *Uploader) deliver(ctx context.Context, e Entry, body []byte) *failure {
	got, failed := u.post(ctx, body)
	if failed != nil {
		return failed
	}
	switch {
	case got.status == http.StatusOK:
		return u.accept(e, body, got)
	case got.refusesBatch() || got.status == http.StatusServiceUnavailable:
		return u.refuseUnlessEarly(e, body, got)
	case got.status == http.StatusRequestEntityTooLarge:
		return u.split(e, body, got)
	default:
		return got.failure(u.what(), u.opts.Clock.Now())
	}
}

func (u *Uploader) what() string { return "POST " + u.target }

// accept ends a batch that is stored, but for the results that were rejected.
func (u *Uploader) accept(e Entry, body []byte, got reply) *failure {
	answer, err := got.verdict()
	if err != nil {
		return &failure{kind: "answer", retryAfter: got.retryAfter(u.opts.Clock.Now()),
			sentence: fmt.Sprintf("results wait: %s answered 200, but not as the API does: %v", u.what(), err)}
	}
	u.trouble.refuse("")
	u.refusals = 0
	if len(answer.Rejected)+len(answer.RejectedHeard) > 0 && !u.keepRejected(e, body, answer) {
		return nil
	}
	if len(answer.Later)+len(answer.LaterHeard) > 0 {
		u.keepLater(e, body, answer)
		return nil
	}
	u.remove(e)
	return nil
}

// refuseUnlessEarly heeds a verdict on a batch, unless one of the clocks is why:
// then it is none. By our own clock the batch may be early because that stepped
// back; the batches behind it need not wait for it.
func (u *Uploader) refuseUnlessEarly(e Entry, body []byte, got reply) *failure {
	early, behind := wire.Batch{}, time.Duration(0)
	if json.Unmarshal(body, &early) == nil {
		behind = got.behind(early.Start)
	}
	now := u.opts.Clock.Now()
	switch {
	case early.Start.Sub(now) > wire.MaxAhead:
		u.spool.putOff(e, fmt.Sprintf("it begins at %s, and the clock here is before that: it was ahead when the batch was measured", early.Start.UTC().Format(time.RFC3339)))
		return nil
	case behind > wire.MaxAhead:
		return &failure{kind: "clock", retryAfter: got.retryAfter(now),
			sentence: fmt.Sprintf("results wait: %s answered %s: the server's clock is %v behind what was measured here: check both clocks", u.what(), got.title(), behind.Round(time.Second))}
	case !got.refusesBatch():
		return got.failure(u.what(), now)
	}
	u.refuse(e, got)
	return nil
}

func (u *Uploader) remove(e Entry) {
	err := u.spool.Remove(e)
	if err != nil && !u.stuck {
		u.opts.Log.Error(err.Error())
	}
	u.stuck = err != nil
}

// refuse sets aside a batch that the server will never take, and beside it what
// the server said.
func (u *Uploader) refuse(e Entry, got reply) {
	reason := fmt.Sprintf("%s answered %s: %.*q", u.what(), got.title(), maxQuoted, got.body)
	u.spool.setAside(e, reason)
	u.refusals++
	u.trouble.refuse("results are set aside: " + reason)
	said := fmt.Appendf(nil, "%s answered %s\n\n%s\n", u.what(), got.title(), got.body)
	if err := u.spool.saveAside(stem(e.Name)+answerSuffix, said); err != nil {
		u.opts.Log.Error("the server's answer cannot be kept", "error", err)
	}
}

// split makes two batches of one that is too large for the server.
func (u *Uploader) split(e Entry, body []byte, got reply) *failure {
	first, second, err := split(body)
	if err != nil && !got.isProblem() {
		// Something before the API is narrower than the API itself.
		return &failure{kind: "413", sentence: fmt.Sprintf("results wait: %s answered %s, and %v: raise the limit of what stands before the server (nginx: client_max_body_size)", u.what(), got.title(), err)}
	}
	if err != nil {
		u.refusals++
		u.spool.setAside(e, fmt.Sprintf("%s answered that it is too large, and %v: raise the server's limit", u.what(), err))
		return nil
	}
	if err := u.spool.writeHalves(e, first, second); err != nil {
		return &failure{kind: "split", sentence: fmt.Sprintf("results wait: a batch is too large for the server and cannot be split: %v", err)}
	}
	u.remove(e)
	return nil
}

var errNoAnswer = errors.New("no answer in time")

// post sends a body and reads the whole response.
func (u *Uploader) post(ctx context.Context, body []byte) (reply, *failure) {
	key, err := u.opts.Key()
	if err != nil {
		return reply{}, &failure{kind: "key", sentence: fmt.Sprintf("results wait: %v", err)}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := u.opts.Clock.AfterFunc(u.opts.Timeout, func() { cancel(errNoAnswer) })
	defer timer.Stop()
	got, err := u.exchange(ctx, key, body)
	u.askFirst = err != nil
	if err == nil {
		return got, nil
	}
	// HTTP/2 would go on using a connection that has died without a word.
	u.client.CloseIdleConnections()
	if context.Cause(ctx) == errNoAnswer {
		err = fmt.Errorf("%w (%v)", errNoAnswer, u.opts.Timeout)
	}
	return reply{}, networkFailure(u.what(), err)
}

func (u *Uploader) exchange(ctx context.Context, key string, body []byte) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.target, bytes.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "ixpqos-probe/"+u.opts.Version)
	req.Header.Set("X-API-Key", key)
	if u.askFirst {
		req.Header.Set("Expect", "100-continue")
	}
	resp, err := u.client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	content, err := readReply(resp)
	return reply{resp.StatusCode, resp.Header, content}, err
}

// readReply reads a response within bounds. Of one that is not a 200 the status
// is enough, so the rest of its body may be missing.
func readReply(resp *http.Response) ([]byte, error) {
	if resp.StatusCode != http.StatusOK {
		content, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBytes))
		return content, nil
	}
	content, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes+1))
	if err == nil && len(content) > maxAnswerBytes {
		err = fmt.Errorf("the answer has more than %d bytes", maxAnswerBytes)
	}
	return content, err
}
