package lab

import (
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"ixpqos/infra/lab/exchange"
)

// broken is an exchange with a place to break that p1's flows to p3 cross.
type broken struct {
	*Exchange
	p1, p3   *Host
	at       exchange.Place
	crossing map[string][]int // source ports of the flows that cross the place, by family
}

func toBreak(t *testing.T) broken {
	t.Helper()
	t.Parallel()
	x := NewExchange(t, exchange.Options{})
	b := broken{Exchange: x, p1: x.Host(t, "p1"), p3: x.Host(t, "p3"), crossing: map[string][]int{},
		at: exchange.Place{Link: "sw2-sw3", Member: 3, Direction: exchange.Forward}}
	for _, family := range families {
		transmit(t, b.p1, b.p3, family.p3, flows, 1, func() int { return flows })
		b.crossing[family.name] = onMembers(t, x, b.at.Link, b.at.Direction, family.p1, family.p3)[b.at.Member]
		if len(b.crossing[family.name]) < 2 {
			t.Fatalf("%s: only flows %v cross %v", family.name, b.crossing[family.name], b.at)
		}
	}
	return b
}

// touched is how many packets the only fault touched so far.
func (b broken) touched(t *testing.T) int {
	t.Helper()
	faults := b.Faults(t)
	if len(faults) != 1 || faults[0].At != b.at {
		t.Fatalf("active are %+v, want one at %v", faults, b.at)
	}
	return int(faults[0].Packets)
}

// eachFamily sends over the place, tells how many packets the fault touched, and
// gives the flows that cross it apart from the others. Those that go the other
// way, over the same members, the fault must leave alone.
func (b broken) eachFamily(t *testing.T, expected func(touched int) int, look func(*testing.T, struck)) {
	t.Helper()
	for _, family := range families {
		t.Run(family.name, func(t *testing.T) {
			before := b.touched(t)
			now := func() int { return b.touched(t) - before }
			others := byPort(transmit(t, b.p1, b.p3, family.p3, flows, packets, func() int { return expected(now()) }))
			s := struck{sent: len(b.crossing[family.name]) * packets, touched: now(), flows: map[int][]arrival{}}
			for _, port := range b.crossing[family.name] {
				if flow, arrived := others[port]; arrived {
					s.flows[port] = flow
					delete(others, port)
				}
			}
			look(t, s)
			whole(t, others, flows-len(b.crossing[family.name]))
			whole(t, byPort(transmit(t, b.p3, b.p1, family.p1, flows, packets, everything)), flows)
			if after := now(); after != s.touched {
				t.Errorf("packets of the other direction were touched: %d", after-s.touched)
			}
		})
	}
}

// whole: nothing happened to these flows.
func whole(t *testing.T, arrived map[int][]arrival, want int) {
	t.Helper()
	if len(arrived) != want {
		t.Errorf("%d flows arrived, want %d", len(arrived), want)
	}
	for port, flow := range arrived {
		if len(flow) != packets || !inOrder(flow) || flow[0].DSCP != 0 || flow[0].TTL != 255 {
			t.Errorf("flow %d is not as it was sent: %d of %d packets: %+v", port, len(flow), packets, flow)
		}
	}
}

// struck is what came of the flows that cross a fault.
type struck struct {
	sent, touched int // packets, and those of them that the fault counted
	flows         map[int][]arrival
}

func (s struck) arrived() int { return len(slices.Concat(slices.Collect(maps.Values(s.flows))...)) }

// any fails where no packet was touched, and tells whether any is so.
func (s struck) any(t *testing.T, is func(arrival) bool) bool {
	t.Helper()
	if s.touched == 0 {
		t.Error("the fault touched no packet")
	}
	return slices.ContainsFunc(slices.Concat(slices.Collect(maps.Values(s.flows))...), is)
}

func TestLossOnAMember(t *testing.T) {
	b := toBreak(t)
	const percent = 20
	b.Lose(t, b.at, percent)
	b.eachFamily(t, func(touched int) int { return total - touched }, func(t *testing.T, s struck) {
		if lost := s.sent - s.arrived(); lost != s.touched {
			t.Errorf("%d packets are lost, and the counter says %d", lost, s.touched)
		}
		// Six standard deviations of a binomial distribution.
		mean := float64(s.sent) * percent / 100
		if off := math.Abs(float64(s.touched) - mean); off > 6*math.Sqrt(mean*(1-percent/100.)) {
			t.Errorf("%d of %d packets are lost, which is not %d %%", s.touched, s.sent, percent)
		}
	})
}

func TestDeadMember(t *testing.T) {
	b := toBreak(t)
	b.Lose(t, b.at, 5) // which the next takes the place of
	b.Lose(t, b.at, 100)
	b.eachFamily(t, func(touched int) int { return total - touched }, func(t *testing.T, s struck) {
		if s.arrived() != 0 || s.touched != s.sent {
			t.Errorf("%d of %d packets arrived over a dead member, and the counter says %d", s.arrived(), s.sent, s.touched)
		}
	})
}

