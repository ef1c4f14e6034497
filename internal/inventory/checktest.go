package inventory

import (
	"slices"
	"strings"
	"time"

	"ixpqos/internal/schedule"
)

// What a test sends where the file does not say, and the bounds of what it may say.
const (
	defaultCount   = 10
	defaultSpacing = time.Second
	defaultTimeout = 5 * time.Second
	defaultSize    = 84
	maxDSCP        = 63
)

var allFamilies = []uint8{4, 6}

// planned is a test of the inventory that is still to be looked at with all others.
type planned struct {
	line int
	// timetable is that of rounds.
	timetable schedule.Timetable
	// auto: flows and spacing are still to be found. portLine is 0 where no port is given.
	auto     bool
	portLine int
}

func (c *checker) tests(raw at[[]at[rawTest]]) (plans []planned) {
	if len(raw.Value) == 0 {
		c.add(max(raw.Line, 1), "the inventory has no test; list at least one under tests")
	}
	if n := len(raw.Value); n > MaxTests {
		c.add(raw.Line, "%d tests are too many; a probe runs at most %d", n, MaxTests)
	}
	for _, r := range raw.Value {
		test, plan := c.test(c.named("test", "test", r.Value.Name, r.Line), r.Value)
		c.inv.Tests = append(c.inv.Tests, test)
		plans = append(plans, plan)
	}
	return plans
}

func (c *checker) test(o owner, raw rawTest) (t Test, plan planned) {
	t = Test{Name: raw.Name.Value, Kind: c.choice(o, "kind", raw.Kind, kinds, "")}
	if !raw.Kind.given() {
		c.fail(o, o.line, "has no kind; known are %s", strings.Join(kinds, ", "))
	}
	plan.line = o.line
	t.Families = c.families(o, raw.Families)
	c.ofKind(o, raw, &t, &plan)
	t.DSCP = uint8(c.number(o, "dscp", raw.DSCP, 0, maxDSCP, 0))
	probes, all := c.nodeNames()
	t.Sources = c.names(o, "sources", raw.Sources, "probe", probes)
	t.Targets = c.names(o, "targets", raw.Targets, "probe or target", all)
	return t, plan
}

// ofKind checks what is of the test's kind. Of a kind that is not known it tells
// nothing: what the test needs, and what is too much, is not known either.
func (c *checker) ofKind(o owner, raw rawTest, t *Test, plan *planned) {
	switch t.Kind {
	case KindICMP:
		c.foreign(o, t.Kind, raw)
		c.icmp(o, raw, t, plan)
	case KindSTAMP:
		c.foreign(o, t.Kind, raw)
		c.stamp(o, raw, t, plan)
	}
}

func (c *checker) icmp(o owner, raw rawTest, t *Test, plan *planned) {
	t.Cron = strings.TrimSpace(raw.Cron.Value)
	t.Every, plan.timetable = c.when(o, raw.Every, raw.Cron)
	t.Count = c.number(o, "count", raw.Count, 1, MaxCount, defaultCount)
	t.Spacing = c.duration(o, "spacing", raw.Spacing, MinSpacing, MaxSpacing, defaultSpacing)
	t.Timeout = c.timeout(o, raw.Timeout)
	t.Size = c.number(o, "size", raw.Size, MinSize(t.Families), MaxSize, defaultSize)
	t.FirstVersion = c.firstVersion(o, raw.FirstVersion)
}

// firstVersion takes the mark of the one test that stands in for the first version.
func (c *checker) firstVersion(o owner, raw at[bool]) bool {
	if !raw.Value {
		return false
	}
	if holder := c.claim("first_version", "", o, raw.Line); holder != "" {
		c.fail(o, raw.Line, "first_version is set by %s already; one test at most has it", holder)
	}
	return true
}

