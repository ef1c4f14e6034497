package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"ixpqos/infra/needs"
	"ixpqos/internal/deliver"
	"ixpqos/internal/ippm"
	"ixpqos/internal/wire"
)

const oneSTAMP = "tests:\n  - {name: fabric, kind: stamp, flows: 4, spacing: 100ms, interval: 5s, families: [4]}\n"

// twoProbes is an exchange of two probes that measure all the time.
func twoProbes(t *testing.T) (x *exchange, p1, p2 *member) {
	t.Helper()
	x = newExchange(t)
	p1, p2 = x.member("p1", "198.18.0.1/24"), x.member("p2", "198.18.0.2/24")
	x.configure(oneSTAMP, p1, p2)
	return x, p1, p2
}

// TestRestartLosesNothing ends a probe whose newest interval is not settled yet,
// and starts it again: that interval arrives, no packet is lost, and what is
// missing is an interval at most, which is counted.
func TestRestartLosesNothing(t *testing.T) {
	x, p1, p2 := twoProbes(t)
	x.serve()
	probe := p1.start()
	p2.start()
	x.awaitGood("fabric")

	stop := time.Now().Truncate(awayInterval).Add(2*awayInterval + time.Second)
	await(t, "an interval has just ended", func() error { return reached(stop) })
	if status := probe.stop(t, bound); status != 0 {
		t.Errorf("the probe ended with %d", status)
	}
	before := x.mustHealth("p1")
	p1.start()
	x.awaitAfter(t, time.Now().Add(3*awayInterval))

	results, err := x.series("p1", "p2", "fabric")
	if err != nil {
		t.Fatal(err)
	}
	after := x.mustHealth("p1")
	// It begins with the next whole interval after it has started.
	away := after.Health.StartedAt.Truncate(awayInterval).Sub(stop.Truncate(awayInterval))
	gap := longestGap(results)
	if gap > away+awayInterval {
		t.Errorf("%v are missing, though it was away for %v: %s", gap, away, show(results))
	}
	if gap > 0 && before.Health.Missed+after.Health.Missed == 0 {
		t.Errorf("%v are missing and no missed interval is counted: %s, then %s", gap, show(before), show(after))
	}
	for _, r := range results {
		if r.Lost > 0 || r.Unserved > 0 {
			t.Errorf("a restart of the sender is no loss: %s", show(r))
		}
	}
}

// mustHealth is what a probe says of itself.
func (x *exchange) mustHealth(name string) wire.Probe {
	x.t.Helper()
	shown, err := x.health(name)
	if err != nil || shown.Health == nil {
		x.t.Fatalf("health of %s: %s, %v", name, show(shown), err)
	}
	return shown
}

// longestGap is the most time between the end of a result and the start of the next.
func longestGap(results []wire.Result) (longest time.Duration) {
	for i := 1; i < len(results); i++ {
		longest = max(longest, results[i].Start.Sub(results[i-1].Start)-awayInterval)
	}
	return longest
}

// TestStandstillIsNoLoss stops a reflecting probe for 17 s (SIGSTOP), over three
// ends of intervals: nobody sees loss for that, in the series or the matrix.
func TestStandstillIsNoLoss(t *testing.T) {
	x, p1, p2 := twoProbes(t)
	x.serve()
	p1.start()
	still := p2.start()
	x.awaitGood("fabric")

	begin := time.Now()
	signal(t, still, syscall.SIGSTOP)
	await(t, "17 s have passed", func() error { return reached(begin.Add(17 * time.Second)) })
	signal(t, still, syscall.SIGCONT)
	end := time.Now()
	await(t, "p2 tells that it stood still", func() error { return x.troubled("p2", "stood still") })
	x.awaitAfter(t, end.Add(3*awayInterval))

	results, err := x.series("p1", "p2", "fabric")
	if err != nil {
		t.Fatal(err)
	}
	unserved := 0
	for _, r := range results {
		unserved += r.Unserved
		if r.Lost > 0 {
			t.Errorf("a standstill is no loss: %s", show(r))
		}
	}
	if unserved == 0 {
		t.Error("nothing is unserved, though p2 stood still: it proves nothing")
	}
	x.noLossInMatrices(begin, end)
}

// noLossInMatrices looks at the matrix of every interval of a while.
func (x *exchange) noLossInMatrices(from, to time.Time) {
	x.t.Helper()
	for at := from.Truncate(awayInterval); at.Before(to.Add(4 * awayInterval)); at = at.Add(awayInterval) {
		var w wire.Matrix
		if err := x.getJSON("/api/v2/matrix?test=fabric&at="+at.UTC().Format(time.RFC3339), &w); err != nil {
			x.t.Fatal(err)
		}
		for _, c := range w.Cells {
			if c.LossRatio != nil && *c.LossRatio > 0 {
				x.t.Errorf("at %v %s→%s shows loss: %s", at, c.Source, c.Target, show(c))
			}
		}
	}
}

