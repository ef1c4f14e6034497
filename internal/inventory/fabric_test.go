package inventory

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fourSites is an exchange of four sites in a ring, with a probe at each, of
// which p4 has IPv4 only, and a route server at the third.
const fourSites = `sites:
- {name: a, switches: [sw1]}
- {name: b, switches: [sw2]}
- {name: c, switches: [sw3]}
- {name: d, switches: [sw4, lost]}
links:
- {name: a-b, between: [sw1, sw2], members: 8}
- {name: b-c, between: [sw3, sw2], members: 4}
- {name: c-d, between: [sw3, sw4], members: 2, hash: l3}
- {name: d-a, between: [sw4, sw1], members: 2, hash: l2}
- {name: a-b-spare, between: [sw1, sw2], members: 16}
probes:
- {name: p1, switch: sw1, addresses: [192.0.2.1, "2001:db8::1"]}
- {name: p2, switch: sw2, addresses: [192.0.2.2, "2001:db8::2"]}
- {name: p3, switch: sw3, addresses: [192.0.2.3, "2001:db8::3"], stateless: true, reflector_port: 8620}
- {name: p4, switch: sw4, addresses: [192.0.2.4]}
- {name: nowhere, addresses: [192.0.2.5]}
- {name: apart, switch: lost, addresses: [192.0.2.6]}
targets:
- {name: rs, switch: sw3, addresses: [192.0.2.250], answers: [stamp], reflector_port: 4000}
- {name: sw, switch: sw3, addresses: [192.0.2.251]}
tests:
- {name: ping, kind: icmp, every: 5m}
- {name: fabric, kind: stamp, flows: 10}
- {name: some, kind: stamp, flows: auto, port: 40000, families: [4], sources: [p1, p2], targets: [p2, p3, rs]}
`

func TestWays(t *testing.T) {
	inv := mustParse(t, fourSites)
	f := newFabric(inv)
	for _, c := range []struct{ from, to, want string }{
		{"p1", "p2", "a-b sw1>sw2"}, // not the spare one
		{"p2", "p1", "a-b sw2>sw1"},
		{"p2", "p3", "b-c sw2>sw3"},
		{"p1", "p4", "d-a sw1>sw4"},
		{"p1", "p3", "a-b sw1>sw2, b-c sw2>sw3"}, // as short as by sw4, and listed first
		{"p3", "p1", "b-c sw3>sw2, a-b sw2>sw1"},
		{"p2", "p4", "a-b sw2>sw1, d-a sw1>sw4"},
		{"p4", "p2", "d-a sw4>sw1, a-b sw1>sw2"},
		{"p3", "rs", ""},
		{"rs", "p2", "b-c sw3>sw2"},
		{"p1", "nowhere", "none"},
		{"nowhere", "p1", "none"},
		{"nowhere", "nowhere", "none"},
		{"p1", "apart", "none"},
		{"apart", "p1", "none"},
	} {
		way, ok := f.way(c.from, c.to)
		var steps []string
		for _, d := range way {
			from, to := d.ends(inv.Links)
			steps = append(steps, fmt.Sprintf("%s %s>%s", inv.Links[d.link()].Name, from, to))
		}
		got := strings.Join(steps, ", ")
		if !ok {
			got = "none"
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("from %s to %s: %s", c.from, c.to, diff)
		}
	}
}
