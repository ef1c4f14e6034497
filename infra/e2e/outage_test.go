package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"ixpqos/internal/ippm"
	"ixpqos/internal/wire"
)

// TestOutage kills the server for a while and, meanwhile, a probe between
// measuring and sending: nothing that was measured is missing afterwards.
func TestOutage(t *testing.T) {
	const every = 4 * time.Second
	x := newExchange(t)
	p1 := x.member("p1", "198.18.0.1/24", "2001:db8::1/64")
	p2 := x.member("p2", "198.18.0.2/24", "2001:db8::2/64")
	p3 := x.member("p3", "198.18.0.3/24")
	all := []*member{p1, p2, p3}
	x.configure(`tests:
  - {name: ping, kind: icmp, every: 4s, count: 2, spacing: 50ms, timeout: 2500ms}
`, all...)
	server := x.serve()
	p1.start()
	p2.start()
	victim := p3.start()
	x.awaitGood("ping")

	server.kill()
	for _, p := range all {
		await(t, p.Name+" has three rounds in its spool", func() error { return waits(p, 3) })
	}
	victim.kill()
	measured, err := p3.spooled("ping")
	if err != nil {
		t.Fatal(err)
	}
	p3.start() // by its last good configuration
	await(t, "p3 measures without the server", func() error { return waits(p3, rounds(measured)+1) })
	x.serve()

	await(t, "all is delivered, with rounds from after the outage", func() error { return delivered(x, all) })
	for _, pair := range [][2]string{{"p1", "p2"}, {"p2", "p1"}, {"p1", "p3"}, {"p2", "p3"}} {
		x.noGaps(pair[0], pair[1], "ping", every)
	}
	for _, r := range measured {
		results, err := x.series(r.Source, r.Target, r.Test)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(results, func(stored wire.Result) bool { return stored.Start.Equal(r.Start) && stored.Family == r.Family }) {
			t.Errorf("the probe was killed with %+v in its spool; it did not arrive", r.ID)
		}
	}
	for _, target := range []string{"p1", "p2"} {
		onceEach(t, x, "p3", target)
	}
}

// waits tells that fewer rounds than wanted wait in a spool.
func waits(p *member, want int) error {
	results, err := p.spooled("ping")
	if err != nil {
		return err
	}
	if n := rounds(results); n < want {
		return fmt.Errorf("%d rounds wait", n)
	}
	return nil
}

func rounds(results []ippm.Result) int {
	starts := map[time.Time]bool{}
	for _, r := range results {
		starts[r.Start] = true
	}
	return len(starts)
}

// delivered tells why not everything that was measured before now is with the
// server.
func delivered(x *exchange, probes []*member) error {
	for _, p := range probes {
		shown, err := x.health(p.Name)
		if err != nil {
			return err
		}
		if shown.Health == nil || *shown.AgeS > 10 {
			return fmt.Errorf("%s is not heard: %s", p.Name, show(shown))
		}
		if shown.Health.Dropped > 0 || shown.Health.SetAside > 0 {
			x.t.Fatalf("%s lost something: %s", p.Name, show(shown.Health))
		}
		if waiting, err := p.spooled("ping"); err != nil || len(waiting) > 0 {
			return fmt.Errorf("%s has %d results waiting, %v", p.Name, len(waiting), err)
		}
	}
	cells, err := x.cells("ping")
	if err != nil {
		return err
	}
	for _, c := range cells {
		if err := good(c); err != nil {
			return err
		}
	}
	return nil
}

// onceEach fails where an interval is there twice.
func onceEach(t *testing.T, x *exchange, source, target string) {
	t.Helper()
	results, err := x.series(source, target, "ping")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[ippm.ID]bool{}
	for _, r := range results {
		id := ippm.ID{Series: ippm.Series{Source: r.Source, Target: r.Target, Test: r.Test, Family: r.Family, DSCP: r.DSCP}, Start: r.Start}
		if seen[id] {
			t.Errorf("%+v is there twice", id)
		}
		seen[id] = true
	}
}
