package lambdahttp

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"

	"ixpqos/internal/access"
)

// compressFrom is the size in bytes from which a body leaves compressed, where
// the client takes it. Lambda answers with 6 MB at most, and a large matrix is more.
const compressFrom = 256 << 10

// maxAnswer is what Lambda takes, less what surrounds the body: 6 MB as text.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const maxAnswer = 6<<20 - 64<<10

// answer collects what a handler writes.
type answer struct {
	header http.Header
	status int
	sent   http.Header // the header as it was when the status was written
	body   bytes.Buffer
}

func newAnswer() *answer { return &answer{header: http.Header{}} }

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	// Only the first final status counts; informational ones cannot be sent.
	if a.status == 0 && status >= 200 {
		a.status, a.sent = status, a.header.Clone()
	}
}

func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 && a.header.Get("Content-Type") == "" {
		a.header.Set("Content-Type", http.DetectContentType(p))
	}
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// refuse answers an event that is no request. It is the gateway's fault and not
// the client's: a probe must not take its batch for refused.
func (a *answer) refuse(path string, err error) {
	access.WriteError(a, path, http.StatusBadGateway, err.Error())
}

// event is the answer as the gateway takes it.
func (a *answer) event(method string, gzipped bool) events.APIGatewayV2HTTPResponse {
	a.WriteHeader(http.StatusOK)
	if method == http.MethodHead || a.status == http.StatusNoContent || a.status == http.StatusNotModified {
		a.body.Reset()
	}
	if gzipped && a.body.Len() >= compressFrom && a.sent.Get("Content-Encoding") == "" {
		a.compress()
	}
	a.sent.Del("Content-Length") // the gateway counts itself
	body, encoded := a.text()
	if escaped(body) > maxAnswer {
		large := newAnswer()
		access.WriteProblem(large, http.StatusInternalServerError,
			fmt.Sprintf("the answer has %d bytes, more than Lambda can send: ask for less, or send Accept-Encoding: gzip", len(body)))
		return large.event(method, false)
	}
	out := events.APIGatewayV2HTTPResponse{StatusCode: a.status, Headers: map[string]string{},
		Body: body, IsBase64Encoded: encoded, Cookies: a.sent.Values("Set-Cookie")}
	a.sent.Del("Set-Cookie")
	for name, values := range a.sent {
		out.Headers[name] = strings.Join(values, ", ")
	}
	return out
}

func (a *answer) compress() {
	var small bytes.Buffer
	w := gzip.NewWriter(&small)
	w.Write(a.body.Bytes()) // a buffer takes everything
	w.Close()
	a.body = small
	a.sent.Set("Content-Encoding", "gzip")
	a.sent.Add("Vary", "Accept-Encoding")
}

// text is the body as a JSON string can hold it. What is not surely text
// leaves as base64, which the gateway decodes.
func (a *answer) text() (body string, encoded bool) {
	media, _, _ := mime.ParseMediaType(a.sent.Get("Content-Type"))
	if a.body.Len() == 0 || a.sent.Get("Content-Encoding") == "" && isText(media) && utf8.Valid(a.body.Bytes()) {
		return a.body.String(), false
	}
	return base64.StdEncoding.EncodeToString(a.body.Bytes()), true
}

// escaped is the length of a body in the JSON that carries it.
func escaped(body string) int {
	return len(body) + strings.Count(body, `"`) + strings.Count(body, `\`) + strings.Count(body, "\n")
}

func isText(media string) bool {
	switch media {
	case "application/json", "application/xml", "application/javascript":
		return true
	}
	return strings.HasPrefix(media, "text/") || strings.HasSuffix(media, "+json") || strings.HasSuffix(media, "+xml")
}

// acceptsGzip reads Accept-Encoding as far as clients use it.
func acceptsGzip(r *http.Request) bool {
	for item := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		coding, weight, _ := strings.Cut(item, ";")
		if strings.TrimSpace(coding) == "gzip" {
			q, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(weight), "q="), 64)
			return err != nil || q > 0
		}
	}
	return false
}
