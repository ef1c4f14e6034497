// Package show is the viewer-facing half of the API and the page: what was
// measured, between whom, how surely every link was, and how the probes are.
//
// What it promises: it never changes anything; a pair whose ends do not know
// each other yet is pending, not bad; what was not measured is null; lost packets
// of a pair are placed by what both of its ends saw; and an answer is bounded
// however long the time that is asked for.
package show

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"ixpqos/internal/access"
	"ixpqos/internal/inventory"
	"ixpqos/internal/store"
	"ixpqos/internal/wire"
)

// Viewer shows what a store holds.
type Viewer struct {
	Inventory func() *inventory.Inventory
	Store     store.Reader
	Log       *slog.Logger
	Now       func() time.Time
	// Problems, where it is set, is what is wrong with the server's files.
	Problems func() []error

	limit int // of results, or of flows, in one answer; maxSeries or maxFlows where it is 0

	expected derived[expectation]
	coverage derived[*inventory.Coverage]

	computing turns
	matrices  sharing[[]byte]
	pages     sharing[rendered]
}

// derived is what takes a while to compute and is the same for as long as the
// inventory is.
type derived[T any] struct {
	mu    sync.Mutex
	from  *inventory.Inventory
	value T
}

func (d *derived[T]) of(inv *inventory.Inventory, compute func(*inventory.Inventory) T) T {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.from != inv {
		d.from, d.value = inv, compute(inv)
	}
	return d.value
}

// Register adds the viewer-facing operations and the page to the API.
func (v *Viewer) Register(api *access.API) {
	get := func(id, path, summary string, errs ...int) huma.Operation {
		return api.ForViewers(huma.Operation{OperationID: id, Method: http.MethodGet, Path: path, Summary: summary,
			Errors: append(errs, http.StatusServiceUnavailable)})
	}
	matrix := get("get-matrix", "/api/v2/matrix", "The newest result of every pair, test and family")
	matrix.Responses = map[string]*huma.Response{"200": {Content: map[string]*huma.MediaType{
		"application/json": {Schema: api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[wire.Matrix](), true, "Matrix")},
	}}}
	huma.Register(api, matrix, v.getMatrix)
	ofPair := func(id, what, summary string, errs ...int) huma.Operation {
		return get(id, "/api/v2/pairs/{source}/{target}/"+what, summary, append(errs, http.StatusNotFound)...)
	}
	huma.Register(api, ofPair("get-series", "series", "The results of one pair over time"), v.getSeries)
	huma.Register(api, ofPair("get-flows", "flows", "The results of one pair over time, flow by flow"), v.getFlows)
	huma.Register(api, ofPair("get-coverage", "coverage", "The links on the way of one pair, and how surely every member of them is measured"), v.getCoverage)
	huma.Register(api, get("get-links", "/api/v2/links", "Every link in both directions, and how surely every member of it is measured"), v.getLinks)
	huma.Register(api, get("get-probes", "/api/v2/probes", "All probes, when each was last heard and how it is"), v.getProbes)
	api.FirstVersion(http.MethodGet, "/api/v1/data/probe/{name}/last", v.firstLast)
	api.Mux.Handle("GET /{$}", api.Page(http.HandlerFunc(v.page)))
	api.Mux.HandleFunc("GET /assets/{name}", asset)
}

// FilterInput are the query parameters that choose series. It is exported because
// huma passes over what is embedded and is not.
type FilterInput struct {
	Test   string `query:"test" doc:"only this test"`
	Family string `query:"family" enum:"4,6" doc:"only this address family"` // as a byte, huma would find no value in the enum
	DSCP   string `query:"dscp" pattern:"^([0-9]|[1-5][0-9]|6[0-3])?$" doc:"only this DSCP, 0 to 63"`
}

func (f FilterInput) filter() store.Filter {
	filter := store.Filter{Test: f.Test}
	_, _ = fmt.Sscan(f.Family, &filter.Family) // it was checked, or is absent
	var dscp uint8
	if n, _ := fmt.Sscan(f.DSCP, &dscp); n == 1 {
		filter.DSCP = &dscp
	}
	return filter
}

type matrixInput struct {
	FilterInput
	Source string `query:"source" doc:"only from this probe"`
	Target string `query:"target" doc:"only to this probe or target"`
	Site   string `query:"site" doc:"only pairs with an end at this site"`
	At     Moment `query:"at" doc:"the moment to show; now where absent"`
}

// writable refuses a moment that the answer could not name: JSON has years of
// four digits, and in UTC an offset may lead out of them.
func writable(name string, t time.Time) error {
	if year := t.UTC().Year(); year < 0 || year > 9999 {
		return huma.Error422UnprocessableEntity(name + " is beyond the years 0 to 9999")
	}
	return nil
}

// matrixOutput is a wire.Matrix, already written: it is large.
type matrixOutput struct {
	ContentType string `header:"Content-Type" hidden:"true"`
	Body        []byte
}

func (v *Viewer) getMatrix(ctx context.Context, in *matrixInput) (*matrixOutput, error) {
	at := in.At.Time
	if at.IsZero() {
		at = v.Now()
	}
	if err := writable("at", at); err != nil {
		return nil, err
	}
	body, err := v.matrices.of(ctx, fmt.Sprintf("%q", []any{in.FilterInput, in.Source, in.Target, in.Site, in.At.Time}), func(ctx context.Context) ([]byte, error) {
		return v.written(ctx, selection{in.filter(), in.Source, in.Target, in.Site}, at)
	})
	if err != nil {
		return nil, err
	}
	return &matrixOutput{ContentType: "application/json", Body: body}, nil
}

func (v *Viewer) written(ctx context.Context, asked selection, at time.Time) ([]byte, error) {
	m, err := v.matrix(ctx, asked, at)
	if err != nil {
		return nil, err
	}
	body, err := m.AppendJSON(make([]byte, 0, m.SizeHint()))
	if err != nil {
		return nil, fmt.Errorf("write the matrix: %w", err)
	}
	return body, nil
}

type probesOutput struct{ Body wire.Probes }

func (v *Viewer) getProbes(ctx context.Context, _ *struct{}) (*probesOutput, error) {
	probes, err := v.probes(ctx)
	if err != nil {
		return nil, v.unavailable(err)
	}
	return &probesOutput{Body: probes}, nil
}

func (v *Viewer) probes(ctx context.Context) (wire.Probes, error) {
	inv, now := v.Inventory(), v.Now()
	reports, err := v.reports(ctx, now.Add(wire.MaxAhead))
	if err != nil {
		return wire.Probes{}, err
	}
	out := wire.Probes{Inventory: inv.Version, Probes: make([]wire.Probe, len(inv.Probes))}
	for i, p := range inv.Probes {
		shown := wire.Probe{Name: p.Name, Site: p.Site, Switch: p.Switch, Drain: p.Drain}
		if report, ok := reports[p.Name]; ok {
			heard, age := report.StoredAt.UTC(), max(now.Sub(report.StoredAt).Seconds(), 0)
			health := wire.FromHealth(report.Health)
			shown.HeardAt, shown.AgeS, shown.Inventory, shown.Run, shown.Health = &heard, &age, &report.Inventory, report.Run, &health
		}
		out.Probes[i] = shown
	}
	return out, nil
}

func (v *Viewer) unavailable(err error) error {
	v.Log.Error("the store could not be read", "error", err)
	return huma.Error503ServiceUnavailable("the store cannot be read now; the server's log says why")
}
