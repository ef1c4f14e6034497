package lambdahttp

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-lambda-go/events"
)

// request is what the client sent. Its errors are for the client.
func request(ctx context.Context, event events.APIGatewayV2HTTPRequest) (*http.Request, error) {
	about := event.RequestContext
	body := []byte(event.Body)
	if event.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(event.Body); err != nil {
			return nil, fmt.Errorf("the event's body is marked as base64 but is none: %w", err)
		}
	}
	r, err := http.NewRequestWithContext(ctx, about.HTTP.Method, "/", bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("the event is no HTTP request: %w", err)
	}
	r.URL = location(withoutStage(event.RawPath, about.Stage), event.RawQueryString)
	r.RequestURI = r.URL.RequestURI()
	r.RemoteAddr = net.JoinHostPort(about.HTTP.SourceIP, "0")
	for name, value := range event.Headers {
		r.Header.Set(name, value)
	}
	if len(event.Cookies) > 0 {
		r.Header.Set("Cookie", strings.Join(event.Cookies, "; "))
	}
	if r.Host = r.Header.Get("Host"); r.Host == "" {
		r.Host = about.DomainName
	}
	r.Header.Del("Host") // as net/http has it
	return r, nil
}

// withoutStage takes the name of the stage off the path, where the gateway
// puts it unless it is the default one.
func withoutStage(path, stage string) string {
	if stage == "" || stage == "$default" {
		return path
	}
	rest, ok := strings.CutPrefix(path, "/"+stage)
	if !ok || rest != "" && rest[0] != '/' {
		return path
	}
	return rest
}

// location takes a path that is percent-encoded, as clients send it, and one
// that was decoded, as `sam local` gives it. The two can only be told apart by
// what no encoded path holds: of a decoded path that looks like an encoded one,
// the latter is assumed.
func location(path, query string) *url.URL {
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	u := &url.URL{Path: path, RawQuery: query}
	if plain, err := url.PathUnescape(path); err == nil && !strings.ContainsFunc(path, mustBeEncoded) {
		u.Path, u.RawPath = plain, path
	}
	return u
}

// mustBeEncoded tells what stands in no encoded path: RFC 3986 section 2.
func mustBeEncoded(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"#<>?[\\]^`{|}", r)
}
