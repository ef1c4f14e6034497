package inventory

import (
	"slices"
	"strconv"
	"time"
)

// What a test of kind stamp sends where the file does not say.
const (
	defaultFlows       = 16
	defaultFlowSpacing = 250 * time.Millisecond
	defaultInterval    = 10 * time.Second
	defaultSTAMPSize   = 128
	// defaultPort is the first above the ports that Linux gives to sockets that ask
	// for none (net.ipv4.ip_local_port_range, Documentation/networking/ip-sysctl.rst),
	// so that a flow's port is free after every start.
	defaultPort = 61000
	maxPort     = 65535
)

// autoFlows stands in place of a number of flows.
const autoFlows = "auto"

func (c *checker) stamp(o owner, raw rawTest, t *Test, plan *planned) {
	t.Every = c.interval(o, raw.Interval)
	t.Spacing = c.flowSpacing(o, raw.Spacing, t.Every)
	t.Flows, plan.auto = c.flows(o, raw.Flows)
	t.Port, plan.portLine = uint16(c.number(o, "port", raw.Port, MinPort, maxPort, defaultPort)), raw.Port.Line
	t.Size = c.number(o, "size", raw.Size, MinSTAMPSize(t.Families), MaxSize, defaultSTAMPSize)
	t.DontFragment = raw.DF.Value
	c.reflecting(o, raw.Targets.Value, t.Families)
}

func (c *checker) interval(o owner, raw at[string]) time.Duration {
	if !raw.given() {
		return defaultInterval
	}
	d, ok := c.parseDuration(o, "interval", raw)
	if ok && (d < MinInterval || d > MaxInterval || d%time.Second != 0 || time.Minute%d != 0) {
		c.fail(o, raw.Line, "interval is %v; it is %v to %v, whole seconds that divide a minute, such as 10s", d, MinInterval, MaxInterval)
	}
	return d
}

func (c *checker) flowSpacing(o owner, raw at[string], interval time.Duration) time.Duration {
	// An interval that is none is told of already.
	d := c.duration(o, "spacing", raw, MinFlowSpacing, max(interval, MinInterval), defaultFlowSpacing)
	if d%SenderTick != 0 {
		c.fail(o, raw.Line, "spacing is %v; it is a multiple of %v, the tick of the sender", d, SenderTick)
	}
	return d
}

func (c *checker) flows(o owner, raw at[string]) (flows int, auto bool) {
	if !raw.given() {
		return defaultFlows, false
	}
	if raw.Value == autoFlows {
		return 1, true
	}
	flows, err := strconv.Atoi(raw.Value)
	if err != nil || flows < 1 || flows > MaxFlows {
		c.fail(o, raw.Line, "flows is %.80q; it is 1 to %d, or %s", raw.Value, MaxFlows, autoFlows)
	}
	return flows, false
}

// reflecting checks the targets that a test names: one that cannot answer would
// leave a hole that nobody meant.
func (c *checker) reflecting(o owner, names []at[string], families []uint8) {
	for _, name := range names {
		if !c.answersSTAMP(name.Value) {
			c.fail(o, name.Line, "target %q does not answer %s; add it to its answers, or leave it out here", name.Value, KindSTAMP)
		}
		if len(families) != 1 || !c.inv.Knows(name.Value) {
			continue // of two families, every node has one
		}
		if _, ok := c.inv.Address(name.Value, families[0]); !ok {
			c.fail(o, name.Line, "target %q has no IPv%d address, which the test asks for", name.Value, families[0])
		}
	}
}

func (c *checker) answersSTAMP(name string) bool {
	i := slices.IndexFunc(c.inv.Targets, func(t Target) bool { return t.Name == name })
	return i < 0 || slices.Contains(c.inv.Targets[i].Answers, KindSTAMP)
}

// foreign refuses the keys of the other kind: they would do nothing.
func (c *checker) foreign(o owner, kind string, raw rawTest) {
	for _, key := range []struct {
		name, kind string
		line       int
	}{
		{"every", KindICMP, raw.Every.Line},
		{"cron", KindICMP, raw.Cron.Line},
		{"count", KindICMP, raw.Count.Line},
		{"timeout", KindICMP, raw.Timeout.Line},
		{"first_version", KindICMP, raw.FirstVersion.Line},
		{"interval", KindSTAMP, raw.Interval.Line},
		{"flows", KindSTAMP, raw.Flows.Line},
		{"port", KindSTAMP, raw.Port.Line},
		{"df", KindSTAMP, raw.DF.Line},
	} {
		if key.line > 0 && key.kind != kind {
			c.fail(o, key.line, "%s is for tests of kind %s; this is one of kind %s, leave it out", key.name, key.kind, kind)
		}
	}
}
