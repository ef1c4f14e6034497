package inventory

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// firstTest is an entry of schedule.json, its numbers written as in YAML. The
// README of the first version says that it does not use them yet: the meaning
// is ours.
type firstTest struct {
	line               int
	name               at[string]
	every, cron, delay at[string]
	count              at[int]
}

// usualCron is how cron ran the first version's probes.
var usualCron = firstTest{line: 1, cron: at[string]{Line: 1, Value: "*/5 * * * *"}}

func firstSchedule(p *problems, text []byte) (tests []firstTest) {
	f, root := openJSON(p, text)
	for _, entry := range f.list(root, "schedule") {
		tests = append(tests, f.test(entry))
	}
	return tests
}

func (f jsonFile) test(entry jsonValue) firstTest {
	object, ok := entry.members()
	if !ok {
		f.add(f.line(entry), "an entry of schedule is %v; it is an object with every or cron", entry)
	}
	return firstTest{
		line:  f.line(entry),
		name:  f.word("name", object["name"]),
		every: f.every(object["every"]),
		cron:  f.word("cron", object["cron"]),
		delay: f.delay(object["delay"]),
		count: f.count(object["count"]),
	}
}

func (f jsonFile) word(key string, v jsonValue) at[string] {
	s, ok := v.text()
	return mark(f, key, v, s, ok, "a text")
}

func (f jsonFile) every(v jsonValue) at[string] {
	if seconds, ok := v.number(); ok {
		return mark(f, "every", v, decimal(seconds)+"s", ok, "")
	}
	s, ok := v.text()
	return mark(f, "every", v, s, ok, `a number of seconds, or a text such as "5m"`)
}

func (f jsonFile) delay(v jsonValue) at[string] {
	milliseconds, ok := v.number()
	return mark(f, "delay", v, decimal(milliseconds)+"ms", ok, "a number of milliseconds")
}

func (f jsonFile) count(v jsonValue) at[int] {
	n, ok := v.number()
	return mark(f, "count", v, int(n), ok && n == float64(int(n)), "a whole number")
}

func decimal(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

// mark is a value with its line; absent where it was not given or is a problem.
func mark[T any](f jsonFile, key string, v jsonValue, value T, ok bool, want string) (marked at[T]) {
	if !v.given() {
		return marked
	}
	if !ok {
		f.add(f.line(v), "%s is %v; it is %s", key, v, want)
		return marked
	}
	return at[T]{Line: f.line(v), Value: value}
}

func (c *checker) firstTests(entries []firstTest) (plans []planned) {
	if len(c.found) > 0 {
		return nil // what is already wrong would only be told again
	}
	nameTests(entries)
	for i, e := range entries {
		o := c.named("test", "test", e.name, e.line)
		t := Test{Name: e.name.Value, Kind: KindICMP, Cron: strings.TrimSpace(e.cron.Value), Timeout: defaultTimeout, Size: defaultSize,
			Families:     slices.Clone(allFamilies),
			FirstVersion: i == 0} // whoever has this file has the first version's dashboards too
		plan := planned{line: e.line}
		t.Every, plan.timetable = c.when(o, e.every, e.cron)
		t.Count = c.number(o, "count", e.count, 1, MaxCount, defaultCount)
		t.Spacing = c.duration(o, "delay", e.delay, MinSpacing, MaxSpacing, defaultSpacing)
		c.inv.Tests = append(c.inv.Tests, t)
		plans = append(plans, plan)
	}
	return plans
}

// nameTests names the tests that have no name: ping, ping-2 and so on, past the
// names that others have.
func nameTests(entries []firstTest) {
	taken := map[string]bool{}
	for _, e := range entries {
		taken[e.name.Value] = true
	}
	for i, e := range entries {
		if e.name.given() {
			continue
		}
		name := "ping"
		for n := 2; taken[name]; n++ {
			name = fmt.Sprintf("ping-%d", n)
		}
		taken[name] = true
		entries[i].name = at[string]{Line: e.line, Value: name}
	}
}
