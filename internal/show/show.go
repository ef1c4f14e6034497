// Package show is the viewer-facing half of the API and the page: what was
// measured, between whom, and how the probes are.
//
// What it promises: it never changes anything; a pair whose ends do not know
// each other yet is pending, not bad; what was not measured is null; and an
// answer is bounded however long the time that is asked for.
package show

import (
	"cmp"
	"context"
	"errors"
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

// defaultSpan is the time that a series covers where nothing else is asked for.
const defaultSpan = 24 * time.Hour

// maxSeries is the number of results that one answer holds.
const maxSeries = 50_000

// Viewer shows what a store holds.
type Viewer struct {
	Inventory func() *inventory.Inventory
	Store     store.Reader
	Log       *slog.Logger
	Now       func() time.Time
	// Problems, where it is set, is what is wrong with the server's files.
	Problems func() []error

	limit int // of results in one answer; maxSeries where it is 0

	mu       sync.Mutex
	expected expectation // of the newest inventory seen
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
	huma.Register(api, get("get-series", "/api/v2/pairs/{source}/{target}/series", "The results of one pair over time",
		http.StatusNotFound, http.StatusUnprocessableEntity), v.getSeries)
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
	At time.Time `query:"at" doc:"the moment to show; now where absent"`
}

// matrixOutput is a wire.Matrix, already written: it is large.
// writable refuses a moment that the answer could not name: JSON has years of
// four digits, and in UTC an offset may lead out of them.
func writable(name string, t time.Time) error {
	if year := t.UTC().Year(); year < 0 || year > 9999 {
		return huma.Error422UnprocessableEntity(name + " is beyond the years 0 to 9999")
	}
	return nil
}

type matrixOutput struct {
	ContentType string `header:"Content-Type" hidden:"true"`
	Body        []byte
}

func (v *Viewer) getMatrix(ctx context.Context, in *matrixInput) (*matrixOutput, error) {
	at := in.At
	if at.IsZero() {
		at = v.Now()
	}
	if err := writable("at", at); err != nil {
		return nil, err
	}
	m, err := v.matrix(ctx, in.filter(), at)
	if err != nil {
		return nil, v.unavailable(err)
	}
	body, err := m.AppendJSON(make([]byte, 0, m.SizeHint()))
	if err != nil {
		return nil, fmt.Errorf("write the matrix: %w", err)
	}
	return &matrixOutput{ContentType: "application/json", Body: body}, nil
}

type seriesInput struct {
	Source string `path:"source" doc:"name of a probe"`
	Target string `path:"target" doc:"name of a probe or target"`
	FilterInput
	From  time.Time `query:"from" doc:"intervals that begin at or after this moment; 24 hours before until where absent"`
	Until time.Time `query:"until" doc:"and before this one; now where absent"`
}

type seriesOutput struct{ Body wire.Series }

// errEnough ends a Range that has given all that one answer holds.
var errEnough = errors.New("enough")

func (v *Viewer) getSeries(ctx context.Context, in *seriesInput) (*seriesOutput, error) {
	until, from := in.Until, in.From
	if until.IsZero() {
		until = v.Now()
	}
	if from.IsZero() {
		from = until.Add(-defaultSpan)
	}
	if err := cmp.Or(writable("until", until), writable("from", from)); err != nil {
		return nil, err
	}
	if from.After(until) {
		return nil, huma.Error422UnprocessableEntity(fmt.Sprintf("from (%s) is after until (%s)", from.Format(time.RFC3339), until.Format(time.RFC3339)))
	}
	out := wire.Series{Source: in.Source, Target: in.Target, From: from.UTC(), Until: until.UTC(), Results: []wire.Result{}, Complete: true}
	err := v.Store.Range(ctx, in.Source, in.Target, in.filter(), from, until, func(r store.Stored) error {
		if len(out.Results) == cmp.Or(v.limit, maxSeries) {
			return errEnough
		}
		out.Results = append(out.Results, wire.Shown(r.Result, r.StoredAt))
		return nil
	})
	if errors.Is(err, errEnough) {
		out.Complete = false
	} else if err != nil {
		return nil, v.unavailable(err)
	}
	if len(out.Results) == 0 && !v.knowsPair(in.Source, in.Target) {
		return nil, huma.Error404NotFound(fmt.Sprintf("nothing is known of %q to %q: /api/v2/probes and the inventory have the names", in.Source, in.Target))
	}
	return &seriesOutput{Body: out}, nil
}

func (v *Viewer) knowsPair(source, target string) bool {
	inv := v.Inventory()
	_, ok := inv.Probe(source)
	return ok && source != target && inv.Knows(target)
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
			shown.HeardAt, shown.AgeS, shown.Inventory, shown.Health = &heard, &age, &report.Inventory, &health
		}
		out.Probes[i] = shown
	}
	return out, nil
}

func (v *Viewer) unavailable(err error) error {
	v.Log.Error("the store could not be read", "error", err)
	return huma.Error503ServiceUnavailable("the store cannot be read now; the server's log says why")
}
