package show

import (
	"net/netip"
	"time"

	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
	"ixpqos/internal/schedule"
	"ixpqos/internal/store"
)

// minLookback is how far back the newest result of a pair is looked for at
// least, and lookbackIntervals how many intervals of the longest test: a pair
// must be seen to go stale before it is forgotten.
const (
	minLookback       = 24 * time.Hour
	lookbackIntervals = 4
)

// expectation is every series that an inventory asks for, in its own order.
type expectation struct {
	pairs    []expected
	probes   map[string]bool
	lookback time.Duration
}

// expected is a series, and where its packets go from and to; the zero address
// where the inventory has a host name.
type expected struct {
	ippm.Series
	from, to                    netip.Addr
	sourceSite, destinationSite string
}

func expect(inv *inventory.Inventory) expectation {
	e := expectation{probes: make(map[string]bool, len(inv.Probes)), lookback: lookback(inv.Tests)}
	sites := map[string]string{}
	for _, target := range inv.Targets {
		sites[target.Name] = target.Site
	}
	for _, probe := range inv.Probes {
		e.probes[probe.Name], sites[probe.Name] = true, probe.Site
	}
	for _, probe := range inv.Probes {
		part, _ := inv.Part(probe.Name)
		for _, test := range part.Tests {
			for _, pair := range part.Pairs(test) {
				one := expected{Series: ippm.Series{Source: probe.Name, Target: pair.Target, Test: test.Name, Family: pair.Family, DSCP: test.DSCP},
					sourceSite: probe.Site, destinationSite: sites[pair.Target]}
				one.from, _ = netip.ParseAddr(pair.From)
				one.to, _ = netip.ParseAddr(pair.To)
				e.pairs = append(e.pairs, one)
			}
		}
	}
	return e
}

func lookback(tests []inventory.Test) time.Duration {
	most := minLookback
	for _, test := range tests {
		longest := test.Every
		if test.Cron != "" {
			longest = schedule.MaxEvery // the expression tells only its shortest
		}
		most = max(most, lookbackIntervals*longest)
	}
	return most
}

// selection is what of a matrix is asked for; its zero value is all of it.
type selection struct {
	store.Filter
	// Of pairs, or of those that have an end at a site; any where empty.
	source, target, site string
}

func (s selection) passes(e expected) bool {
	return s.Passes(e.Series) && (s.source == "" || s.source == e.Source) && (s.target == "" || s.target == e.Target) &&
		(s.site == "" || s.site == e.sourceSite || s.site == e.destinationSite)
}

// of are the expected series that pass, in order.
func (s selection) of(all []expected) []expected {
	if s.whole() {
		return all
	}
	var some []expected
	for _, e := range all {
		if s.passes(e) {
			some = append(some, e)
		}
	}
	return some
}

// whole tells whether all passes.
func (s selection) whole() bool {
	return s.Test == "" && s.Family == 0 && s.DSCP == nil && s.source+s.target+s.site == ""
}
