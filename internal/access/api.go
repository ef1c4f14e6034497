package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// The names of the security schemes in the OpenAPI document.
const (
	schemeProbe  = "probeKey"
	schemeViewer = "viewerKey"
	schemeBasic  = "viewerBasic"
)

// viewerSecurity is what needs the key of a viewer, one way or the other.
var viewerSecurity = []map[string][]string{{schemeViewer: {}}, {schemeBasic: {}}}

// API is an HTTP API in the making: operations are registered on it, pages and
// other plain handlers on its Mux; Handler serves them all.
type API struct {
	huma.API
	Mux  *http.ServeMux
	Gate Gate
	log  *slog.Logger
	// described makes the API that /openapi.json describes.
	described  func() *API
	rejections rejections
}

// NewAPI makes an API without operations, but with /healthz and /openapi.json.
func NewAPI(title, version string, gate Gate, log *slog.Logger) *API {
	config := huma.DefaultConfig(title, version)
	config.CreateHooks = nil // no $schema in every answer
	config.DocsPath = ""     // huma's page loads scripts from elsewhere
	config.OpenAPIPath = ""  // served below: huma's own is built unguarded at the first request
	config.SchemasPath = ""
	config.AllowAdditionalPropertiesByDefault = true // unknown fields are ignored, so that old and new work together
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		schemeProbe:  {Type: "apiKey", In: "header", Name: HeaderKey, Description: "the key of a probe"},
		schemeViewer: {Type: "apiKey", In: "header", Name: HeaderKey, Description: "the key of a viewer"},
		schemeBasic:  {Type: "http", Scheme: "basic", Description: "the key of a viewer as the password"},
	}
	config.Transformers = append(config.Transformers, boundProblem)
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	mux := http.NewServeMux()
	gate.removed = &removed{}
	if gate.Inventory != nil {
		gate.removed.learn(gate.Inventory())
	}
	a := &API{API: humago.New(mux, config), Mux: mux, Gate: gate, log: log, rejections: rejections{log: log, now: time.Now}}
	a.described = func() *API { return a }
	document := sync.OnceValues(func() ([]byte, error) { return json.Marshal(a.described().OpenAPI()) })
	mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		body, err := document()
		if err != nil {
			WriteProblem(w, http.StatusInternalServerError, "the OpenAPI document cannot be written: "+err.Error())
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(body) // an error here is the client's going away
	})
	a.describe("/healthz", "Whether the process runs", nil)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeStatus(w, "ok") })
	return a
}

// Describe makes /openapi.json describe another API, of which this one serves a
// part. It is made when the document is first asked for.
func (a *API) Describe(whole func() *API) { a.described = whole }

// ready answers /readyz within this time, whatever the store does.
const readyTimeout = 3 * time.Second

// ServeReady makes /readyz answer 200 while all checks pass, and otherwise 503:
// with the sentence of the first that does not to whoever has a viewer's key, also
// where everybody may read, since it names hosts and paths.
func (a *API) ServeReady(checks ...func(context.Context) error) {
	a.describe("/readyz", "Whether requests can be served now", nil, http.StatusServiceUnavailable)
	// Where the halves of the API are functions of their own, each is asked below
	// a name: the gateway sends /readyz itself to one of them.
	for _, path := range []string{"GET /readyz", "GET /readyz/{function}"} {
		a.Mux.HandleFunc(path, a.readiness(checks))
	}
}

func (a *API) readiness(checks []func(context.Context) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
		defer cancel()
		for _, check := range checks {
			if err := check(ctx); err != nil {
				why := "who has a viewer's key is told why: send it in " + HeaderKey
				if _, refused := a.Gate.Viewer(viewersKey(r)); refused == nil {
					why = err.Error()
				}
				WriteProblem(w, http.StatusServiceUnavailable, "not ready: "+why)
				return
			}
		}
		writeStatus(w, "ready")
	}
}

// describe puts a plain handler of the Mux into the OpenAPI document.
func (a *API) describe(path, summary string, security []map[string][]string, errs ...int) {
	responses := map[string]*huma.Response{}
	for _, status := range append(errs, http.StatusOK) {
		responses[strconv.Itoa(status)] = &huma.Response{Description: http.StatusText(status)}
	}
	a.OpenAPI().AddOperation(&huma.Operation{OperationID: "get-" + path[1:], Method: http.MethodGet, Path: path, Summary: summary,
		Security: security, Responses: responses})
}

func writeStatus(w http.ResponseWriter, status string) {
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, "{\"status\":%q}\n", status)
}

// Handler serves everything registered. What the mux itself would answer in
// plain text (404, 405) and what panics become errors of the API.
func (a *API) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch what := recover(); what {
			case nil:
			case http.ErrAbortHandler:
				panic(what) // net/http then breaks the connection off: what was sent is not all
			default:
				a.log.Error("a request panicked", "method", r.Method, "path", r.URL.Path, "panic", what, "stack", string(debug.Stack()))
				WriteError(w, r.URL.Path, http.StatusInternalServerError, "this is a defect of the server; its log says more")
			}
		}()
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if _, pattern := a.Mux.Handler(r); pattern == "" {
			a.refuse(w, r)
			return
		}
		a.Mux.ServeHTTP(w, r)
	})
}

