package inventory

import (
	"cmp"
	"fmt"
	"slices"
)

// portRange is a range of UDP ports, both ends in it; that of a test without
// any is empty.
type portRange struct{ first, last int }

func (r portRange) overlaps(other portRange) bool {
	return r.first <= other.last && other.first <= r.last
}

func sourcePorts(t Test) portRange {
	if t.Kind != KindSTAMP {
		return portRange{0, -1}
	}
	return portRange{int(t.Port), t.LastPort()}
}

// reflector is a port at which some node reflects.
type reflector struct {
	node string
	port portRange
}

func (inv *Inventory) reflectors() (all []reflector) {
	add := func(kind string, n Node) {
		all = append(all, reflector{fmt.Sprintf("%s %q", kind, n.Name), portRange{int(n.ReflectorPort), int(n.ReflectorPort)}})
	}
	for _, probe := range inv.Probes {
		add("probe", probe.Node)
	}
	for _, target := range inv.Targets {
		add("target", target.Node)
	}
	return all
}

// ports checks that no source port has two meanings: a reflector tells by it
// which test it hears, and a probe's own reflector needs its port for itself.
func (c *checker) ports(plans []planned) {
	ranges := make([]portRange, len(c.inv.Tests))
	for i, test := range c.inv.Tests {
		ranges[i] = sourcePorts(test)
	}
	for i, own := range ranges {
		if why := c.inv.portTrouble(i, ranges); why != "" {
			advice := "lower flows"
			if port, ok := c.inv.freePorts(i, ranges); ok {
				ranges[i] = portRange{port, port + own.last - own.first} // so that the next advice is another
				advice = fmt.Sprintf("write port: %d", port)
			}
			c.add(cmp.Or(plans[i].portLine, plans[i].line), "test %q: source ports %d to %d %s; %s", c.inv.Tests[i].Name, own.first, own.last, why, advice)
		}
	}
}

// portTrouble is what is wrong with the ports of a test; empty where nothing is.
func (inv *Inventory) portTrouble(test int, ranges []portRange) string {
	own := ranges[test]
	if own.last > maxPort {
		return fmt.Sprintf("end beyond %d", maxPort)
	}
	for i, other := range ranges[:test] {
		if own.overlaps(other) {
			return fmt.Sprintf("overlap those of test %q, %d to %d", inv.Tests[i].Name, other.first, other.last)
		}
	}
	for _, r := range inv.reflectors() {
		if own.overlaps(r.port) {
			return fmt.Sprintf("have %d among them, where %s reflects", r.port.first, r.node)
		}
	}
	return ""
}

// freePorts is where as many ports as the test has are free for it: from the
// default on if possible, and right behind what is taken.
func (inv *Inventory) freePorts(test int, ranges []portRange) (first int, ok bool) {
	taken := slices.Delete(slices.Clone(ranges), test, test+1)
	for _, r := range inv.reflectors() {
		taken = append(taken, r.port)
	}
	starts := []int{defaultPort}
	for _, r := range taken {
		starts = append(starts, r.last+1)
	}
	slices.Sort(starts)
	for _, lowest := range []int{defaultPort, MinPort} {
		for _, start := range starts {
			own := portRange{start, start + ranges[test].last - ranges[test].first}
			if start >= lowest && own.last <= maxPort && !slices.ContainsFunc(taken, own.overlaps) {
				return start, true
			}
		}
	}
	return 0, false
}