func TestRemarkedDSCP(t *testing.T) {
	b := toBreak(t)
	b.Remark(t, b.at, 8)
	b.eachFamily(t, always, func(t *testing.T, s struck) {
		if s.arrived() != s.sent || s.touched != s.sent {
			t.Errorf("%d of %d packets arrived, and the counter says %d", s.arrived(), s.sent, s.touched)
		}
		if s.any(t, func(a arrival) bool { return a.DSCP != 8 || a.TTL != 255 }) {
			t.Errorf("not remarked: %+v", s.flows)
		}
	})
}

func TestDuplicates(t *testing.T) {
	b := toBreak(t)
	b.Duplicate(t, b.at, 30)
	b.eachFamily(t, func(touched int) int { return total + touched }, func(t *testing.T, s struck) {
		if extra := s.arrived() - s.sent; extra != s.touched || extra == 0 {
			t.Errorf("%d packets arrived once more, and the counter says %d", extra, s.touched)
		}
	})
}

func TestDelay(t *testing.T) {
	b := toBreak(t)
	const by = 5 * time.Millisecond
	b.Delay(t, b.at, by)
	b.eachFamily(t, always, func(t *testing.T, s struck) {
		whole(t, s.flows, s.sent/packets)
		if s.touched != s.sent || s.any(t, func(a arrival) bool { return a.DelayNS < by.Nanoseconds() }) {
			t.Errorf("%d of %d packets are delayed: %+v", s.touched, s.sent, s.flows)
		}
	})
}

func TestReordering(t *testing.T) {
	b := toBreak(t)
	b.Reorder(t, b.at, 20, 300*time.Millisecond)
	b.eachFamily(t, always, func(t *testing.T, s struck) {
		if s.arrived() != s.sent || s.touched == 0 || s.touched == s.sent {
			t.Errorf("%d of %d packets arrived, and %d were held back", s.arrived(), s.sent, s.touched)
		}
		for _, flow := range s.flows {
			if !inOrder(flow) {
				return
			}
		}
		t.Errorf("no flow is out of order: %+v", s.flows)
	})
}

func TestDeadLink(t *testing.T) {
	t.Parallel()
	x := NewExchange(t, exchange.Options{})
	p1, p2, p3 := x.Host(t, "p1"), x.Host(t, "p2"), x.Host(t, "p3")
	x.Kill(t, "sw2-sw3")
	none := func() int { return 0 }
	for _, family := range families {
		if got := transmit(t, p1, p3, family.p3, flows, packets, none); len(got) > 0 {
			t.Errorf("%d packets crossed a dead link forward", len(got))
		}
		if got := transmit(t, p3, p1, family.p1, flows, packets, none); len(got) > 0 {
			t.Errorf("%d packets crossed a dead link backward", len(got))
		}
	}
	sums := map[exchange.Direction]uint64{}
	for _, f := range x.Faults(t) {
		sums[f.At.Direction] += f.Packets
	}
	if sums[exchange.Forward] < 2*total || sums[exchange.Backward] < 2*total {
		t.Errorf("the counters say %v, want %d and more each", sums, 2*total)
	}
	whole(t, byPort(transmit(t, p1, p2, "198.18.0.2", flows, packets, everything)), flows)
}

func TestHealing(t *testing.T) {
	b := toBreak(t)
	back := exchange.Place{Link: "sw1-sw2", Member: 0, Direction: exchange.Backward}
	b.Lose(t, b.at, 100)
	b.Remark(t, b.at, 46)
	b.Delay(t, b.at, time.Millisecond)
	b.Reorder(t, back, 50, time.Millisecond)
	b.Duplicate(t, back, 50)
	b.Kill(t, "sw2-sw4")
	if got := len(b.Faults(t)); got != 5+16 {
		t.Errorf("%d faults are active, want 21: %+v", got, b.Faults(t))
	}
	if got := len(b.Heal(t)); got != 5+16 {
		t.Errorf("%d faults were healed, want 21", got)
	}
	if left := b.Faults(t); len(left) != 0 {
		t.Errorf("still active: %+v", left)
	}
	for _, family := range families {
		whole(t, byPort(transmit(t, b.p1, b.p3, family.p3, flows, packets, everything)), flows)
		whole(t, byPort(transmit(t, b.p3, b.p1, family.p1, flows, packets, everything)), flows)
	}
	b.Lose(t, b.at, 100)
	lost := len(b.crossing["IPv4"]) * packets
	transmit(t, b.p1, b.p3, "198.18.0.3", flows, packets, func() int { return total - lost })
	if ended := b.Heal(t); len(ended) != 1 || ended[0].At != b.at || ended[0].Packets != uint64(lost) {
		t.Errorf("healed were %+v, want one at %v that lost %d", ended, b.at, lost)
	}
}
