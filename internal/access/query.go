package access

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// knownQuery refuses query parameters that an operation does not have: a mistyped
// one would be passed over, and the answer be about something else than was asked
// for. Huma can refuse them too, but does not tell which ones there are.
func (a *API) knownQuery(ctx huma.Context, next func(huma.Context)) {
	known := queryNames(ctx.Operation())
	advice := "there are none here"
	if len(known) > 0 {
		advice = "known are " + strings.Join(known, ", ")
	}
	var errs []error
	asked := ctx.URL()
	query, err := url.ParseQuery(asked.RawQuery)
	if err != nil {
		errs = append(errs, &huma.ErrorDetail{Location: "query", Message: err.Error()})
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if !slices.Contains(known, name) {
			errs = append(errs, &huma.ErrorDetail{Location: "query." + name, Message: "unknown parameter; " + advice})
		}
	}
	if len(errs) > 0 {
		_ = huma.WriteErr(a, ctx, http.StatusUnprocessableEntity, "validation failed", errs...)
		return
	}
	next(ctx)
}

func queryNames(op *huma.Operation) (names []string) {
	for _, p := range op.Parameters {
		if p.In == "query" {
			names = append(names, p.Name)
		}
	}
	slices.Sort(names)
	return names
}
