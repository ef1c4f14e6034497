package lambdahttp

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
)

// seen is what a handler saw of a request.
type seen struct {
	Method, Path, Route, Query, Host, RemoteAddr, Body, Key, Accept, Cookie string
	Length                                                                  int64
}

// ask sends an event, as JSON, through a mux that notes what arrives.
func ask(t *testing.T, event string) (seen, events.APIGatewayV2HTTPResponse, error) {
	t.Helper()
	var parsed events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal([]byte(event), &parsed); err != nil {
		t.Fatal(err)
	}
	var got seen
	note := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got = seen{r.Method, r.URL.Path, r.Pattern, r.URL.RawQuery, r.Host, r.RemoteAddr, string(body),
			r.Header.Get("X-API-Key"), r.Header.Get("Accept"), r.Header.Get("Cookie"), r.ContentLength}
		if name := r.PathValue("name"); name != "" {
			got.Route += " name=" + name
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", note)
	mux.HandleFunc("GET /api/v1/data/probe/{name}/last", note)
	out, err := Handler(mux)(t.Context(), parsed)
	return got, out, err
}

// real is an event as an HTTP API sends it: names of headers in lower case,
// cookies apart, the stage before the path.
func real(method, stage, path, query, rest string) string {
	return fmt.Sprintf(`{"version":"2.0","routeKey":"%[1]s /x","rawPath":%[3]q,"rawQueryString":%[4]q,
		"headers":{"accept":"*/*","content-length":"2","host":"a1b2.execute-api.eu-south-1.amazonaws.com","x-api-key":"secret",
			"user-agent":"ixpqos-probe","x-forwarded-for":"198.51.100.7","x-forwarded-port":"443","x-forwarded-proto":"https"},
		"requestContext":{"accountId":"123456789012","apiId":"a1b2","domainName":"a1b2.execute-api.eu-south-1.amazonaws.com","domainPrefix":"a1b2",
			"http":{"method":"%[1]s","path":%[3]q,"protocol":"HTTP/1.1","sourceIp":"198.51.100.7","userAgent":"ixpqos-probe"},
			"requestId":"JKJaXmPLvHcESHA=","routeKey":"%[1]s /x","stage":%[2]q,"time":"10/Mar/2026:12:00:00 +0000","timeEpoch":1773144000000}
		%[5]s}`, method, stage, path, query, rest)
}

// local is an event as `sam local` sends it: headers as the client wrote them,
// the path decoded.
func local(method, path, query, rest string) string {
	return fmt.Sprintf(`{"version":"2.0","routeKey":"%[1]s /x","rawPath":%[2]q,"rawQueryString":%[3]q,"cookies":[],
		"headers":{"Host":"127.0.0.1:3000","X-Api-Key":"secret","Accept":"*/*","X-Forwarded-Proto":"http","X-Forwarded-Port":"3000"},
		"queryStringParameters":{},"pathParameters":{},"stageVariables":null,
		"requestContext":{"accountId":"123456789012","apiId":"1234567890","domainName":"localhost","domainPrefix":"localhost",
			"http":{"method":"%[1]s","path":%[2]q,"protocol":"HTTP/1.1","sourceIp":"127.0.0.1","userAgent":"Custom User Agent String"},
			"requestId":"c6af9ac6","routeKey":"%[1]s /x","stage":"$default","time":"","timeEpoch":0}
		%[4]s}`, method, path, query, rest)
}

func TestRequests(t *testing.T) {
	const host = "a1b2.execute-api.eu-south-1.amazonaws.com"
	last := "GET /api/v1/data/probe/{name}/last"
	for _, tc := range []struct {
		name, event string
		want        seen
	}{
		{"a probe posts", real("POST", "$default", "/api/v2/results", "", `,"body":"{}","isBase64Encoded":false`),
			seen{Method: "POST", Path: "/api/v2/results", Route: "/", Host: host, RemoteAddr: "198.51.100.7:0", Body: "{}", Length: 2}},
		{"base64", real("POST", "$default", "/api/v2/results", "", `,"body":"/wB7fQ==","isBase64Encoded":true`),
			seen{Method: "POST", Path: "/api/v2/results", Route: "/", Host: host, RemoteAddr: "198.51.100.7:0", Body: "\xff\x00{}", Length: 4}},
		{"no body", real("GET", "$default", "/healthz", "", ``),
			seen{Method: "GET", Path: "/healthz", Route: "/", Host: host, RemoteAddr: "198.51.100.7:0"}},
		{"an empty body", real("POST", "$default", "/api/v2/results", "", `,"body":"","isBase64Encoded":true`),
			seen{Method: "POST", Path: "/api/v2/results", Route: "/", Host: host, RemoteAddr: "198.51.100.7:0"}},
		{"a null body", local("POST", "/api/v2/results", "", `,"body":null,"isBase64Encoded":false`),
			seen{Method: "POST", Path: "/api/v2/results", Route: "/", Host: "127.0.0.1:3000", RemoteAddr: "127.0.0.1:0"}},
		{"a query as it was", real("GET", "$default", "/api/v2/matrix", "test=a%20b&test=c&at=2026-03-10T12%3A00%3A00Z&x", ``),
			seen{Method: "GET", Path: "/api/v2/matrix", Route: "/", Query: "test=a%20b&test=c&at=2026-03-10T12%3A00%3A00Z&x", Host: host, RemoteAddr: "198.51.100.7:0"}},
		{"a stage", real("GET", "prod", "/prod/api/v2/matrix", "", ``),
			seen{Method: "GET", Path: "/api/v2/matrix", Route: "/", Host: host, RemoteAddr: "198.51.100.7:0"}},
		{"a stage alone", real("GET", "prod", "/prod", "", ``),
			seen{Method: "GET", Path: "/", Route: "/", Host: host, RemoteAddr: "198.51.100.7:0"}},
		{"a stage that is not before the path", real("GET", "prod", "/production", "", ``),
			seen{Method: "GET", Path: "/production", Route: "/", Host: host, RemoteAddr: "198.51.100.7:0"}},
		{"no stage", real("GET", "", "/healthz", "", ``),
			seen{Method: "GET", Path: "/healthz", Route: "/", Host: host, RemoteAddr: "198.51.100.7:0"}},
		{"an encoded path", real("GET", "$default", "/api/v1/data/probe/a%20b%2Fc/last", "", ``),
			seen{Method: "GET", Path: "/api/v1/data/probe/a b/c/last", Route: last + " name=a b/c", Host: host, RemoteAddr: "198.51.100.7:0"}},
		{"a decoded path", local("GET", "/api/v1/data/probe/a b ü/last", "", ``),
			seen{Method: "GET", Path: "/api/v1/data/probe/a b ü/last", Route: last + " name=a b ü", Host: "127.0.0.1:3000", RemoteAddr: "127.0.0.1:0"}},
		{"a decoded path with a percent sign", local("GET", "/api/v1/data/probe/100%/last", "", ``),
			seen{Method: "GET", Path: "/api/v1/data/probe/100%/last", Route: last + " name=100%", Host: "127.0.0.1:3000", RemoteAddr: "127.0.0.1:0"}},
		{"a decoded path that looks encoded in part", local("GET", "/api/v1/data/probe/a b%20c/last", "", ``),
			seen{Method: "GET", Path: "/api/v1/data/probe/a b%20c/last", Route: last + " name=a b%20c", Host: "127.0.0.1:3000", RemoteAddr: "127.0.0.1:0"}},
		{"an empty path", real("GET", "$default", "", "", ``),
			seen{Method: "GET", Path: "/", Route: "/", Host: host, RemoteAddr: "198.51.100.7:0"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.want.Key, tc.want.Accept = "secret", "*/*"
			got, out, err := ask(t, tc.event)
			if err != nil || out.StatusCode != http.StatusOK {
				t.Fatalf("answer %+v, error %v", out, err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("want - got +:\n%s", diff)
			}
		})
	}
}

func TestHeaders(t *testing.T) {
	for _, tc := range []struct{ name, headers, key, accept, cookie, host, remote string }{
		{"lower case", `"headers":{"x-api-key":"k","accept":"a/b,c/d","host":"h:1"}`, "k", "a/b,c/d", "", "h:1", "192.0.2.1:0"},
		{"upper case", `"headers":{"X-API-KEY":"k","ACCEPT":"a/b","HOST":"h"}`, "k", "a/b", "", "h", "192.0.2.1:0"},
		{"cookies", `"headers":{"cookie":"old=1"},"cookies":["a=1","b=2"]`, "", "", "a=1; b=2", "d", "192.0.2.1:0"},
		{"null", `"headers":null,"cookies":null`, "", "", "", "d", "192.0.2.1:0"},
		{"absent", `"isBase64Encoded":false`, "", "", "", "d", "192.0.2.1:0"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, _, err := ask(t, `{"rawPath":"/x",`+tc.headers+`,"requestContext":{"domainName":"d","http":{"method":"GET","sourceIp":"192.0.2.1"}}}`)
			want := seen{Method: "GET", Path: "/x", Route: "/", Host: tc.host, RemoteAddr: tc.remote, Key: tc.key, Accept: tc.accept, Cookie: tc.cookie}
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("error %v, want - got +:\n%s", err, diff)
			}
		})
	}
}

