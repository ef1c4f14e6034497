package inventory

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// p1 and rs have both families, p4 and rs4 only IPv4, p6 only IPv6.
const families = `probes:
- {name: p1, addresses: [192.0.2.1, "2001:db8::1"], interface: eth1}
- {name: p4, addresses: [192.0.2.4]}
- {name: p6, addresses: ["2001:db8::6"]}
targets:
- {name: rs, addresses: [192.0.2.250, "2001:db8::250"]}
- {name: rs4, addresses: [192.0.2.251]}
tests:
- {name: all, kind: icmp, every: 5m}
- {name: four, kind: icmp, every: 5m, families: [4]}
- {name: six, kind: icmp, every: 5m, families: [6]}
- {name: from, kind: icmp, every: 5m, sources: [p1, p6]}
- {name: to, kind: icmp, every: 5m, targets: [rs, p1]}
`

func mustParse(t *testing.T, text string) *Inventory {
	t.Helper()
	inv, err := ParseYAML("inventory.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return inv
}

func TestPart(t *testing.T) {
	inv := mustParse(t, families)
	part, ok := inv.Part("p4")
	if !ok {
		t.Fatal("there is no part of p4")
	}
	want := Part{
		Probe: "p4", Inventory: inv.Version, Addresses: []Address{{4, "192.0.2.4"}}, ReflectorPort: 862,
		Peers: []Peer{
			{Name: "p1", Addresses: []Address{{4, "192.0.2.1"}, {6, "2001:db8::1"}}, ReflectorPort: 862, Stateful: true},
			{Name: "p6", Addresses: []Address{{6, "2001:db8::6"}}, ReflectorPort: 862, Stateful: true},
			{Name: "rs", Addresses: []Address{{4, "192.0.2.250"}, {6, "2001:db8::250"}}, Answers: []string{"icmp"}, ReflectorPort: 862},
			{Name: "rs4", Addresses: []Address{{4, "192.0.2.251"}}, Answers: []string{"icmp"}, ReflectorPort: 862},
		},
		Tests: []Test{inv.Tests[0], inv.Tests[1], inv.Tests[2], inv.Tests[4]},
	}
	if diff := cmp.Diff(want, part); diff != "" {
		t.Error(diff)
	}
	if part, _ := inv.Part("p1"); part.Interface != "eth1" {
		t.Errorf("the interface of p1 is %q", part.Interface)
	}
	for _, name := range []string{"rs", "nobody", ""} {
		if _, ok := inv.Part(name); ok {
			t.Errorf("there is a part of %q", name)
		}
	}
}

func TestPairs(t *testing.T) {
	inv := mustParse(t, families)
	for _, c := range []struct {
		probe, test string
		want        []string
	}{
		{"p1", "all", []string{"p4 4", "p6 6", "rs 4", "rs 6", "rs4 4"}},
		{"p1", "four", []string{"p4 4", "rs 4", "rs4 4"}},
		{"p1", "six", []string{"p6 6", "rs 6"}},
		{"p1", "from", []string{"p4 4", "p6 6", "rs 4", "rs 6", "rs4 4"}},
		{"p1", "to", []string{"rs 4", "rs 6"}},
		{"p4", "all", []string{"p1 4", "rs 4", "rs4 4"}},
		{"p4", "six", nil},
		{"p4", "from", nil},
		{"p4", "to", []string{"p1 4", "rs 4"}},
		{"p6", "four", nil},
		{"p6", "to", []string{"p1 6", "rs 6"}},
	} {
		part, _ := inv.Part(c.probe)
		test := testNamed(inv, c.test)
		var got []string
		for _, pair := range part.Pairs(test) {
			got = append(got, pair.Target+" "+string('0'+rune(pair.Family)))
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s runs %s: %s", c.probe, c.test, diff)
		}
	}
}

func testNamed(inv *Inventory, name string) Test {
	return inv.Tests[slices.IndexFunc(inv.Tests, func(t Test) bool { return t.Name == name })]
}

func TestPairsLeaveAndArriveInTheirFamily(t *testing.T) {
	part, _ := mustParse(t, families).Part("p1")
	got := part.Pairs(Test{Kind: KindICMP, Families: []uint8{6, 4}, Targets: []string{"rs"}})
	want := []Pair{
		{Target: "rs", Family: 6, From: "2001:db8::1", To: "2001:db8::250", ReflectorPort: 862},
		{Target: "rs", Family: 4, From: "192.0.2.1", To: "192.0.2.250", ReflectorPort: 862},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Probes answer every kind, targets only what they say.
func TestPairsHeedWhatTargetsAnswer(t *testing.T) {
	part, _ := mustParse(t, families).Part("p1")
	got := part.Pairs(Test{Kind: "other", Families: []uint8{4, 6}})
	want := []Pair{
		{Target: "p4", Family: 4, From: "192.0.2.1", To: "192.0.2.4", ReflectorPort: 862, Stateful: true},
		{Target: "p6", Family: 6, From: "2001:db8::1", To: "2001:db8::6", ReflectorPort: 862, Stateful: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestLookups(t *testing.T) {
	inv := mustParse(t, families)
	for name, want := range map[string]bool{"p1": true, "rs4": true, "all": false, "": false} {
		if inv.Knows(name) != want {
			t.Errorf("Knows(%q) is not %v", name, want)
		}
	}
	if ip, ok := inv.Probes[0].Addresses[1].IP(); !ok || ip.String() != "2001:db8::1" {
		t.Errorf("the address is %v, %v", ip, ok)
	}
	if _, ok := (Address{4, "p1.example.net"}).IP(); ok {
		t.Error("a host name is an IP address")
	}
}

func TestPartsOfReflectors(t *testing.T) {
	inv := mustParse(t, fourSites)
	for probe, want := range map[string][]string{
		"p1": {"ping", "fabric", "some"},
		"p3": {"ping", "fabric", "some"}, // it only reflects the last
		"p4": {"ping", "fabric"},
	} {
		part, _ := inv.Part(probe)
		var got []string
		for _, test := range part.Tests {
			got = append(got, test.Name)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", probe, diff)
		}
	}
	part, _ := inv.Part("p3")
	if part.ReflectorPort != 8620 || !part.Stateless {
		t.Errorf("the reflector of p3 is at %d, stateless %v", part.ReflectorPort, part.Stateless)
	}
	if pairs := part.Pairs(testNamed(inv, "some")); pairs != nil {
		t.Errorf("p3 measures %+v", pairs)
	}
}

func TestPairsKnowTheReflectors(t *testing.T) {
	inv := mustParse(t, fourSites)
	part, _ := inv.Part("p1")
	want := []Pair{
		{Target: "p2", Family: 4, From: "192.0.2.1", To: "192.0.2.2", ReflectorPort: 862, Stateful: true},
		{Target: "p3", Family: 4, From: "192.0.2.1", To: "192.0.2.3", ReflectorPort: 8620},
		{Target: "rs", Family: 4, From: "192.0.2.1", To: "192.0.2.250", ReflectorPort: 4000},
	}
	if diff := cmp.Diff(want, part.Pairs(testNamed(inv, "some"))); diff != "" {
		t.Error(diff)
	}
}

func TestSources(t *testing.T) {
	inv := mustParse(t, fourSites)
	for _, c := range []struct {
		probe, test string
		want        []Source
	}{
		{"p2", "fabric", []Source{
			{"p1", 4, "192.0.2.1", "192.0.2.2"}, {"p1", 6, "2001:db8::1", "2001:db8::2"},
			{"p3", 4, "192.0.2.3", "192.0.2.2"}, {"p3", 6, "2001:db8::3", "2001:db8::2"},
			{"p4", 4, "192.0.2.4", "192.0.2.2"}, {"nowhere", 4, "192.0.2.5", "192.0.2.2"}, {"apart", 4, "192.0.2.6", "192.0.2.2"}}},
		{"p2", "some", []Source{{"p1", 4, "192.0.2.1", "192.0.2.2"}}},
		{"p3", "some", []Source{{"p1", 4, "192.0.2.1", "192.0.2.3"}, {"p2", 4, "192.0.2.2", "192.0.2.3"}}},
		{"p1", "some", nil}, // it is no target
		{"p2", "ping", nil}, // the kernel answers
	} {
		part, _ := inv.Part(c.probe)
		if diff := cmp.Diff(c.want, part.Sources(testNamed(inv, c.test))); diff != "" {
			t.Errorf("%s hears of %s: %s", c.probe, c.test, diff)
		}
	}
}

// What a reflector expects is what the others send.
func TestSourcesMirrorPairs(t *testing.T) {
	inv := mustParse(t, fourSites)
	sent, heard := map[string]bool{}, map[string]bool{}
	for _, probe := range inv.Probes {
		part, _ := inv.Part(probe.Name)
		for _, test := range part.Tests {
			for _, p := range part.Pairs(test) {
				if _, ok := inv.Probe(p.Target); ok && test.Kind == KindSTAMP {
					sent[test.Name+" "+p.From+" "+p.To] = true
				}
			}
			for _, s := range part.Sources(test) {
				heard[test.Name+" "+s.Address+" "+s.Own] = true
			}
		}
	}
	if diff := cmp.Diff(sent, heard); diff != "" || len(sent) < 20 {
		t.Errorf("of %d: %s", len(sent), diff)
	}
}
