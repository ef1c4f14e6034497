package show

import (
	"context"
	"time"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
)

// acquaintance answers who knew whom at which moment, and as what, from the
// probes' reports.
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
	// views are by name. They all are 0 and mean nothing where the probe is too old
	// to tell them.
	views  map[string]uint32
	viewed bool
	told   complaints
}

// sight is what one end of a pair knows of the other.
type sight struct {
	knows, viewed bool
	view          uint32
}

func (p peers) sightOf(other string) sight {
	view, knows := p.views[other]
	return sight{knows, p.viewed, view}
}

// counts tells whether a pair counts in an interval. It does only where every end
// that is a probe knew the other when the interval began: before that, a probe may
// have been measured that was not there yet. And both must have known the same of
// each other until its end: else one may have sent to where the other was not, or
// not any more. A probe that is too old to tell is believed.
func (a *acquaintance) counts(ctx context.Context, s ippm.Series, from, until time.Time) (bool, error) {
	source, err := a.stays(ctx, s.Source, s.Target, from, until)
	if err != nil || !source.knows || !a.probes[s.Target] {
		return source.knows, err
	}
	target, err := a.stays(ctx, s.Target, s.Source, from, until)
	return target.knows && (!source.viewed || !target.viewed || source.view == target.view), err
}

// stays is what a probe knew of another from one moment until the other; nothing
// where that changed.
func (a *acquaintance) stays(ctx context.Context, probe, other string, from, until time.Time) (sight, error) {
	report, err := a.reportOf(ctx, probe, from)
	if err != nil {
		return sight{}, err
	}
	begun := report.sightOf(other)
	switch {
	case !begun.knows || !begun.viewed:
		return begun, nil
	case begun.view == 0: // it changed in the interval that was reported
		return sight{}, nil
	case a.newest[probe].sightOf(other) == begun: // and so, for all that is known, always
		return begun, nil
	}
	report, err = a.reportOf(ctx, probe, until)
	if ended := report.sightOf(other); ended.knows && ended.viewed && ended.view != 0 && ended.view != begun.view {
		return sight{}, err
	}
	return begun, err
}

// reportOf is the newest report of a probe at a moment.
func (a *acquaintance) reportOf(ctx context.Context, probe string, moment time.Time) (peers, error) {
	if newest, ok := a.newest[probe]; !ok || !newest.since.After(moment) {
		return newest, nil
	}
	reports, ok := a.at[moment]
	if !ok {
		var err error
		if reports, err = a.peersAt(ctx, moment); err != nil {
			return peers{}, err
		}
		a.at[moment] = reports
	}
	return reports[probe], nil
}

func (a *acquaintance) peersAt(ctx context.Context, moment time.Time) (map[string]peers, error) {
	reports, err := a.viewer.Store.Reports(ctx, moment)
	if err != nil {
		return nil, err
	}
	known := make(map[string]peers, len(reports))
	for _, report := range reports {
		known[report.Probe] = peersOf(report)
	}
	return known, nil
}

func peersOf(report store.Report) peers {
	p := peers{since: report.Start, views: make(map[string]uint32, len(report.Peers)),
		viewed: len(report.Views) == len(report.Peers) && len(report.Peers) > 0, told: complaintsOf(report.Health.Troubles)}
	for i, name := range report.Peers {
		p.views[name] = 0
		if p.viewed {
			p.views[name] = report.Views[i]
		}
	}
	return p
}
