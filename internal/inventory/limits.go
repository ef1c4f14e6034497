package inventory

import "ixpqos/internal/ippm"

// What the engines of a probe do at most, whatever they are asked for. They keep
// to these themselves; an inventory that asks for more is refused where it is
// written, since its results would be wrong or missing.
const (
	// MaxPairs is how many pairs a probe has in one test.
	MaxPairs = 4096
	// MaxPeers is how many probes and targets there are beside a probe, MaxTests how
	// many tests.
	MaxPeers = 4096
	MaxTests = 256
	// MaxPacketsPerSecond is how many packets a second one probe sends in all its
	// tests, should their rounds fall together.
	MaxPacketsPerSecond = 20_000
	// MaxFlowsKept is of how many flows, sent and heard, one probe keeps numbers.
	MaxFlowsKept = 1 << 17
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

// packets checks how many each probe sends in a second.
func (c *checker) packets(plans []planned, loads []load) {
	tests := c.inv.Tests
	most := busiest(loads, tests, anyKind)
	if total := most.total(tests, anyKind); total > MaxPacketsPerSecond {
		i := most.heaviest(tests, func(int) bool { return true })
		c.add(plans[i].line, "test %q: probe %q would send %.0f packets/s in all its tests, %.0f of them in this one (%d pairs, one packet each %v); it sends at most %d: raise spacing",
			tests[i].Name, most.probe, total, most.rate(tests, i), most.pairs[i], tests[i].Spacing, MaxPacketsPerSecond)
	}
}

// kept checks how many flows each probe keeps numbers of, as
// their sender and as their reflector.
func (c *checker) kept(plans []planned, loads []load) {
	for i, l := range loads {
		part, _ := c.inv.Part(l.probe)
		all := crowd{}
		for j, t := range c.inv.Tests {
			if t.Kind == KindSTAMP {
				all = all.and(j, (loads[i].pairs[j]+len(part.Sources(t)))*t.Flows)
			}
		}
		if all.flows > MaxFlowsKept {
			c.add(plans[all.test].line, "test %q: probe %q would send and reflect %d flows, %d of them in this test; it has room for at most %d: lower flows, or name fewer sources or targets",
				c.inv.Tests[all.test].Name, l.probe, all.flows, all.most, MaxFlowsKept)
			return
		}
	}
}
