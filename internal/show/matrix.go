package show

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
	"ixpqos/internal/schedule"
	"ixpqos/internal/store"
	"ixpqos/internal/wire"
)

// minLookback is how far back the newest result of a pair is looked for at
// least, and lookbackIntervals how many intervals of the longest test: a pair
// must be seen to go stale before it is forgotten.
const (
	minLookback       = 24 * time.Hour
	lookbackIntervals = 4
)

// staleGrace is how long after two further intervals a result is still fresh:
// time to measure, to upload and to store.
const staleGrace = 10 * time.Second

// expectation is every series that an inventory asks for, in its own order.
type expectation struct {
	series   []ippm.Series
	probes   map[string]bool
	lookback time.Duration
}

func expect(inv *inventory.Inventory) expectation {
	e := expectation{probes: make(map[string]bool, len(inv.Probes)), lookback: minLookback}
	for _, test := range inv.Tests {
		longest := test.Every
		if test.Cron != "" {
			longest = schedule.MaxEvery // the expression tells only its shortest
		}
		e.lookback = max(e.lookback, lookbackIntervals*longest)
	}
	for _, probe := range inv.Probes {
		e.probes[probe.Name] = true
		part, _ := inv.Part(probe.Name)
		for _, test := range part.Tests {
			for _, pair := range part.Pairs(test) {
				e.series = append(e.series, ippm.Series{Source: probe.Name, Target: pair.Target,
					Test: test.Name, Family: pair.Family, DSCP: test.DSCP})
			}
		}
	}
	return e
}

// matrix is every expected pair that the filter lets pass, as it was known at
// the given moment.
func (v *Viewer) matrix(ctx context.Context, filter store.Filter, at time.Time) (wire.Matrix, error) {
	inv := v.Inventory()
	expected := v.expected.of(inv, expect)
	knowing := &acquaintance{viewer: v, probes: expected.probes, at: map[time.Time]map[string]peers{}}
	var latest []store.Stored
	both, reading := errgroup.WithContext(ctx)
	both.Go(func() (err error) {
		latest, err = v.Store.Latest(reading, filter, at.Add(-expected.lookback), at)
		return err
	})
	both.Go(func() (err error) {
		knowing.newest, err = knowing.peersAt(reading, at)
		return err
	})
	if err := both.Wait(); err != nil {
		return wire.Matrix{}, err
	}
	newest := make(map[ippm.Series]*ippm.Result, len(latest))
	for i := range latest {
		newest[latest[i].Series] = &latest[i].Result
	}
	m := wire.Matrix{Exchange: inv.Exchange, Inventory: inv.Version, At: at.UTC(), Cells: make([]wire.Cell, 0, len(expected.series))}
	for _, series := range expected.series {
		if !filter.Passes(series) {
			continue
		}
		cell, err := knowing.cell(ctx, series, newest[series], at)
		if err != nil {
			return wire.Matrix{}, err
		}
		m.Cells = append(m.Cells, cell)
	}
	return m, nil
}

// acquaintance answers who knew whom at which moment, from the probes' reports.
type acquaintance struct {
	viewer *Viewer
	probes map[string]bool
	// newest are the newest reports of all. Where one of them is as old as a
	// moment that is asked for, it is the newest of that moment too.
	newest map[string]peers
	// at are the reports of the moments for which that was not so.
	at map[time.Time]map[string]peers
}

// peers are whom a probe knew from a moment on.
type peers struct {
	since time.Time
	names map[string]bool
}

// cell judges one pair. It counts only when every end that is a probe knew the
// other when the interval began: before that, a probe may have been measured
// that was not there yet.
func (a *acquaintance) cell(ctx context.Context, s ippm.Series, r *ippm.Result, at time.Time) (wire.Cell, error) {
	moment := at
	if r != nil {
		moment = r.Start
	}
	known, err := a.known(ctx, s, moment)
	if err != nil {
		return wire.Cell{}, err
	}
	cell := wire.NewCell(s, state(known, r, at))
	if r != nil {
		cell = cell.WithResult(*r, at)
	}
	return cell, nil
}

func state(known bool, r *ippm.Result, at time.Time) string {
	switch {
	case !known:
		return wire.StatePending
	case r == nil:
		return wire.StateNone
	case at.Sub(r.End()) > 2*r.Length+staleGrace:
		return wire.StateStale
	}
	return wire.StateFresh
}

func (a *acquaintance) known(ctx context.Context, s ippm.Series, moment time.Time) (bool, error) {
	knows, err := a.knows(ctx, s.Source, s.Target, moment)
	if err != nil || !knows || !a.probes[s.Target] {
		return knows, err
	}
	return a.knows(ctx, s.Target, s.Source, moment)
}

// knows tells whether the newest report of a probe at a moment names the other.
func (a *acquaintance) knows(ctx context.Context, probe, other string, moment time.Time) (bool, error) {
	if newest, ok := a.newest[probe]; !ok || !newest.since.After(moment) {
		return newest.names[other], nil
	}
	reports, ok := a.at[moment]
	if !ok {
		var err error
		if reports, err = a.peersAt(ctx, moment); err != nil {
			return false, err
		}
		a.at[moment] = reports
	}
	return reports[probe].names[other], nil
}

func (a *acquaintance) peersAt(ctx context.Context, moment time.Time) (map[string]peers, error) {
	reports, err := a.viewer.Store.Reports(ctx, moment)
	if err != nil {
		return nil, err
	}
	known := make(map[string]peers, len(reports))
	for _, report := range reports {
		names := make(map[string]bool, len(report.Peers))
		for _, name := range report.Peers {
			names[name] = true
		}
		known[report.Probe] = peers{since: report.Start, names: names}
	}
	return known, nil
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
