package lab

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"ixpqos/infra/lab/exchange"
)

const (
	flows   = 64
	packets = 30
	total   = flows * packets
)

// families are the addresses of p1 and p3 in each.
var families = []struct{ name, p1, p3 string }{
	{"IPv4", "198.18.0.1", "198.18.0.3"},
	{"IPv6", "2001:db8::1", "2001:db8::3"},
}

// onMembers are the source ports of the flows between two hosts that cross each
// member of a bundle.
func onMembers(t *testing.T, x *Exchange, link string, d exchange.Direction, source, destination string) map[int][]int {
	t.Helper()
	members := map[int][]int{}
	for m := range x.Links[0].Members {
		for _, f := range x.Crossing(t, exchange.Place{Link: link, Member: m, Direction: d}) {
			if f.Source.String() == source && f.Destination.String() == destination && f.DestinationPort == listenPort {
				members[m] = append(members[m], int(f.SourcePort))
			}
		}
	}
	return members
}

func everything() int { return total }

func always(int) int { return total }

func TestFlowsSpreadOverMembers(t *testing.T) {
	t.Parallel()
	x := NewExchange(t, exchange.Options{})
	p1, p3 := x.Host(t, "p1"), x.Host(t, "p3")
	for _, family := range families {
		t.Run(family.name, func(t *testing.T) {
			arrived := transmit(t, p1, p3, family.p3, flows, packets, everything)
			for _, a := range arrived {
				if a.TTL != 255 || a.DSCP != 0 {
					t.Fatalf("a packet arrived with TTL %d and DSCP %d", a.TTL, a.DSCP)
				}
			}
			for port, flow := range byPort(arrived) {
				if len(flow) != packets || !inOrder(flow) {
					t.Errorf("flow %d: %d of %d packets, in order: %v", port, len(flow), packets, inOrder(flow))
				}
			}
			first := onMembers(t, x, "sw1-sw2", exchange.Forward, family.p1, family.p3)
			second := onMembers(t, x, "sw2-sw3", exchange.Forward, family.p1, family.p3)
			spread(t, first)
			spread(t, second)
			independent(t, first, second)
		})
	}
	counted(t, x)
}

// spread: every member has flows, and no flow has two members.
func spread(t *testing.T, members map[int][]int) {
	t.Helper()
	ports := slices.Sorted(slices.Values(slices.Concat(slices.Collect(maps.Values(members))...)))
	if len(ports) != flows || len(slices.Compact(slices.Clone(ports))) != flows {
		t.Errorf("%d flows on the members, want each of %d once: %v", len(ports), flows, members)
	}
	if len(members) != 8 {
		t.Errorf("%d members of 8 have flows: %v", len(members), members)
	}
}

// independent: the flows of one member of a bundle are on several of the next.
func independent(t *testing.T, first, second map[int][]int) {
	t.Helper()
	for m, ports := range first {
		next := 0
		for _, others := range second {
			if slices.ContainsFunc(ports, func(port int) bool { return slices.Contains(others, port) }) {
				next++
			}
		}
		if len(ports) > 2 && next < 2 {
			t.Errorf("all %d flows of member %d are on one member of the next bundle", len(ports), m)
		}
	}
}

// counted: all packets are counted on the members of their way, and there alone.
func counted(t *testing.T, x *Exchange) {
	t.Helper()
	for _, l := range x.Links {
		for _, d := range []exchange.Direction{exchange.Forward, exchange.Backward} {
			want, got := uint64(0), uint64(0)
			if l.Name != "sw2-sw4" && d == exchange.Forward {
				want = 2 * total
			}
			for m := range l.Members {
				for _, f := range x.Crossing(t, exchange.Place{Link: l.Name, Member: m, Direction: d}) {
					got += f.Packets
				}
			}
			if got != want {
				t.Errorf("%s %s: %d packets counted, want %d", l.Name, d, got, want)
			}
		}
	}
}

// TestOtherSizes makes an exchange of another size, and opens it as another
// process would.
func TestOtherSizes(t *testing.T) {
	t.Parallel()
	x := NewExchange(t, exchange.Options{ProbesPerSite: 2, Members: 3})
	p5, p8 := x.Host(t, "p5"), x.Host(t, "p8")
	if p5.link.Switch != "sw1" || p8.link.Switch != "sw4" || len(x.Probes) != 8 {
		t.Fatalf("p5 is on %s, p8 on %s of %d", p5.link.Switch, p8.link.Switch, len(x.Probes))
	}
	whole(t, byPort(transmit(t, p5, p8, "2001:db8::8", flows, packets, everything)), flows)
	if got := onMembers(t, x, "sw2-sw4", exchange.Forward, "2001:db8::5", "2001:db8::8"); len(got) != 3 {
		t.Errorf("flows on %d members of 3: %v", len(got), got)
	}
	opened, err := exchange.Open(x.exchange.Namespace(""))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(opened.Links, opened.Probes), fmt.Sprint(x.Links, x.Probes); got != want {
		t.Errorf("opened as %s, is %s", got, want)
	}
}

// TestManagement: every probe reaches the server, beside the exchange.
func TestManagement(t *testing.T) {
	t.Parallel()
	x := NewExchange(t, exchange.Options{})
	server := x.Manage(t)
	for _, p := range x.Probes {
		whole(t, byPort(transmit(t, x.Host(t, p.Name), server, exchange.ServerAddress, flows, packets, everything)), flows)
	}
	for m := range x.Links[0].Members {
		if crossing := x.Crossing(t, exchange.Place{Link: "sw1-sw2", Member: m, Direction: exchange.Forward}); len(crossing) > 0 {
			t.Errorf("what the server is sent crosses member %d: %v", m, crossing)
		}
	}
}
