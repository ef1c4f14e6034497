package show

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/sync/errgroup"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
	"ixpqos/internal/wire"
)

const (
	// staleGrace is how long after two further intervals a result is still fresh:
	// time to measure, to upload and to store.
	staleGrace = 10 * time.Second
	// maxCells is the number of cells that one answer holds: about 25 MB, and ten
	// times that in memory while it is computed.
	maxCells = 50_000
	// maxComputed is how many matrices are computed at once.
	maxComputed = 2
)

// matrix is every expected pair that is asked for, as it was known at the given
// moment. Its error is one for who asked.
func (v *Viewer) matrix(ctx context.Context, asked selection, at time.Time) (wire.Matrix, error) {
	inv := v.Inventory()
	all := v.expected.of(inv, expect)
	some := asked.of(all.pairs)
	if most := cmp.Or(v.limit, maxCells); len(some) > most {
		return wire.Matrix{}, huma.Error422UnprocessableEntity(fmt.Sprintf("the matrix has %d cells, and one answer must have at most %d: "+
			"ask for a part of it, by source, target, site, test, family or dscp", len(some), most))
	}
	leave, err := v.computing.enter(ctx)
	if err != nil {
		return wire.Matrix{}, v.unavailable(err)
	}
	defer leave()
	known, newest, err := v.latest(ctx, asked, some, all, at)
	if err != nil {
		return wire.Matrix{}, v.unavailable(err)
	}
	v.join(ctx, newest)
	m := wire.Matrix{Exchange: inv.Exchange, Inventory: inv.Version, At: at.UTC(), Cells: make([]wire.Cell, 0, len(some))}
	for _, one := range some {
		cell, err := known.cell(ctx, one, newest[one.Series], at)
		if err != nil {
			return wire.Matrix{}, v.unavailable(err)
		}
		m.Cells = append(m.Cells, cell)
	}
	return m, nil
}

// latest reads the newest results of series, and the newest reports.
func (v *Viewer) latest(ctx context.Context, asked selection, some []expected, all expectation, at time.Time) (*acquaintance, map[ippm.Series]*ippm.Result, error) {
	known := &acquaintance{viewer: v, probes: all.probes, at: map[time.Time]map[string]peers{}}
	filter := asked.Filter
	filter.Only = make(map[ippm.Series]bool, len(some))
	for _, one := range some {
		filter.Only[one.Series] = true
	}
	var latest []store.Stored
	both, reading := errgroup.WithContext(ctx)
	both.Go(func() (err error) {
		latest, err = v.Store.Latest(reading, filter, at.Add(-all.lookback), at)
		return err
	})
	both.Go(func() (err error) {
		known.newest, err = known.peersAt(reading, at)
		return err
	})
	if err := both.Wait(); err != nil {
		return nil, nil, err
	}
	newest := make(map[ippm.Series]*ippm.Result, len(latest))
	for i := range latest {
		newest[latest[i].Series] = &latest[i].Result
	}
	return known, newest, nil
}

// cell judges one pair, by what was known of it while the shown result was
// measured; where there is none, now.
func (a *acquaintance) cell(ctx context.Context, e expected, r *ippm.Result, at time.Time) (wire.Cell, error) {
	from, until := at, at
	if r != nil {
		from, until = r.Start, r.End()
	}
	counts, err := a.counts(ctx, e.Series, from, until)
	if err != nil {
		return wire.Cell{}, err
	}
	cell := wire.NewCell(e.Series, state(counts, r, at))
	if r != nil {
		cell = cell.WithResult(*r, at)
	}
	cell.Troubled, err = a.troubled(ctx, e, from)
	return cell, err
}

// troubled are those ends of a pair that report a trouble of it, since a moment.
func (a *acquaintance) troubled(ctx context.Context, e expected, since time.Time) (names []string, err error) {
	for _, end := range [][2]string{{e.Source, e.Target}, {e.Target, e.Source}} {
		then, err := a.reportOf(ctx, end[0], since)
		if err != nil {
			return nil, err
		}
		if a.newest[end[0]].told.about(e, end[1]) || then.told.about(e, end[1]) {
			names = append(names, end[0])
		}
	}
	return names, nil
}

func state(counts bool, r *ippm.Result, at time.Time) string {
	switch {
	case !counts:
		return wire.StatePending
	case r == nil:
		return wire.StateNone
	case at.Sub(r.End()) > 2*r.Length+staleGrace:
		return wire.StateStale
	}
	return wire.StateFresh
}

// reports are the newest reports by probe.
func (v *Viewer) reports(ctx context.Context, at time.Time) (map[string]store.Report, error) {
	list, err := v.Store.Reports(ctx, at)
	if err != nil {
		return nil, err
	}
	reports := make(map[string]store.Report, len(list))
	for _, report := range list {
		reports[report.Probe] = report
	}
	return reports, nil
}
