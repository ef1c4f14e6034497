// Package show is the viewer-facing half of the API and the page: what was
// measured, between whom, and how the probes are.
//
// What it promises: it never changes anything; a pair whose ends do not know
// each other yet is pending, not bad; what was not measured is null; and an
// answer is bounded however long the time that is asked for.
package show

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"ixpqos/internal/access"
	"ixpqos/internal/inventory"
	"ixpqos/internal/store"
	"ixpqos/internal/wire"
)

// maxSeries is the number of results that one answer holds.
const maxSeries = 50_000

// Viewer shows what a store holds.
type Viewer struct {
	Inventory func() *inventory.Inventory
	Store     store.Reader
	Log       *slog.Logger
	Now       func() time.Time

	mu       sync.Mutex
	expected expectation // of the newest inventory seen
}

// Register adds the viewer-facing operations and the page to the API.
func (v *Viewer) Register(api *access.API) {
	get := func(id, path, summary string, errs ...int) huma.Operation {
		return api.ForViewers(huma.Operation{OperationID: id, Method: http.MethodGet, Path: path, Summary: summary,
			Errors: append(errs, http.StatusServiceUnavailable)})
	}
	huma.Register(api, get("get-matrix", "/api/v2/matrix", "The newest result of every pair, test and family"), v.getMatrix)
	huma.Register(api, get("get-series", "/api/v2/pairs/{source}/{target}/series", "The results of one pair over time",
		http.StatusNotFound, http.StatusUnprocessableEntity), v.getSeries)
	huma.Register(api, get("get-probes", "/api/v2/probes", "All probes, when each was last heard and how it is"), v.getProbes)
	api.FirstVersion(http.MethodGet, "/api/v1/data/probe/{name}/last", v.firstLast)
	api.Mux.Handle("GET /{$}", api.Page(http.HandlerFunc(v.page)))
	api.Mux.Handle("GET /assets/", assets())
}

// filterInput are the query parameters that choose series.
type filterInput struct {
	Test   string `query:"test" doc:"only this test"`
	Family uint8  `query:"family" enum:"4,6" doc:"only this address family"`
	DSCP   string `query:"dscp" pattern:"^([0-9]|[1-5][0-9]|6[0-3])?$" doc:"only this DSCP, 0 to 63"`
}

func (f filterInput) filter() store.Filter {
	filter := store.Filter{Test: f.Test, Family: f.Family}
	var dscp uint8
	if n, _ := fmt.Sscan(f.DSCP, &dscp); n == 1 {
		filter.DSCP = &dscp
	}
	return filter
}

type matrixInput struct {
	filterInput
	At time.Time `query:"at" doc:"the moment to show; now where absent"`
}

type matrixOutput struct{ Body wire.Matrix }

func (v *Viewer) getMatrix(ctx context.Context, in *matrixInput) (*matrixOutput, error) {
	at := in.At
	if at.IsZero() {
		at = v.Now()
	}
	m, err := v.matrix(ctx, in.filter(), at)
	if err != nil {
		return nil, v.unavailable(err)
	}
	return &matrixOutput{Body: m}, nil
}

type seriesInput struct {
	Source string `path:"source" doc:"name of a probe"`
	Target string `path:"target" doc:"name of a probe or target"`
	filterInput
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
		from = until.Add(-lookback)
	}
	if from.After(until) {
		return nil, huma.Error422UnprocessableEntity(fmt.Sprintf("from (%s) is after until (%s)", from.Format(time.RFC3339), until.Format(time.RFC3339)))
	}
	out := wire.Series{Source: in.Source, Target: in.Target, From: from.UTC(), Until: until.UTC(), Results: []wire.Result{}, Complete: true}
	err := v.Store.Range(ctx, in.Source, in.Target, in.filter(), from, until, func(r store.Stored) error {
		if len(out.Results) == maxSeries {
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
	return ok && inv.Knows(target)
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
	reports, err := v.reports(ctx, now)
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
