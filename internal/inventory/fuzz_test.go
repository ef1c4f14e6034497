package inventory

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// consistent fails where an inventory that parsed is not what it promises.
func consistent(t *testing.T, inv *Inventory) {
	if len(inv.Probes) == 0 || len(inv.Tests) == 0 || len(inv.Version) != 12 {
		t.Fatalf("an inventory without probes, tests or version parsed: %+v", inv)
	}
	shortest := map[string]time.Duration{}
	for _, test := range inv.Tests {
		timetable, err := test.Timetable()
		if err != nil {
			t.Fatalf("test %q: %v", test.Name, err)
		}
		shortest[test.Name] = timetable.Shortest()
	}
	for _, probe := range inv.Probes {
		part, ok := inv.Part(probe.Name)
		if !ok || part.Inventory != inv.Version || slices.Contains(part.PeerNames(), probe.Name) {
			t.Fatalf("the part of %q is %+v", probe.Name, part)
		}
		if len(part.Peers) != len(inv.Probes)+len(inv.Targets)-1 || len(part.Addresses) < 1 || len(part.Addresses) > 2 {
			t.Fatalf("the part of %q is %+v", probe.Name, part)
		}
		for _, test := range part.Tests {
			consistentTest(t, inv, part, test, shortest[test.Name])
		}
	}
}

func consistentTest(t *testing.T, inv *Inventory, part Part, test Test, shortest time.Duration) {
	pairs := part.Pairs(test)
	for _, pair := range pairs {
		if !inv.Knows(pair.Target) || pair.Target == part.Probe || pair.From == "" || pair.To == "" {
			t.Fatalf("test %q has the pair %+v", test.Name, pair)
		}
	}
	if test.Kind == KindSTAMP {
		if len(pairs)*test.Flows > MaxProbeFlows || test.PacketRate(len(pairs)) > PacketBudget || test.Flows < 1 || test.LastPort() > 65535 {
			t.Fatalf("test %q sends %d pairs with %d flows each %v from port %d on", test.Name, len(pairs), test.Flows, test.Spacing, test.Port)
		}
		return
	}
	if test.RoundTime(len(pairs)) >= shortest {
		t.Fatalf("the round of test %q does not fit its interval", test.Name)
	}
}

// located fails where a problem does not say its line in the file. A carriage
// return alone ends a line of YAML, too.
func located(t *testing.T, err error, text string) {
	for _, one := range err.(interface{ Unwrap() []error }).Unwrap() {
		problem, ok := one.(Problem)
		if ok && (problem.Line < 1 || problem.Line > 1+strings.Count(text, "\n")+strings.Count(text, "\r")) {
			t.Fatalf("%q stands in line %d", problem.Message, problem.Line)
		}
	}
}

func FuzzParseYAML(f *testing.F) {
	f.Add(full)
	f.Add(families)
	f.Add(fourSites)
	for _, c := range badFiles {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		inv, err := ParseYAML("i.yaml", []byte(text))
		if err != nil {
			located(t, err, text)
			return
		}
		consistent(t, inv)
	})
}

func FuzzParseFirstVersion(f *testing.F) {
	f.Add(firstProbesFile, `{"schedule": []}`)
	f.Add(onePairOfProbes, everySixty)
	f.Add(onePairOfProbes, `{"schedule": [{"every": "5m", "delay": 50.5, "count": 3, "name": "a"}, {"cron": "@hourly"}]}`)
	f.Add("[]", "{")
	f.Fuzz(func(t *testing.T, probes, schedule string) {
		inv, err := ParseFirstVersion("probes.json", []byte(probes), "schedule.json", []byte(schedule))
		if err != nil {
			located(t, err, probes+"\n"+schedule)
			return
		}
		consistent(t, inv)
	})
}
