package e2e

import (
	"fmt"
	"testing"

	"ixpqos/internal/wire"
)

// TestLossFamiliesAndADeadHost looks at one exchange: who has which families is
// measured in them, what nft drops at the far host is what the results say, and
// a host whose cable is pulled loses all and has no RTT.
func TestLossFamiliesAndADeadHost(t *testing.T) {
	x := newExchange(t)
	p1 := x.member("p1", "198.18.0.1/24", "2001:db8::1/64")
	p2 := x.member("p2", "198.18.0.2/24", "2001:db8::2/64")
	p3 := x.member("p3", "198.18.0.3/24")
	// The pings of burst alone have DSCP 10.
	p2.NFT(t, `
table inet faults {
	counter arrived { }
	counter dropped { }
	chain input {
		type filter hook input priority 0
		ip saddr 198.18.0.1 ip dscp 10 icmp type echo-request counter name arrived
		ip saddr 198.18.0.1 ip dscp 10 icmp type echo-request numgen random mod 100 < 30 counter name dropped drop
	}
}
`)
	x.configure(`tests:
  - {name: ping, kind: icmp, every: 6s, count: 5, spacing: 100ms, timeout: 3s}
  - {name: burst, kind: icmp, every: 12s, count: 350, spacing: 10ms, dscp: 10, families: [4], sources: [p1], targets: [p2]}
`, p1, p2, p3)
	x.serve()
	for _, p := range []*member{p1, p2, p3} {
		p.start()
	}

	families(t, x.awaitGood("ping"))
	p3.Down(t)
	await(t, "p3 is seen to be dead", func() error { return dead(x, "p3") })
	lossAsCounted(t, x, p2)
}

func families(t *testing.T, cells map[key]wire.Cell) {
	t.Helper()
	want := []key{
		{"p1", "p2", "ping", 4}, {"p1", "p2", "ping", 6}, {"p2", "p1", "ping", 4}, {"p2", "p1", "ping", 6},
		{"p1", "p3", "ping", 4}, {"p3", "p1", "ping", 4}, {"p2", "p3", "ping", 4}, {"p3", "p2", "ping", 4},
	}
	for _, k := range want {
		if _, ok := cells[k]; !ok {
			t.Errorf("%v is not measured", k)
		}
	}
	if len(cells) != len(want) {
		t.Errorf("%d cells, want %d: %s", len(cells), len(want), show(cells))
	}
}

// dead tells why the matrix does not show that one host is dead and that all
// between the others is well.
func dead(x *exchange, name string) error {
	cells, err := x.cells("ping")
	if err != nil {
		return err
	}
	for k, c := range cells {
		switch name {
		case k.source: // it reports nothing now
		case k.target:
			if c.State != wire.StateFresh || c.LossRatio == nil || *c.LossRatio != 1 {
				return fmt.Errorf("%v is not dead: %s", k, show(c))
			}
			if c.RTTMinUS != nil || c.RTTP50US != nil || c.RTTP95US != nil || c.RTTMaxUS != nil {
				x.t.Fatalf("%v lost all and has an RTT: %s", k, show(c))
			}
		default:
			if err := good(c); err != nil {
				x.t.Fatal(err)
			}
		}
	}
	results, err := x.series("p1", name, "ping")
	if err != nil {
		return err
	}
	for _, r := range results {
		if r.Lost == r.Sent && (r.RTTCount != 0 || r.RTTMinUS != nil || r.RTTMeanUS != nil || r.RTTMaxUS != nil || r.RTTStdDevUS != nil ||
			r.RTTP50US != nil || r.RTTP95US != nil || r.RTTP99US != nil) {
			x.t.Fatalf("a result lost all and has an RTT: %s", show(r))
		}
	}
	return nil
}

// lossAsCounted compares what burst lost with nft's counter, at a moment when
// all pings that arrived are in a result.
func lossAsCounted(t *testing.T, x *exchange, far *member) {
	t.Helper()
	var results []wire.Result
	var dropped uint64
	await(t, "1,000 pings are accounted for", func() (err error) {
		dropped = far.Counter(t, "inet faults", "dropped")
		if results, err = x.series("p1", "p2", "burst"); err != nil {
			return err
		}
		pings := 0
		for _, r := range results {
			pings += r.Sent + r.Refused
		}
		// One more in each round, which is counted nowhere.
		arrived := far.Counter(t, "inet faults", "arrived")
		if pings < 1000 || arrived != uint64(pings+len(results)) {
			return fmt.Errorf("%d pings in %d results, %d packets arrived", pings, len(results), arrived)
		}
		return nil
	})
	lost := 0
	for _, r := range results {
		lost += r.Forward + r.Backward + r.Unplaced
		if r.FirstRTTUS == nil {
			lost++
		}
		if r.Lost == 0 || r.RTTCount != r.Received || r.RTTMinUS == nil || r.RTTMaxUS == nil || r.RTTP50US == nil {
			t.Errorf("a round that lost a part should have RTTs of the rest: %s", show(r))
		}
		if r.Duplicates+r.Late+r.Refused > 0 || r.Sent != r.Received+r.Lost {
			t.Errorf("a round does not add up: %s", show(r))
		}
	}
	if uint64(lost) != dropped {
		t.Errorf("%d are lost by the results, nft dropped %d", lost, dropped)
	}
	t.Logf("%d results: lost %d, dropped %d", len(results), lost, dropped)
}
