package inventory

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func linkOf(t *testing.T, c *Coverage, link, from string) LinkCoverage {
	t.Helper()
	for _, l := range c.Links {
		if l.Link == link && l.From == from {
			return l
		}
	}
	t.Fatalf("there is no %s from %s", link, from)
	return LinkCoverage{}
}

// Of fourSites: fabric has 10 flows and every pair, p4's in IPv4 only; the
// route server answers in IPv4.
func TestLinkCoverage(t *testing.T) {
	inv := mustParse(t, fourSites)
	c := inv.Coverage(testNamed(inv, "fabric"))
	var got []string
	for _, l := range c.Links {
		got = append(got, fmt.Sprint(l.Link, " ", l.From, ">", l.To, " ", l.Members, " ", l.Tuples))
	}
	want := []string{
		// Requests and replies between p1 and p2 are 40, between p1 and p3 too, of p4
		// with p2 20, and each of p1's 10 requests to rs goes by here.
		"a-b sw1>sw2 8 110", "a-b sw2>sw1 8 110",
		// Written from sw3 to sw2: p3's with p1 and p2; the replies of rs to p1 and p2.
		"b-c sw3>sw2 4 100", "b-c sw2>sw3 4 100",
		// p3 with p4, and rs with p4, whatever the flows.
		"c-d sw3>sw4 2 2", "c-d sw4>sw3 2 2",
		// Two hosts and one, whatever flows and families.
		"d-a sw4>sw1 2 2", "d-a sw1>sw4 2 2",
		"a-b-spare sw1>sw2 16 0", "a-b-spare sw2>sw1 16 0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, l := range c.Links {
		if want := (Certainty{AtLeast(l.Tuples, l.Members, 1), AtLeast(l.Tuples, l.Members, 3)}); l.Certainty != want {
			t.Errorf("%s from %s: %+v, want %+v", l.Link, l.From, l.Certainty, want)
		}
	}
}

func TestLinksSayWhatTheyAssume(t *testing.T) {
	c := mustParse(t, fourSites).Coverage()
	for link, layer := range map[string]string{"a-b": "layer 4", "c-d": "layer 3", "d-a": "layer 2"} {
		got := linkOf(t, c, link, map[string]string{"a-b": "sw1", "c-d": "sw3", "d-a": "sw4"}[link]).Assumption
		if !strings.HasPrefix(got, "assumes that the switches hash uniformly on "+layer+", and independently of each other") {
			t.Errorf("%s: %s", link, got)
		}
	}
}

// A pair has a tuple a family and direction where addresses are hashed, and one
// where hosts are.
func TestWhatHashesDistinguish(t *testing.T) {
	for hash, want := range map[string]int{"l4": 2 * 2 * 16, "l3": 2, "l2": 1} {
		inv := mustParse(t, mesh(1, "members: 4, hash: "+hash, "- {name: a, kind: stamp}"))
		for _, l := range inv.Coverage(inv.Tests...).Links {
			if l.Tuples != want {
				t.Errorf("%s: %d tuples from %s, want %d", hash, l.Tuples, l.From, want)
			}
		}
	}
}

// The tests' tuples add up where the link hashes ports, and are the same where
// it hashes hosts. Pings have no tuples.
func TestCoverageOfSeveralTests(t *testing.T) {
	inv := mustParse(t, fourSites)
	some := testNamed(inv, "some")
	all, one, two := inv.Coverage(inv.Tests...), inv.Coverage(testNamed(inv, "fabric")), inv.Coverage(some)
	for i := range all.Links {
		a, b, c := all.Links[i], one.Links[i].Tuples, two.Links[i].Tuples
		want := b + c
		if strings.Contains(a.Assumption, "layer 3") || strings.Contains(a.Assumption, "layer 2") {
			want = max(b, c)
		}
		if a.Tuples != want {
			t.Errorf("%s from %s: %d tuples, want %d", a.Link, a.From, a.Tuples, want)
		}
	}
	// p1 to p2, p3 and rs there, the replies of p2, p3 and rs back; the reverse
	// pairs are not measured.
	if got, want := linkOf(t, two, "a-b", "sw1").Tuples, 3*some.Flows; got != want {
		t.Errorf("%d tuples from sw1, want %d", got, want)
	}
	if none := inv.Coverage(testNamed(inv, "ping")); none.Links[0].Tuples != 0 || none.Links[0].Covered != 0 {
		t.Errorf("pings cover %+v", none.Links[0])
	}
}