func (c *checker) nodeNames() (probes, all []string) {
	for _, probe := range c.inv.Probes {
		probes = append(probes, probe.Name)
	}
	all = slices.Clone(probes)
	for _, target := range c.inv.Targets {
		all = append(all, target.Name)
	}
	return probes, all
}

// when is the interval of a test with every, and the timetable of any.
func (c *checker) when(o owner, every, cron at[string]) (interval time.Duration, timetable schedule.Timetable) {
	var err error
	switch {
	case every.given() && cron.given():
		c.fail(o, cron.Line, "has both every and cron; give one of them")
	case cron.given():
		timetable, err = schedule.Cron(cron.Value)
	case every.given():
		var ok bool
		if interval, ok = c.parseDuration(o, "every", every); ok {
			timetable, err = schedule.Every(interval)
		}
	default:
		c.fail(o, o.line, "has neither every nor cron; give one of them, such as every: 5m")
	}
	if err != nil {
		c.fail(o, max(every.Line, cron.Line), "%v", err)
	}
	return interval, timetable
}

func (c *checker) duration(o owner, key string, raw at[string], low, high, absent time.Duration) time.Duration {
	if !raw.given() {
		return absent
	}
	d, ok := c.parseDuration(o, key, raw)
	if ok && (d < low || d > high) {
		c.fail(o, raw.Line, "%s is %v; it is %v to %v", key, d, low, high)
	}
	return d
}

func (c *checker) timeout(o owner, raw at[string]) time.Duration {
	if !raw.given() {
		return defaultTimeout
	}
	d, ok := c.parseDuration(o, "timeout", raw)
	if ok && (d <= LossThreshold || d > MaxTimeout) {
		c.fail(o, raw.Line, "timeout is %v; it is more than the %v after which a reply is late, and at most %v", d, LossThreshold, MaxTimeout)
	}
	return d
}

func (c *checker) parseDuration(o owner, key string, raw at[string]) (time.Duration, bool) {
	d, err := time.ParseDuration(raw.Value)
	if err != nil {
		c.fail(o, raw.Line, "%s %.80q is not a duration; write a number with its unit, such as 250ms, 10s or 5m", key, raw.Value)
	}
	return d, err == nil
}

func (c *checker) families(o owner, raw at[[]at[int]]) (families []uint8) {
	if !filled(c, o, "families", raw, "both") {
		return slices.Clone(allFamilies)
	}
	for _, r := range raw.Value {
		if r.Value != 4 && r.Value != 6 {
			c.fail(o, r.Line, "families has %d; they are 4 and 6", r.Value)
			continue
		}
		family := at[uint8]{Line: r.Line, Value: uint8(r.Value)}
		if once(c, o, "families", families, family) {
			families = append(families, family.Value)
		}
	}
	return families
}

func (c *checker) names(o owner, key string, raw at[[]at[string]], kind string, known []string) (names []string) {
	filled(c, o, key, raw, "all")
	for _, r := range raw.Value {
		if !slices.Contains(known, r.Value) {
			c.fail(o, r.Line, "%s has %.80q, which is no %s%s", key, r.Value, kind, hint(r.Value, known, "there are"))
			continue
		}
		if once(c, o, key, names, r) {
			names = append(names, r.Value)
		}
	}
	return names
}

// rounds checks that every round of pings is over before the next one begins.
func (c *checker) rounds(plans []planned, loads []load) {
	for i, test := range c.inv.Tests {
		if test.Kind == KindICMP {
			most := mostPairs(loads, i)
			c.round(test, plans[i], most.probe, most.pairs[i])
		}
	}
}

func (c *checker) round(test Test, plan planned, probe string, pairs int) {
	took, shortest := test.RoundTime(pairs), plan.timetable.Shortest()
	if took+MinSlack > shortest {
		c.add(plan.line, "test %q: a round takes up to %v (probe %q, %d pairs), but the shortest interval is %v; run it less often, or lower count, spacing or timeout",
			test.Name, took, probe, pairs, shortest)
	}
}
