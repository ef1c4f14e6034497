package inventory

import "ixpqos/internal/ippm"

// What the engines of a probe do at most, whatever they are asked for. They keep
// to these themselves; an inventory that asks for more is refused where it is
// written, since its results would be wrong or missing.
const (
	// MaxPairs is how many pairs a probe has in one test.
	MaxPairs = 4096
	// MaxPeers is how many probes and targets there are beside a probe.
	MaxPeers = 10_000
	// PingBudget is how many pings a second one probe sends in all its tests of kind
	// icmp, should their rounds fall together.
	PingBudget = 20_000
	// MaxFlowsHere and MaxFlowsPerSource are how many flows one reflector is sent,
	// by all and by one address. A flow whose test begins anew is a new session
	// (RFC 8972, section 3), and the one before is kept beside it for a while: so
	// there is room for two of each.
	MaxFlowsHere      = ippm.MaxSessions / 2
	MaxFlowsPerSource = ippm.MaxSessionsPerSource / 2
)

// peers checks that each of so many probes and targets can be told of all others.
func (p *problems) peers(line, nodes int) {
	if nodes-1 > MaxPeers {
		p.add(max(line, 1), "%d probes and targets are too many: a probe measures among at most %d others", nodes, MaxPeers)
	}
}

// pairs checks that no probe has more of them in a test than it measures.
func (c *checker) pairs(plans []planned, loads []load) {
	for i, test := range c.inv.Tests {
		if most := mostPairs(loads, i); most.pairs[i] > MaxPairs {
			c.add(plans[i].line, "test %q: probe %q would have %d pairs; at most %d in one test: name fewer sources or targets",
				test.Name, most.probe, most.pairs[i], MaxPairs)
		}
	}
}

// pings checks the rate of all pings of each probe.
func (c *checker) pings(plans []planned, loads []load) {
	tests := c.inv.Tests
	most := busiest(loads, tests, KindICMP)
	if total := most.total(tests, KindICMP); total > PingBudget {
		i := most.heaviest(tests, func(i int) bool { return tests[i].Kind == KindICMP })
		c.add(plans[i].line, "test %q: probe %q would send %.0f pings/s in its tests of kind %s, %.0f of them in this one (%d pairs, one ping each %v); it sends at most %d: raise spacing",
			tests[i].Name, most.probe, total, KindICMP, most.rate(tests, i), most.pairs[i], tests[i].Spacing, PingBudget)
	}
}
