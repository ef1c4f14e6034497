package deliver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"ixpqos/internal/wire"
)

// maxRetryAfter bounds what a server can ask for: a wrong date must not silence
// a probe.
const maxRetryAfter = 5 * time.Minute

// reply is a whole response.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (r reply) title() string {
	if text := http.StatusText(r.status); text != "" {
		return fmt.Sprintf("%d %s", r.status, text)
	}
	return strconv.Itoa(r.status)
}

// verdict is what the server says of every result of a batch.
type verdict struct {
	wire.Answer
	Stored *int `json:"stored"`
}

// verdict reads the body of a 200. What is no Answer comes from something else
// than the API (a proxy, a portal) and acknowledges nothing.
func (r reply) verdict() (v verdict, err error) {
	if IsPage(r.header, r.body) {
		return v, errors.New(PageMeans)
	}
	if err = json.Unmarshal(r.body, &v); err == nil && v.Stored == nil {
		err = errors.New("it does not say how many results are stored")
	}
	if err != nil {
		return v, fmt.Errorf("%w: check the server's address and what stands before it", err)
	}
	return v, nil
}

// PageMeans says what it means that a page came in place of the API's answer.
const PageMeans = "a page for a person, probably of a proxy or a login page before the server: check --server and what stands before it, and HTTPS_PROXY"

// IsPage tells whether an answer is a page for a person, which the API gives none.
func IsPage(header http.Header, body []byte) bool {
	return strings.HasPrefix(header.Get("Content-Type"), "text/html") || bytes.HasPrefix(bytes.TrimSpace(body), []byte("<"))
}

// refusesBatch tells whether the API says that it will never take the batch. It
// says so in a problem document (RFC 9457): a 400 of anything else, such as a
// proxy that was sent HTTP where it speaks HTTPS, is about the way there.
func (r reply) refusesBatch() bool {
	return (r.status == http.StatusBadRequest || r.status == http.StatusUnprocessableEntity) && r.isProblem()
}

// behind is how far the server's clock is behind a time; 0 where it does not say.
func (r reply) behind(at time.Time) time.Duration {
	date, err := http.ParseTime(r.header.Get("Date"))
	if err != nil {
		return 0
	}
	return max(0, at.Sub(date))
}

// said is what a problem document says, within bounds.
func (r reply) said() string {
	var problem struct {
		Detail string `json:"detail"`
	}
	if !r.isProblem() || json.Unmarshal(r.body, &problem) != nil || problem.Detail == "" {
		return ""
	}
	return fmt.Sprintf("; it says %.*q", maxQuoted, problem.Detail)
}

func (r reply) isProblem() bool {
	kind, _, err := mime.ParseMediaType(r.header.Get("Content-Type"))
	return err == nil && kind == "application/problem+json"
}

// meaning tells a person what an answer that acknowledges nothing means and
// what to do.
func (r reply) meaning() (what, todo string) {
	switch {
	case r.status == http.StatusUnauthorized:
		return "the key is not accepted", "check --key-file"
	case r.status == http.StatusForbidden:
		return "the key is not this probe's", "check --key-file and the probe's name"
	case r.status == http.StatusNotFound:
		return "the API is not there", "check the server's address"
	case r.status >= 300 && r.status < 400:
		return "a redirect, which is not followed", fmt.Sprintf("set the server's address to where it leads, %.200q", r.header.Get("Location"))
	case r.status == http.StatusTooManyRequests:
		return "the server wants fewer requests", "they are sent more slowly"
	case r.status == http.StatusRequestTimeout || r.status >= 500:
		return "the server is in trouble", "they are sent again; see the server's log"
	default:
		return "not an answer of the API", "check the server's address and what stands before it"
	}
}

// failure is what an answer that acknowledges nothing comes to.
func (r reply) failure(what string, now time.Time) *failure {
	means, todo := r.meaning()
	return &failure{
		kind:       strconv.Itoa(r.status),
		sentence:   fmt.Sprintf("results wait: %s answered %s (%s): %s%s", what, r.title(), means, todo, r.said()),
		retryAfter: r.retryAfter(now),
	}
}

// retryAfter reads seconds or a date (RFC 9110 section 10.2.3). A date is
// compared with the server's own clock where the answer has one.
func (r reply) retryAfter(now time.Time) time.Duration {
	value := r.header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(r.header.Get("Date")); err == nil {
		now = date
	}
	return max(0, min(at.Sub(now), maxRetryAfter))
}

// networkFailure is what no answer comes to. Its kind leaves out what differs
// each time, such as our port.
func networkFailure(what string, err error) *failure {
	root := err
	for next := err; next != nil; next = errors.Unwrap(next) {
		root = next
	}
	return &failure{
		kind:     "network: " + root.Error(),
		sentence: fmt.Sprintf("results wait: %s failed: %.500v: check the network and the server", what, plain(err)),
	}
}

// plain leaves out what the sentence has already (the address) or what says
// nothing to a person (our own port).
func plain(err error) error {
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op != "dial" {
		return fmt.Errorf("%s: %w", op.Op, op.Err)
	}
	return err
}