func (a *API) refuse(w http.ResponseWriter, r *http.Request) {
	plain := httptest.NewRecorder()
	a.Mux.ServeHTTP(plain, r)
	for _, name := range []string{"Allow", "Location"} {
		if value := plain.Header().Get(name); value != "" {
			w.Header().Set(name, value)
		}
	}
	detail := fmt.Sprintf("there is nothing at %s", r.URL.Path)
	if !isFirstVersion(r.URL.Path) {
		detail += "; /openapi.json lists what there is"
	}
	if plain.Code == http.StatusMethodNotAllowed {
		detail = fmt.Sprintf("%s does not take %s but %s", r.URL.Path, r.Method, plain.Header().Get("Allow"))
	}
	WriteError(w, r.URL.Path, plain.Code, detail)
}

// WriteProblem answers with a problem document (RFC 9457).
func WriteProblem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	// An error here is the client's going away.
	_ = json.NewEncoder(w).Encode(huma.ErrorModel{Title: http.StatusText(status), Status: status, Detail: clipDetail(detail)})
}

// What a problem document says is bounded: it may quote what was sent, and a
// probe tells it on.
const (
	maxDetail   = 1000
	maxProblems = 100
)

func clipDetail(s string) string {
	if len(s) <= maxDetail {
		return s
	}
	return strings.ToValidUTF8(s[:maxDetail], "") + "…"
}

// boundProblem bounds the errors that huma writes. It changes a copy.
func boundProblem(_ huma.Context, _ string, body any) (any, error) {
	problem, ok := body.(*huma.ErrorModel)
	if !ok {
		return body, nil
	}
	bounded := *problem
	bounded.Detail, bounded.Errors = clipDetail(problem.Detail), nil
	for _, e := range problem.Errors[:min(len(problem.Errors), maxProblems)] {
		bounded.Errors = append(bounded.Errors, &huma.ErrorDetail{Message: clipDetail(e.Message), Location: clipDetail(e.Location)})
	}
	if more := len(problem.Errors) - maxProblems; more > 0 {
		bounded.Errors = append(bounded.Errors, &huma.ErrorDetail{Message: fmt.Sprintf("and %d more", more)})
	}
	return &bounded, nil
}

type contextKey struct{}

// ProbeOf is the probe whose key the request carried, in an operation that
// ForProbes guards.
func ProbeOf(ctx context.Context) string {
	name, _ := ctx.Value(contextKey{}).(string)
	return name
}

// ForProbes guards an operation: it needs the key of a probe.
func (a *API) ForProbes(op huma.Operation) huma.Operation {
	op.Security = []map[string][]string{{schemeProbe: {}}}
	op.Errors = append(op.Errors, http.StatusUnauthorized, http.StatusForbidden)
	op.Middlewares = append(op.Middlewares, func(ctx huma.Context, next func(huma.Context)) {
		presented := ctx.Header(HeaderKey)
		name, err := a.Gate.Probe(presented)
		if err != nil {
			r, _ := humago.Unwrap(ctx)
			status := a.refused(r, presented, err)
			if status == http.StatusUnauthorized {
				ctx.SetHeader("WWW-Authenticate", HeaderKey)
			}
			_ = huma.WriteErr(a, ctx, status, err.Error())
			return
		}
		next(huma.WithValue(ctx, contextKey{}, name))
	})
	return op
}

// refused notes a key that was not accepted, and is the status of the answer. One
// that is good for something else is not asked for again.
func (a *API) refused(r *http.Request, presented string, why error) (status int) {
	a.rejections.note(r, presented, why, errors.Is(why, ErrWrongKey) && a.Gate.mistaken(presented))
	if errors.Is(why, ErrViewersKey) || errors.Is(why, ErrProbesKey) || errors.Is(why, ErrRemoved) {
		return http.StatusForbidden
	}
	return http.StatusUnauthorized
}

// ForViewers guards an operation: it needs the key of a viewer, unless
// everybody may read. It takes no query parameters but its own, which operations
// for probes do: a newer probe may say more than this server knows.
func (a *API) ForViewers(op huma.Operation) huma.Operation {
	op.Security = viewerSecurity
	op.Errors = append(op.Errors, http.StatusUnauthorized, http.StatusForbidden, http.StatusUnprocessableEntity)
	op.Middlewares = append(op.Middlewares, func(ctx huma.Context, next func(huma.Context)) {
		r, _ := humago.Unwrap(ctx)
		if err := a.Gate.CanRead(r); err != nil {
			status := a.refused(r, viewersKey(r), err)
			if status == http.StatusUnauthorized {
				ctx.SetHeader("WWW-Authenticate", basicChallenge)
			}
			_ = huma.WriteErr(a, ctx, status, err.Error())
			return
		}
		next(ctx)
	}, a.knownQuery)
	return op
}

// basicChallenge asks a browser for a viewer's key (RFC 7617).
const basicChallenge = `Basic realm="IXPQos: the password is a viewer's key", charset="UTF-8"`

// Page guards a page: a browser without a viewer's key is asked for it.
func (a *API) Page(page http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := a.Gate.CanRead(r); err != nil {
			status := a.refused(r, viewersKey(r), err)
			if status == http.StatusUnauthorized {
				w.Header().Set("WWW-Authenticate", basicChallenge)
			}
			WriteProblem(w, status, err.Error())
			return
		}
		page.ServeHTTP(w, r)
	})
}
