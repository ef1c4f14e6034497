package inventory

import (
	"strings"
	"testing"
)

const viewed = `probes:
- {name: p1, addresses: [192.0.2.1, "2001:db8::1"]}
- {name: p2, addresses: [192.0.2.2, "2001:db8::2"], reflector_port: 4862}
- {name: p3, addresses: [192.0.2.3]}
targets:
- {name: rs, addresses: [192.0.2.250]}
tests:
- {name: ping, kind: icmp, every: 5m, sources: [p1], targets: [p2, rs]}
- {name: fabric, kind: stamp, flows: 4, spacing: 500ms}
- {name: one-way, kind: stamp, flows: 2, spacing: 500ms, port: 40000, sources: [p1], targets: [p2]}
`

func viewsOf(t *testing.T, text, probe string) map[string]uint32 {
	t.Helper()
	part, ok := mustParse(t, text).Part(probe)
	if !ok {
		t.Fatalf("there is no part of %q", probe)
	}
	return part.Views()
}

// TestBothEndsHaveOneView: what two probes make of one inventory is the same.
func TestBothEndsHaveOneView(t *testing.T) {
	p1, p2, p3 := viewsOf(t, viewed, "p1"), viewsOf(t, viewed, "p2"), viewsOf(t, viewed, "p3")
	if p1["p2"] != p2["p1"] || p1["p3"] != p3["p1"] || p2["p3"] != p3["p2"] || len(p1) != 3 {
		t.Errorf("%v, %v, %v", p1, p2, p3)
	}
	if p1["p2"] == p1["p3"] || p1["p2"] == p2["p3"] || p1["rs"] == p2["rs"] || p1["p2"] == 0 || p1["rs"] == 0 {
		t.Errorf("different pairs look alike, or like none: %v, %v", p1, p2)
	}
}

// TestAViewChangesWithItsPair and with nothing else, at both ends.
func TestAViewChangesWithItsPair(t *testing.T) {
	for _, c := range []struct {
		what, old, new string
		changes        bool // that of p1 and p2; p3's with both stays
	}{
		{"an address", "192.0.2.2,", "192.0.2.22,", true},
		{"a family less", `, "2001:db8::2"]`, "]", true},
		{"a reflector's port", "4862", "4863", true},
		{"a reflector that keeps no state", "reflector_port: 4862", "reflector_port: 4862, stateless: true", true},
		{"a test of the pair", "flows: 2", "flows: 3", true},
		{"a direction", "sources: [p1], targets: [p2]}\n", "sources: [p1, p2], targets: [p1, p2]}\n", true},
		{"the pings", "every: 5m", "every: 10m", false},
		{"another probe", "targets:\n", "- {name: p9, addresses: [192.0.2.9]}\ntargets:\n", false},
		{"where a probe stands", "name: p2,", "name: p2, drain: true,", false},
	} {
		t.Run(c.what, func(t *testing.T) {
			i := strings.LastIndex(viewed, c.old)
			changed := viewed[:i] + c.new + viewed[i+len(c.old):]
			before, p1, p2 := viewsOf(t, viewed, "p1"), viewsOf(t, changed, "p1"), viewsOf(t, changed, "p2")
			if (before["p2"] != p1["p2"]) != c.changes || p1["p2"] != p2["p1"] {
				t.Errorf("p1 and p2: %x, then %x and %x", before["p2"], p1["p2"], p2["p1"])
			}
			if before["p3"] != p1["p3"] || before["rs"] != p1["rs"] {
				t.Errorf("other pairs: %v, then %v", before, p1)
			}
		})
	}
}
