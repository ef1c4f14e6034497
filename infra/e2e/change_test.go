package e2e

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"ixpqos/internal/wire"
)

// TestChange rewrites the inventory under running programs: a test is changed, a
// test is new, and so are a probe, which starts only later, and a target. What
// did not change goes on without a gap, and nobody sees loss that is none.
func TestChange(t *testing.T) {
	const every = 4 * time.Second
	const steady = "  - {name: steady, kind: icmp, every: 4s, count: 3, spacing: 50ms, timeout: 2500ms}\n"
	x := newExchange(t)
	p1 := x.member("p1", "198.18.0.1/24")
	p2 := x.member("p2", "198.18.0.2/24")
	p3 := x.member("p3", "198.18.0.3/24")
	x.member("rs1", "198.18.0.10/24")
	p3.Down(t) // its host is not there yet
	x.configure("tests:\n"+steady+"  - {name: changed, kind: icmp, every: 4s, count: 2, spacing: 50ms, timeout: 2500ms}\n", p1, p2)
	server := x.serve()
	running := []*process{p1.start(), p2.start()}
	x.awaitGood("")

	// A broken file changes nothing.
	write(t, x.inventory, "probes: 5\n")
	if err := server.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	await(t, "the server complains of a broken inventory", func() error { return contains(server.logged(), "a file is not valid") })
	x.awaitGood("")

	watch := watchNewPairs(t, x)
	x.configure(`targets:
  - {name: rs1, addresses: [198.18.0.10]}
tests:
`+steady+`  - {name: changed, kind: icmp, every: 4s, count: 4, spacing: 50ms, timeout: 2500ms}
  - {name: new, kind: icmp, every: 4s, count: 2, spacing: 50ms, timeout: 2500ms}
`, p1, p2, p3)
	await(t, "the probes take up the change", func() error {
		return errors.Join(takenUp(x, "p1", "p2", 4), takenUp(x, "p2", "p1", 4), takenUp(x, "p1", "rs1", 4))
	})
	await(t, "p1 has lost pings to the probe that is not there", func() error { return lostAll(x, "p1", "p3") })

	p3.Up(t)
	running = append(running, p3.start())
	x.awaitGood("")
	watch.end(t)

	for _, pair := range [][2]string{{"p1", "p2"}, {"p2", "p1"}} {
		for _, test := range []string{"steady", "new"} {
			x.noGaps(pair[0], pair[1], test, every)
		}
	}
	for _, p := range running {
		select {
		case <-p.ended:
			t.Error("a probe did not survive the change")
		default:
		}
	}
}

// takenUp tells why a pair's newest results are not of the changed tests.
func takenUp(x *exchange, source, target string, count int) error {
	cells, err := x.cells("")
	if err != nil {
		return err
	}
	if c := cells[key{source, target, "changed", 4}]; c.Sent == nil || *c.Sent != count || good(c) != nil {
		return fmt.Errorf("changed: %s", show(c))
	}
	return good(cells[key{source, target, "new", 4}])
}

func lostAll(x *exchange, source, target string) error {
	results, err := x.series(source, target, "steady")
	if err != nil {
		return err
	}
	for _, r := range results {
		if r.Lost > 0 {
			return nil
		}
	}
	return fmt.Errorf("no loss in %d results", len(results))
}

// watcher looks at the new pairs all the time.
type watcher struct {
	stop, done chan struct{}
	looks      int
	states     map[string]int
	wrong      []string
}

func watchNewPairs(t *testing.T, x *exchange) *watcher {
	w := &watcher{stop: make(chan struct{}), done: make(chan struct{}), states: map[string]int{}}
	go func() {
		defer close(w.done)
		poll := time.NewTicker(100 * time.Millisecond)
		defer poll.Stop()
		for {
			select {
			case <-w.stop:
				return
			case <-t.Context().Done():
				return
			case <-poll.C:
				w.look(x)
			}
		}
	}()
	return w
}

func (w *watcher) look(x *exchange) {
	cells, err := x.cells("")
	if err != nil {
		w.wrong = append(w.wrong, err.Error())
		return
	}
	w.looks++
	for k, c := range cells {
		if k.source != "p3" && k.target != "p3" && k.target != "rs1" {
			continue
		}
		w.states[c.State]++
		judged := c.State == wire.StateFresh || c.State == wire.StateStale
		if judged && (c.LossRatio == nil || *c.LossRatio > 0) {
			w.wrong = append(w.wrong, fmt.Sprintf("%v is new and shows loss: %s", k, show(c)))
		}
	}
}

func (w *watcher) end(t *testing.T) {
	t.Helper()
	close(w.stop)
	<-w.done
	for _, wrong := range w.wrong[:min(len(w.wrong), 3)] {
		t.Error(wrong)
	}
	if w.states[wire.StatePending] == 0 || w.states[wire.StateFresh] == 0 {
		t.Errorf("new pairs are pending and then fresh; in %d looks they were %v", w.looks, w.states)
	}
}
