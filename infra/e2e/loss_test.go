package e2e

import (
	"fmt"
	"slices"
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
	x.configure(fmt.Sprintf(`tests:
  - {name: ping, kind: icmp, every: 6s, count: 5, spacing: 100ms, timeout: 3s}
  - {name: burst, kind: icmp, every: 12s, count: %d, spacing: 10ms, dscp: 10, families: [4], sources: [p1], targets: [p2]}
`, burstCount), p1, p2, p3)
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

// burstCount is the count of burst.
const burstCount = 350

// books are what nft counted and what the results say, at a moment when every
// ping that arrived is in a result.
type books struct {
	dropped uint64
	rounds  int
}

// lossAsCounted compares what burst lost in 1,000 pings with nft's counter.
func lossAsCounted(t *testing.T, x *exchange, far *member) {
	t.Helper()
	var from, to books
	var results []wire.Result
	await(t, "1,000 pings are accounted for", func() (err error) {
		if to, results, err = balance(t, x, far); err != nil {
			return err
		}
		results = results[from.rounds:]
		if slices.ContainsFunc(results, disturbed) {
			t.Logf("the machine was too busy for a round; counting begins again: %s", show(results))
			from = to
			results = nil
		}
		if pings := len(results) * burstCount; pings < 1000 {
			return fmt.Errorf("%d pings so far", pings)
		}
		return nil
	})
	compare(t, results, to.dropped-from.dropped)
}

// balance reads counters and results, and tells where a round is on its way.
func balance(t *testing.T, x *exchange, far *member) (books, []wire.Result, error) {
	dropped := far.Counter(t, "inet faults", "dropped")
	results, err := x.series("p1", "p2", "burst")
	if err != nil {
		return books{}, nil, err
	}
	sent := 0
	for _, r := range results {
		sent += 1 + burstCount - r.Refused // the first one is counted nowhere
	}
	if arrived := far.Counter(t, "inet faults", "arrived"); arrived != uint64(sent) {
		return books{}, nil, fmt.Errorf("%d pings went out by %d results, %d arrived", sent, len(results), arrived)
	}
	return books{dropped, len(results)}, results, nil
}

// disturbed tells that a host was too busy for a round: pings did not go out in
// time, or so late that their replies were not waited for, and are not counted.
func disturbed(r wire.Result) bool { return r.Sent != burstCount || r.Late > 0 }

func compare(t *testing.T, results []wire.Result, dropped uint64) {
	t.Helper()
	lost := 0
	for _, r := range results {
		lost += r.Forward + r.Backward + r.Unplaced
		if r.FirstRTTUS == nil {
			lost++
		}
		if r.Lost == 0 || r.RTTCount != r.Received || r.RTTMinUS == nil || r.RTTMaxUS == nil || r.RTTP50US == nil {
			t.Errorf("a round that lost a part should have RTTs of the rest: %s", show(r))
		}
		if r.Duplicates+r.Refused > 0 || r.Sent != r.Received+r.Lost {
			t.Errorf("a round does not add up: %s", show(r))
		}
	}
	if uint64(lost) != dropped {
		t.Errorf("%d are lost by the results, nft dropped %d", lost, dropped)
	}
	t.Logf("%d results: lost %d, dropped %d", len(results), lost, dropped)
}
