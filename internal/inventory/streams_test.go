package inventory

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// mesh is an exchange of two sites with so many probes each, joined by a bundle.
func mesh(perSite int, link, tests string) string {
	var probes strings.Builder
	for i := range 2 * perSite {
		fmt.Fprintf(&probes, "- {name: p%d, switch: sw%d, addresses: [10.0.0.%d, \"2001:db8::%x\"]}\n", i, 1+i%2, i+1, i+1)
	}
	return "sites: [{name: a, switches: [sw1, sw2]}]\nlinks: [{name: l, between: [sw1, sw2], " + link + "}]\nprobes:\n" +
		probes.String() + "tests:\n" + tests
}

func streamsOf(inv *Inventory) string {
	var all []string
	for _, t := range inv.Tests {
		all = append(all, fmt.Sprintf("%s %d×%v", t.Name, t.Flows, t.Spacing))
	}
	return strings.Join(all, ", ")
}

func TestAutoTakesWhatTheBundlesNeed(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		// 84 tuples over 8 members; each flow gives the request and the reply of the
		// pair back, in two families.
		{"one pair", mesh(1, "members: 8", "- {name: a, kind: stamp, flows: auto}"), "a 21×250ms"},
		{"in one family", mesh(1, "members: 8", "- {name: a, kind: stamp, flows: auto, families: [4]}"), "a 42×250ms"},
		{"one way", mesh(1, "members: 8", "- {name: a, kind: stamp, flows: auto, families: [4], sources: [p1]}"), "a 84×250ms"},
		{"two members", mesh(1, "members: 2", "- {name: a, kind: stamp, flows: auto, families: [4], sources: [p1]}"), "a 15×250ms"},
		{"no bundle", mesh(1, "members: 1", "- {name: a, kind: stamp, flows: auto, families: [4], sources: [p1]}"), "a 3×250ms"},
		{"four probes a site", mesh(4, "members: 8", "- {name: a, kind: stamp, flows: auto}"), "a 2×250ms"},
		{"layer 3", mesh(1, "members: 8, hash: l3", "- {name: a, kind: stamp, flows: auto}"), "a 1×250ms"},
		{"layer 2", mesh(1, "members: 8, hash: l2", "- {name: a, kind: stamp, flows: auto}"), "a 1×250ms"},
		{"nobody to measure", "probes: [{name: p1, addresses: [192.0.2.1]}]\ntests: [{name: a, kind: stamp, flows: auto}]", "a 1×250ms"},
		{"more than there are", mesh(1, "members: 512", "- {name: a, kind: stamp, flows: auto}"), "a 1024×350ms"},
		{"each test by itself", mesh(1, "members: 8", "- {name: a, kind: stamp, flows: auto}\n- {name: b, kind: stamp, flows: auto, port: 40000}"),
			"a 21×250ms, b 21×250ms"},
		{"stretched", mesh(1, "members: 512", "- {name: a, kind: stamp, flows: auto, spacing: 100ms}\n- {name: b, kind: stamp, flows: 1000, port: 40000, spacing: 500ms}"),
			"a 1024×900ms, b 1000×500ms"},
		{"stretched where most is sent", mesh(1, "members: 512", "- {name: a, kind: stamp, flows: auto, families: [4], interval: 5s}\n- {name: b, kind: stamp, flows: auto, port: 40000}"),
			"a 1024×350ms, b 1024×600ms"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inv := mustParse(t, c.text)
			if diff := cmp.Diff(c.want, streamsOf(inv)); diff != "" {
				t.Error(diff)
			}
			for _, probe := range inv.Probes {
				part, _ := inv.Part(probe.Name)
				sent := 0.0
				for _, test := range inv.Tests {
					sent += test.PacketRate(len(part.Pairs(test)))
				}
				if sent > PacketBudget {
					t.Errorf("probe %q sends %g packets/s", probe.Name, sent)
				}
			}
		})
	}
}

// With a spacing of the whole interval a probe still has too much to send only
// where tests whose flows are given take the budget.
func TestAutoCannotStretchForEver(t *testing.T) {
	text := mesh(1, "members: 512", "- {name: a, kind: stamp, flows: 800, port: 40000}\n- {name: b, kind: stamp, flows: auto}\n")
	_, err := ParseYAML("i.yaml", []byte(text))
	want := `i.yaml:7: test "a": probe "p0" would send 6605 packets/s in its tests of kind stamp, 6400 of them in this one (2 pairs, 800 flows, one packet each 250ms); it sends at most 6400: raise spacing or lower flows`
	if messageOf(err) != want {
		t.Errorf("got:  %v\nwant: %s", err, want)
	}
}

// A batch stays within what a collector takes, whatever a bundle that few of
// many pairs cross needs.
func TestAutoKeepsResultsSane(t *testing.T) {
	text := strings.ReplaceAll(manyTargets(400), "addresses", "switch: sw1, addresses")
	text = strings.Replace(text, "{name: t0, switch: sw1", "{name: t0, switch: sw2", 1) +
		"sites: [{name: a, switches: [sw1, sw2]}]\nlinks: [{name: l, between: [sw1, sw2], members: 64}]\n" +
		"tests: [{name: a, kind: stamp, flows: auto}]\n"
	if got, want := streamsOf(mustParse(t, text)), "a 80×5s"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestBudgetIsOverAllTests(t *testing.T) {
	full := withTests("{name: a, kind: stamp, flows: 540, spacing: 100ms}", "{name: b, kind: stamp, flows: 250, port: 40000}")
	if got, want := streamsOf(mustParse(t, full)), "a 540×100ms, b 250×250ms"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	mustParse(t, manyTargets(32)+"tests: [{name: a, kind: stamp, flows: 1000, spacing: 5s}]\n")
}

func TestPacketRate(t *testing.T) {
	if got := (Test{Flows: 16, Spacing: 250 * time.Millisecond}).PacketRate(100); got != PacketBudget {
		t.Errorf("100 pairs with 16 flows four times a second are %g packets/s", got)
	}
}

// TestPacketRateIsANumber, and never less than what is sent, whatever a stolen
// server puts in a test: sums and comparisons with a NaN hold for every ceiling.
func TestPacketRateIsANumber(t *testing.T) {
	for _, c := range []struct {
		test  Test
		pairs int
		want  float64
	}{
		{Test{Kind: KindSTAMP, Flows: 16}, 1, math.Inf(1)},
		{Test{Kind: KindSTAMP, Flows: 16}, 0, 0},
		{Test{Kind: KindSTAMP, Flows: 16, Spacing: -time.Second}, 1, math.Inf(1)},
		{Test{Kind: KindSTAMP, Flows: -5, Spacing: time.Second}, 100, 0},
		{Test{Kind: KindSTAMP, Flows: math.MaxInt, Spacing: time.Second}, 4, 4 * math.MaxInt},
		{Test{Kind: KindICMP, Spacing: time.Millisecond}, 300, RoundBound * 1000},
		{Test{Kind: KindICMP}, 1, math.Inf(1)},
	} {
		if got := c.test.PacketRate(c.pairs); got != c.want {
			t.Errorf("%d pairs of %+v are %g packets/s; want %g", c.pairs, c.test, got, c.want)
		}
	}
}
