package inventory

import (
	"cmp"
	"slices"
)

// load is how many pairs a probe has in each test.
type load struct {
	probe string
	pairs []int
}

func loadsOf(inv *Inventory) []load {
	loads := make([]load, len(inv.Probes))
	for i, probe := range inv.Probes {
		part, _ := inv.Part(probe.Name)
		loads[i] = load{probe.Name, make([]int, len(inv.Tests))}
		for j, test := range inv.Tests {
			loads[i].pairs[j] = len(part.Pairs(test))
		}
	}
	return loads
}

// mostPairs is the load of the first probe that no other has more pairs than in the test.
func mostPairs(loads []load, test int) load {
	return slices.MaxFunc(loads, func(a, b load) int { return cmp.Compare(a.pairs[test], b.pairs[test]) })
}

// rate is how many packets a second the probe sends in the test.
func (l load) rate(tests []Test, test int) float64 {
	return tests[test].PacketRate(l.pairs[test])
}

// anyKind stands for all kinds of tests.
const anyKind = ""

// total is the same of all tests of a kind.
func (l load) total(tests []Test, kind string) (packets float64) {
	for i, t := range tests {
		if kind == anyKind || t.Kind == kind {
			packets += l.rate(tests, i)
		}
	}
	return packets
}

// busiest is the load of the probe that sends most in tests of a kind.
func busiest(loads []load, tests []Test, kind string) load {
	return slices.MaxFunc(loads, func(a, b load) int { return cmp.Compare(a.total(tests, kind), b.total(tests, kind)) })
}

// heaviest is the test of those that count in which the probe sends most; -1
// where there is none.
func (l load) heaviest(tests []Test, counts func(test int) bool) int {
	found := -1
	for i := range tests {
		if counts(i) && (found < 0 || l.rate(tests, i) > l.rate(tests, found)) {
			found = i
		}
	}
	return found
}

// streams settles the tests of kind stamp with each other, and checks what
// they have in common: ports, and the packets of each probe.
func (c *checker) streams(plans []planned, loads []load) {
	for i, plan := range plans {
		if plan.auto {
			c.ways(c.inv.Tests[i], plan.line)
			c.inv.Tests[i].Flows = c.inv.enoughFlows(c.inv.Tests[i], mostPairs(loads, i).pairs[i])
		}
	}
	c.stretch(plans, loads)
	c.budget(plans, loads)
	c.kept(plans, loads)
	c.sessions(plans)
	c.ports(plans)
}

// ways checks that flows: auto knows which bundles a test crosses.
func (c *checker) ways(t Test, line int) {
	fabric := newFabric(c.inv)
	for _, probe := range c.inv.Probes {
		part, _ := c.inv.Part(probe.Name)
		for _, pair := range part.Pairs(t) {
			if _, ok := fabric.way(probe.Name, pair.Target); !ok {
				c.add(line, "test %q: flows is auto, but no way is known from probe %q to %q: give both their switch, and the links between, or flows as a number",
					t.Name, probe.Name, pair.Target)
				return
			}
		}
	}
}

// stretch raises the spacing of the tests that leave it to us until every probe
// is within its budget, a tick at a time where a probe that is over it sends most.
func (c *checker) stretch(plans []planned, loads []load) {
	tests := c.inv.Tests
	elastic := func(i int) bool { return plans[i].auto && tests[i].Spacing+SenderTick <= tests[i].Every }
	for {
		over := busiest(loads, tests, KindSTAMP)
		most := over.heaviest(tests, elastic)
		if over.total(tests, KindSTAMP) <= PacketBudget || most < 0 {
			return
		}
		tests[most].Spacing += SenderTick
	}
}

func (c *checker) budget(plans []planned, loads []load) {
	tests := c.inv.Tests
	for i, test := range tests {
		most := mostPairs(loads, i)
		if flows := most.pairs[i] * test.Flows; flows > MaxProbeFlows {
			c.add(plans[i].line, "test %q: probe %q would have %d flows (%d pairs, %d flows each); at most %d in one test: lower flows",
				test.Name, most.probe, flows, most.pairs[i], test.Flows, MaxProbeFlows)
			return // the packets are too many as well
		}
	}
	most := busiest(loads, tests, KindSTAMP)
	if total := most.total(tests, KindSTAMP); total > PacketBudget {
		i := most.heaviest(tests, func(i int) bool { return tests[i].Kind == KindSTAMP })
		c.add(plans[i].line, "test %q: probe %q would send %.0f packets/s in its tests of kind %s, %.0f of them in this one (%d pairs, %d flows, one packet each %v); it sends at most %d: raise spacing or lower flows",
			tests[i].Name, most.probe, total, KindSTAMP, most.rate(tests, i), most.pairs[i], tests[i].Flows, tests[i].Spacing, PacketBudget)
	}
}
