package show_test

import (
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ixpqos/internal/inventory"
	"ixpqos/internal/wire"
)

// bundles is three sites in a line and one apart, whose probes measure 16 flows.
const bundles = `
sites: [{name: a, switches: [sw1]}, {name: b, switches: [sw2]}, {name: c, switches: [sw3]}, {name: d, switches: [sw4]}]
links:
  - {name: a-b, between: [sw1, sw2], members: 4}
  - {name: b-c, between: [sw2, sw3], members: 2, hash: l3}
probes:
  - {name: p1, switch: sw1, addresses: [192.0.2.1]}
  - {name: p2, switch: sw2, addresses: [192.0.2.2]}
  - {name: p3, switch: sw3, addresses: [192.0.2.3]}
  - {name: apart, switch: sw4, addresses: [192.0.2.4]}
  - {name: nowhere, addresses: [192.0.2.5]}
targets:
  - {name: rs1, switch: sw1, addresses: [192.0.2.250]}
tests:
  - {name: ping, kind: icmp, every: 5m}
  - {name: fabric, kind: stamp, flows: 16}
`

// almost forgives the rounding of products.
var almost = cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-12 })

func covered(tuples, members int) wire.Covered {
	return wire.Covered{Covered: inventory.AtLeast(tuples, members, 1), Detectable: inventory.AtLeast(tuples, members, 3)}
}

// Requests and replies of p1 with p2 and with p3 cross a-b, 16 flows each; those
// of p3 with p1 and with p2 are one pair of addresses each on b-c.
func TestLinks(t *testing.T) {
	s := serve(t, bundles)
	var got wire.Links
	s.get(t, "/api/v2/links").into(t, &got)
	const assumes = "assumes that the switches hash uniformly on layer "
	for i := range got.Links {
		if l := &got.Links[i]; strings.HasPrefix(l.Assumption, assumes+strings.TrimPrefix(l.Hash, "l")) {
			l.Assumption = "" // the rest is inventory's
		}
	}
	want := wire.Links{Inventory: s.inventory.Version, Links: []wire.LinkCoverage{
		{Link: "a-b", From: "sw1", To: "sw2", Members: 4, Hash: "l4", Tuples: 64, Covered: covered(64, 4)},
		{Link: "a-b", From: "sw2", To: "sw1", Members: 4, Hash: "l4", Tuples: 64, Covered: covered(64, 4)},
		{Link: "b-c", From: "sw2", To: "sw3", Members: 2, Hash: "l3", Tuples: 2, Covered: covered(2, 2)},
		{Link: "b-c", From: "sw3", To: "sw2", Members: 2, Hash: "l3", Tuples: 2, Covered: covered(2, 2)},
	}}
	if diff := cmp.Diff(want, got, almost); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.Links[2].Covered.Covered != 0.5 || got.Links[2].Detectable != 0 {
		t.Errorf("two tuples cover two members with %+v", got.Links[2].Covered)
	}
}

func TestLinksOfANewInventory(t *testing.T) {
	s := serve(t, exchange)
	if got := s.get(t, "/api/v2/links"); !strings.Contains(got.body, `"links":[]`) {
		t.Errorf("no links are %s", got.body)
	}
	s.inventory = parse(t, bundles)
	var got wire.Links
	s.get(t, "/api/v2/links").into(t, &got)
	if len(got.Links) != 4 || got.Inventory != s.inventory.Version {
		t.Errorf("%+v", got)
	}
}

func TestCoverageOfAPair(t *testing.T) {
	s := serve(t, bundles)
	var got wire.PairCoverage
	s.get(t, "/api/v2/pairs/p1/p3/coverage").into(t, &got)
	var way []string
	for _, l := range append(got.Forward, got.Backward...) {
		way = append(way, l.Link+" "+l.From+">"+l.To)
	}
	if diff := cmp.Diff([]string{"a-b sw1>sw2", "b-c sw2>sw3", "b-c sw3>sw2", "a-b sw2>sw1"}, way); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	// Forward go the pair's requests, backward the replies.
	first, all, own := got.Forward[0], covered(64, 4), covered(16, 4)
	if first.OwnTuples != 16 || first.Tuples != 64 {
		t.Errorf("%d of %d tuples; want 16 of 64", first.OwnTuples, first.Tuples)
	}
	if diff := cmp.Diff(wire.OwnCovered(own), first.OwnCovered, almost); diff != "" {
		t.Errorf("by its own (-want +got):\n%s", diff)
	}
	want := wire.Total{Covered: wire.Covered{Covered: math.Pow(all.Covered*0.5, 2)}} // one tuple covers no two members
	if diff := cmp.Diff(want, got.Total, almost); diff != "" {
		t.Errorf("total (-want +got):\n%s", diff)
	}
	s.get(t, "/api/v2/pairs/p1/p2/coverage").into(t, &got)
	want = wire.Total{Covered: wire.Covered{Covered: math.Pow(all.Covered, 2), Detectable: math.Pow(all.Detectable, 2)},
		OwnCovered: wire.OwnCovered{Covered: math.Pow(own.Covered, 2), Detectable: math.Pow(own.Detectable, 2)}}
	if diff := cmp.Diff(want, got.Total, almost); diff != "" {
		t.Errorf("total of p1 and p2 (-want +got):\n%s", diff)
	}
}

func TestNoCoverageOfAPair(t *testing.T) {
	s := serve(t, bundles)
	for pair, want := range map[string]string{
		"p1/p9":      `nothing is known of "p1" to "p9"`,
		"rs1/p1":     `nothing is known of "rs1" to "p1"`,
		"p1/rs1":     `no test of kind stamp measures from "p1" to "rs1"`, // it answers to pings
		"p1/nowhere": `the inventory gives no switch for "nowhere"`,
		"nowhere/p1": `the inventory gives no switch for "nowhere"`,
		"p1/apart":   `no links of the inventory lead from switch "sw1" to switch "sw4"`,
	} {
		s.get(t, "/api/v2/pairs/"+pair+"/coverage").isProblem(t, http.StatusNotFound, want)
	}
}