func TestForeignEvents(t *testing.T) {
	for name, event := range map[string]string{
		"nothing":            `{}`,
		"a schedule's":       `{"version":"0","id":"53dc4d37","detail-type":"Scheduled Event","source":"aws.events","resources":["arn"],"detail":{}}`,
		"payload format 1.0": `{"version":"1.0","resource":"/x","path":"/x","httpMethod":"GET","headers":{"Host":"h"},"requestContext":{"stage":"$default","httpMethod":"GET"},"body":null}`,
		"a websocket's":      `{"requestContext":{"routeKey":"$connect","eventType":"CONNECT","connectionId":"c"},"isBase64Encoded":false}`,
	} {
		t.Run(name, func(t *testing.T) {
			if got, _, err := ask(t, event); !errors.Is(err, errForeign) || got != (seen{}) {
				t.Errorf("the handler saw %+v, error %v", got, err)
			}
		})
	}
}

func TestBadRequests(t *testing.T) {
	for _, tc := range []struct{ name, event, want string }{
		{"not base64, first version", real("POST", "$default", "/backend/api/v1/data/probe-result", "", `,"body":"{\"a\":1}","isBase64Encoded":true`), `{"error":"the event's body is marked as base64 but is none`},
		{"not base64", real("POST", "$default", "/x", "", `,"body":"{\"a\":1}","isBase64Encoded":true`), "the event's body is marked as base64 but is none"},
		{"no method", `{"rawPath":"/x","requestContext":{"http":{"method":"a b"}}}`, "the event is no HTTP request"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, out, err := ask(t, tc.event)
			if err != nil || out.StatusCode != http.StatusBadGateway || !strings.Contains(out.Body, tc.want) || got != (seen{}) {
				t.Errorf("answer %+v, error %v, the handler saw %+v", out, err, got)
			}
			if kind := out.Headers["Content-Type"]; (kind != "application/problem+json") != strings.HasPrefix(tc.want, "{") || out.IsBase64Encoded {
				t.Errorf("answer %+v", out)
			}
		})
	}
}

