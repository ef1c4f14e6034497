package e2e

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ixpqos/internal/wire"
)

// awayInterval is the shortest.
const awayInterval = 5 * time.Second

// TestProbeAway has a probe end and start again, and then stand still, while
// others measure to it: that is no loss of the network, in any direction.
func TestProbeAway(t *testing.T) {
	x := newExchange(t)
	var probes []*member
	for i := range 3 {
		probes = append(probes, x.member(fmt.Sprintf("p%d", i+1), fmt.Sprintf("198.18.0.%d/24", i+1), fmt.Sprintf("2001:db8::%d/64", i+1)))
	}
	x.configure("tests:\n  - {name: fabric, kind: stamp, flows: 4, spacing: 100ms, interval: 5s}\n", probes...)
	x.serve()
	var running []*process
	for _, p := range probes {
		running = append(running, p.start())
	}
	x.awaitGood("fabric")
	p3 := running[2]

	p3.stop(t, endsWithin)
	await(t, "the others name p3", func() error {
		for _, name := range []string{"p1", "p2"} {
			if err := x.troubled(name, `"p3" says that nothing reflects at`); err != nil {
				return err
			}
		}
		return nil
	})
	p3 = probes[2].start()
	// With the second interval from now on, those in which it was away are given.
	x.awaitAfter(t, time.Now().Add(2*awayInterval))
	await(t, "no trouble is left", func() error {
		for _, p := range probes {
			if shown, err := x.health(p.Name); err != nil || len(shown.Health.Troubles) > 0 {
				return fmt.Errorf("%s: %s, %v", p.Name, show(shown), err)
			}
		}
		return nil
	})
	away := x.unserved(t)
	if away == 0 {
		t.Error("nothing was sent to p3 while it was away: it proves nothing")
	}

	standStill(t, p3)
	x.awaitAfter(t, time.Now().Add(2*awayInterval))
	if x.unserved(t) == away {
		t.Error("p3 answered all in time, though it stood still: it proves nothing")
	}
}

// standStill stops a process for 7 s, from just before an interval's end on: some
// of what it answers then is settled already.
func standStill(t *testing.T, p *process) {
	t.Helper()
	stop := time.Now().Truncate(awayInterval).Add(2*awayInterval - time.Second)
	await(t, "an interval is about to end", func() error { return reached(stop) })
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	await(t, "7 seconds have passed", func() error { return reached(stop.Add(7 * time.Second)) })
	if err := p.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
}

func reached(moment time.Time) error {
	if left := time.Until(moment); left > 0 {
		return fmt.Errorf("it is %v until then", left)
	}
	return nil
}

// troubled tells that a probe does not say a thing.
func (x *exchange) troubled(probe, what string) error {
	shown, err := x.health(probe)
	if err != nil {
		return err
	}
	if shown.Health == nil || !slices.ContainsFunc(shown.Health.Troubles, func(said string) bool { return strings.Contains(said, what) }) {
		return fmt.Errorf("%s does not say %q: %s", probe, what, show(shown))
	}
	return nil
}

// unserved are the packets that met no reflector, of all pairs and since the
// beginning. None may be lost.
func (x *exchange) unserved(t *testing.T) (unserved int) {
	t.Helper()
	for _, pair := range [][2]string{{"p1", "p2"}, {"p1", "p3"}, {"p2", "p1"}, {"p2", "p3"}, {"p3", "p1"}, {"p3", "p2"}} {
		var w wire.Flows
		if err := x.getJSON(fmt.Sprintf("/api/v2/pairs/%s/%s/flows?test=fabric", pair[0], pair[1]), &w); err != nil {
			t.Fatal(err)
		}
		for _, r := range w.Results {
			unserved += r.Unserved
			if r.Lost > 0 || r.Refused > 0 || r.Unserved > 0 && pair[1] != "p3" {
				t.Errorf("%s→%s: %s", pair[0], pair[1], show(r))
			}
		}
	}
	return unserved
}
