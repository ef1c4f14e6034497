package inventory

// crowd is what one reflector is sent by one address, or by all.
type crowd struct {
	flows int
	// test is that of the most of them, which are most.
	test, most int
}

func (w crowd) and(test, flows int) crowd {
	w.flows += flows
	if flows > w.most {
		w.test, w.most = test, flows
	}
	return w
}

// crowds are what the reflector of a probe is sent: by all, and by the address
// that sends it most flows.
func (inv *Inventory) crowds(probe string) (all, worst crowd, source Source) {
	part, _ := inv.Part(probe)
	bySource := map[Source]crowd{}
	for i, t := range inv.Tests {
		sources := part.Sources(t)
		for _, s := range sources {
			bySource[s] = bySource[s].and(i, t.Flows)
		}
		all = all.and(i, len(sources)*t.Flows)
	}
	for s, w := range bySource {
		if w.flows > worst.flows || w.flows == worst.flows && s.Address < source.Address {
			worst, source = w, s
		}
	}
	return all, worst, source
}

// sessions checks that the reflector of every probe has room for what it is
// sent. It tells of the first that has not: the others are likely to have none
// for the same reason.
func (c *checker) sessions(plans []planned) {
	for _, probe := range c.inv.Probes {
		all, worst, source := c.inv.crowds(probe.Name)
		switch {
		case worst.flows > MaxFlowsPerSource:
			c.add(plans[worst.test].line, "test %q: probe %q would reflect %d flows of probe %q over IPv%d, %d of them in this test; it reflects at most %d of one address: lower flows",
				c.inv.Tests[worst.test].Name, probe.Name, worst.flows, source.Name, source.Family, worst.most, MaxFlowsPerSource)
			return
		case all.flows > MaxFlowsHere:
			c.add(plans[all.test].line, "test %q: probe %q would reflect %d flows of all probes together, %d of them in this test; it reflects at most %d: lower flows, or name fewer sources",
				c.inv.Tests[all.test].Name, probe.Name, all.flows, all.most, MaxFlowsHere)
			return
		}
	}
}