// respond lets a handler answer a request.
func respond(t *testing.T, method, accepted string, handler http.HandlerFunc) events.APIGatewayV2HTTPResponse {
	t.Helper()
	var event events.APIGatewayV2HTTPRequest
	event.RequestContext.HTTP.Method = method
	event.Headers = map[string]string{"accept-encoding": accepted}
	out, err := Handler(handler)(t.Context(), event)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAnswers(t *testing.T) {
	content := func(media, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", media)
			io.WriteString(w, body)
		}
	}
	for _, tc := range []struct {
		name, method string
		handler      http.HandlerFunc
		want         events.APIGatewayV2HTTPResponse
	}{
		{"JSON", "GET", content("application/json", `{"a":"ü"}`), events.APIGatewayV2HTTPResponse{StatusCode: 200, Body: `{"a":"ü"}`}},
		{"a problem", "GET", content("application/problem+json", `{}`), events.APIGatewayV2HTTPResponse{StatusCode: 200, Body: `{}`}},
		{"a page", "GET", content("text/html; charset=utf-8", `<p>`), events.APIGatewayV2HTTPResponse{StatusCode: 200, Body: `<p>`}},
		{"a script", "GET", content("application/javascript", `1`), events.APIGatewayV2HTTPResponse{StatusCode: 200, Body: `1`}},
		{"a picture in XML", "GET", content("image/svg+xml", `<svg/>`), events.APIGatewayV2HTTPResponse{StatusCode: 200, Body: `<svg/>`}},
		{"a picture", "GET", content("image/png", "\x89PNG"), events.APIGatewayV2HTTPResponse{StatusCode: 200, Body: "iVBORw==", IsBase64Encoded: true}},
		{"bytes of no known type", "GET", content("application/octet-stream", "abc"), events.APIGatewayV2HTTPResponse{StatusCode: 200, Body: "YWJj", IsBase64Encoded: true}},
		{"text that is no UTF-8", "GET", content("text/plain; charset=latin1", "\xfc"), events.APIGatewayV2HTTPResponse{StatusCode: 200, Body: "/A==", IsBase64Encoded: true}},
		{"HEAD", "HEAD", content("text/html", `<p>`), events.APIGatewayV2HTTPResponse{StatusCode: 200}},
		{"not modified", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Etag", `"1"`)
			w.WriteHeader(http.StatusNotModified)
			io.WriteString(w, "ignored")
		}, events.APIGatewayV2HTTPResponse{StatusCode: 304, Headers: map[string]string{"Etag": `"1"`}}},
		{"nothing at all", "GET", func(http.ResponseWriter, *http.Request) {}, events.APIGatewayV2HTTPResponse{StatusCode: 200}},
		{"only the first status counts", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusTeapot)
			w.WriteHeader(http.StatusOK)
			w.Header().Set("Late", "1")
		}, events.APIGatewayV2HTTPResponse{StatusCode: 418}},
		{"headers and cookies", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Vary"] = []string{"Accept", "Origin"}
			w.Header()["Set-Cookie"] = []string{"a=1", "b=2"}
			w.Header().Set("Content-Length", "7")
		}, events.APIGatewayV2HTTPResponse{StatusCode: 200, Headers: map[string]string{"Vary": "Accept, Origin"}, Cookies: []string{"a=1", "b=2"}}},
		{"a type is guessed", "GET", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "plain") },
			events.APIGatewayV2HTTPResponse{StatusCode: 200, Headers: map[string]string{"Content-Type": "text/plain; charset=utf-8"}, Body: "plain"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := respond(t, tc.method, "gzip", tc.handler)
			if tc.want.Headers == nil { // the type is the test's own
				delete(got.Headers, "Content-Type")
				tc.want.Headers = map[string]string{}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("want - got +:\n%s", diff)
			}
		})
	}
}