func TestPairCoverage(t *testing.T) {
	inv := mustParse(t, fourSites)
	c := inv.Coverage(testNamed(inv, "fabric"))
	got, ok := c.Pair("p4", "p2")
	if !ok {
		t.Fatal("there is no coverage of p4 and p2")
	}
	bundle, hosts := Certainty{AtLeast(10, 8, 1), AtLeast(10, 8, 3)}, Certainty{AtLeast(1, 2, 1), AtLeast(1, 2, 3)}
	want := PairCoverage{Source: "p4", Target: "p2",
		Forward:  []PairLink{{linkOf(t, c, "d-a", "sw4"), 1, hosts}, {linkOf(t, c, "a-b", "sw1"), 10, bundle}},
		Backward: []PairLink{{linkOf(t, c, "a-b", "sw2"), 10, bundle}, {linkOf(t, c, "d-a", "sw1"), 1, hosts}},
		All: Certainty{
			Covered:    math.Pow(AtLeast(2, 2, 1)*AtLeast(110, 8, 1), 2),
			Detectable: math.Pow(AtLeast(2, 2, 3)*AtLeast(110, 8, 3), 2)},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-12 })); diff != "" {
		t.Error(diff)
	}
	// Both families of p1 and p3 are the pair's own.
	pair, _ := c.Pair("p1", "p3")
	wantOwn := Certainty{math.Pow(AtLeast(20, 8, 1)*AtLeast(20, 4, 1), 2), math.Pow(AtLeast(20, 8, 3)*AtLeast(20, 4, 3), 2)}
	if math.Abs(pair.Own.Covered-wantOwn.Covered) > 1e-12 || math.Abs(pair.Own.Detectable-wantOwn.Detectable) > 1e-12 {
		t.Errorf("p1 and p3 by themselves: %+v, want %+v", pair.Own, wantOwn)
	}
}

// A way without a link has no member that could be missed; where the way is not
// known, or nothing is measured, nothing is said.
func TestPairsWithoutLinks(t *testing.T) {
	inv := mustParse(t, fourSites)
	c := inv.Coverage(testNamed(inv, "fabric"))
	want := PairCoverage{Source: "p3", Target: "rs", Own: Certainty{1, 1}, All: Certainty{1, 1}}
	if got, ok := c.Pair("p3", "rs"); !ok || cmp.Diff(want, got) != "" {
		t.Errorf("p3 and rs: %v, %s", ok, cmp.Diff(want, got))
	}
	for _, pair := range [][2]string{{"p1", "nowhere"}, {"nowhere", "p1"}, {"p1", "apart"}, {"p1", "sw"}, {"rs", "p1"}, {"p1", "p1"}, {"p1", "no such"}} {
		if got, ok := c.Pair(pair[0], pair[1]); ok {
			t.Errorf("%v: %+v", pair, got)
		}
	}
}

func BenchmarkCoverage100Probes(b *testing.B) {
	var text strings.Builder
	text.WriteString("sites:\n")
	for i := range 10 {
		fmt.Fprintf(&text, "- {name: s%d, switches: [sw%d]}\n", i, i)
	}
	text.WriteString("links:\n")
	for i := range 9 {
		fmt.Fprintf(&text, "- {name: l%d, between: [sw%d, sw%d], members: %d}\n", i, i/2, i+1, 4<<(i%3))
	}
	text.WriteString("probes:\n")
	for i := range 100 {
		fmt.Fprintf(&text, "- {name: p%d, switch: sw%d, addresses: [10.0.0.%d, \"2001:db8::%x\"]}\n", i, i%10, i+1, i+1)
	}
	text.WriteString("tests: [{name: a, kind: stamp, flows: auto}, {name: b, kind: stamp, flows: 1, spacing: 5s, port: 40000}]\n")
	inv, err := ParseYAML("i.yaml", []byte(text.String()))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ParseYAML("i.yaml", []byte(text.String())); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("coverage", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if c := inv.Coverage(inv.Tests...); len(c.pairs) != 9900 {
				b.Fatalf("%d pairs", len(c.pairs))
			}
		}
	})
}