func signal(t *testing.T, p *process, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// TestStateThatCannotBeWritten gives a probe a state folder that is full, or that
// it may not write: what it measures goes out all the same, and it says why
// nothing would outlast its end.
func TestStateThatCannotBeWritten(t *testing.T) {
	needs.Time(t)
	t.Parallel()
	for name, c := range map[string]struct {
		flags uintptr
		told  syscall.Errno
	}{"full": {0, syscall.ENOSPC}, "read-only": {syscall.MS_RDONLY, syscall.EROFS}} {
		t.Run(name, func(t *testing.T) {
			x, p1, p2 := twoProbes(t)
			if err := os.MkdirAll(p1.state, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Mount("tmpfs", p1.state, "tmpfs", c.flags, "size=64k"); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := syscall.Unmount(p1.state, syscall.MNT_DETACH); err != nil {
					t.Error(err)
				}
			})
			if c.told == syscall.ENOSPC {
				fill(t, filepath.Join(p1.state, "ballast"))
			}
			x.serve()
			p1.start()
			p2.start()
			await(t, "p1's results arrive and it tells of its folder", func() error {
				results, err := x.series("p1", "p2", "fabric")
				if err != nil || len(results) < 3 {
					return fmt.Errorf("%d results, %v", len(results), err)
				}
				return x.troubled("p1", c.told.Error())
			})
			x.noGaps("p1", "p2", "fabric", awayInterval)
		})
	}
}

// fill writes until a file system is full.
func fill(t *testing.T, path string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = file.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	_ = file.Close() // what does not fit is not missed
}

// TestLogWhoseReaderGoes closes the pipes that a server and a probe log into:
// they go on.
func TestLogWhoseReaderGoes(t *testing.T) {
	x, p1, p2 := twoProbes(t)
	server, serverLog := piped(t, "server", x.serveCommand())
	await(t, "the server is ready", func() error { _, err := x.get("/readyz"); return err })
	args := p1.runArgs("run")
	probe, probeLog := piped(t, "p1", p1.Command(context.Background(), args[0], args[1:]...))
	p2.start()
	x.awaitGood("fabric")
	serverLog.Close()
	probeLog.Close()
	// Both have something to say of a changed inventory.
	x.configure(oneSTAMP+"  - {name: ping, kind: icmp, every: 4s, count: 2, spacing: 50ms, timeout: 2500ms, families: [4]}\n", p1, p2)
	signal(t, server, syscall.SIGHUP)
	x.awaitGood("ping")
	for name, p := range map[string]*process{"server": server, "probe": probe} {
		if status := p.stop(t, bound); status != 0 {
			t.Errorf("the %s ended with %v", name, p.cmd.ProcessState)
		}
	}
}

// piped starts a program whose log goes to a reader.
func piped(t *testing.T, name string, cmd *exec.Cmd) (*process, *os.File) {
	t.Helper()
	reader, log, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	t.Cleanup(func() { reader.Close() })
	cmd.Stderr = log
	return start(t, name, cmd), reader
}

// TestServerWithAClockBehind: to a server whose clock is behind, a batch is ahead
// of time. The probe keeps it, delivers what follows, and delivers it too once
// the server's clock is past it.
func TestServerWithAClockBehind(t *testing.T) {
	const allowed = 5 * time.Minute // by the server
	x, p1, p2 := twoProbes(t)
	ahead := time.Now().Truncate(time.Second).Add(allowed + 40*time.Second)
	putInSpool(t, p1, ahead)
	x.serve()
	p1.start()
	p2.start()
	x.awaitGood("fabric")
	inSpool := func() bool {
		waiting, err := p1.spooled("fabric")
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(waiting, func(r ippm.Result) bool { return r.Start.Equal(ahead) })
	}
	if early := time.Until(ahead.Add(-allowed)); early > 0 && !inSpool() {
		t.Errorf("a batch that is %v ahead of time is no longer in the spool: %s", early, show(x.mustHealth("p1")))
	}
	await(t, "it is time for the batch", func() error { return reached(ahead.Add(-allowed)) })
	await(t, "the batch is delivered", func() error {
		if inSpool() {
			return errors.New("it waits")
		}
		return nil
	})
	if h := x.mustHealth("p1").Health; h.SetAside > 0 || h.Dropped > 0 {
		t.Errorf("it was not delivered: %s", show(h))
	}
}

// putInSpool leaves a batch in a probe's spool, as one that ended before it sent it.
func putInSpool(t *testing.T, p *member, at time.Time) {
	t.Helper()
	r := ippm.Result{Kind: "stamp", Length: awayInterval, Counts: ippm.Counts{Sent: 2, Received: 2}}
	r.Series = ippm.Series{Source: p.Name, Target: "p2", Test: "fabric", Family: 4}
	r.Start = at
	if err := errors.Join(r.RTT.Add(100), r.RTT.Add(110)); err != nil {
		t.Fatal(err)
	}
	spool, err := deliver.OpenSpool(filepath.Join(p.state, "spool"), deliver.SpoolOptions{})
	if err != nil {
		t.Fatal(err)
	}
	batch := ippm.Batch{Probe: p.Name, Inventory: "before", Start: at, Peers: []string{"p2"},
		Health: ippm.Health{Version: "e2e", StartedAt: at}, Results: []ippm.Result{r}}
	if err := errors.Join(spool.Append(t.Context(), batch), spool.Close()); err != nil {
		t.Fatal(err)
	}
}