// TestLargeAnswers: Lambda answers with no more than 6 MB.
func TestLargeAnswers(t *testing.T) {
	large := `["` + strings.Repeat("0123456789", 1<<20) + `"]`
	handler := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, large)
	}
	for accepted, gzipped := range map[string]bool{"gzip": true, "br, gzip;q=0.5": true, "": false, "gzip;q=0": false, "gzip; q=0.0": false, "br": false} {
		got := respond(t, "GET", accepted, handler)
		if !gzipped {
			if got.StatusCode != http.StatusInternalServerError || !strings.Contains(got.Body, "more than Lambda can send") {
				t.Errorf("accepted %q: status %d, body %.200s", accepted, got.StatusCode, got.Body)
			}
			continue
		}
		packed, err := base64.StdEncoding.DecodeString(got.Body)
		if err != nil || !got.IsBase64Encoded || got.Headers["Content-Encoding"] != "gzip" || got.Headers["Vary"] != "Accept-Encoding" {
			t.Fatalf("accepted %q: headers %v, error %v", accepted, got.Headers, err)
		}
		reader, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := io.ReadAll(reader); err != nil || string(plain) != large {
			t.Errorf("accepted %q: %d bytes, error %v", accepted, len(plain), err)
		}
	}
}

func TestServeNeedsTheRuntime(t *testing.T) {
	t.Setenv(runtimeAPI, "")
	os.Unsetenv(runtimeAPI)
	if Under() {
		t.Error("under Lambda without its environment variable")
	}
	if err := Serve(t.Context(), http.NotFoundHandler()); err == nil {
		t.Error("Serve found events")
	}
}
