package ping

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"ixpqos/infra/needs"
	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
	"ixpqos/internal/schedule"
)

func every(name string, d time.Duration) inventory.Test {
	t := short(3)
	t.Name, t.Every = name, d
	return t
}

func TestCeilings(t *testing.T) {
	if err := Fits(every("ping", 10*time.Second), 20); err != nil {
		t.Errorf("a fine test is refused: %v", err)
	}
	for want, change := range map[string]func(*inventory.Test) int{
		"4097 pairs are more than the 4096": func(*inventory.Test) int { return 4097 },
		"count 0 is not 1 to 10000":         func(t *inventory.Test) int { t.Count = 0; return 1 },
		"count 10001 is not 1 to 10000":     func(t *inventory.Test) int { t.Count = 10_001; return 1 },
		"size 71 is not 72 to 9000":         func(t *inventory.Test) int { t.Size = 71; return 1 },
		"size 51 is not 52 to 9000":         func(t *inventory.Test) int { t.Size, t.Families = 51, []uint8{4}; return 1 },
		"size 9001 is not 72 to 9000":       func(t *inventory.Test) int { t.Size = 9001; return 1 },
		"spacing 999µs is below 1ms":        func(t *inventory.Test) int { t.Spacing = 999 * time.Microsecond; return 1 },
		"timeout 2s is not above 2s":        func(t *inventory.Test) int { t.Timeout = 2 * time.Second; return 1 },
		"timeout 2m0s is not above 2s":      func(t *inventory.Test) int { t.Timeout = 2 * time.Minute; return 1 },
		"dscp 64 is over 63":                func(t *inventory.Test) int { t.DSCP = 64; return 1 },
		"more than the 20000 packets":       func(t *inventory.Test) int { t.Spacing = time.Millisecond; return 256 },
		"does not fit its interval of 10s":  func(t *inventory.Test) int { t.Count = 400; return 1 },
		"does not fit its interval of 5m0s": func(t *inventory.Test) int {
			t.Every, t.Cron, t.Count, t.Spacing = 0, "*/5 * * * *", 300, time.Second
			return 1
		},
		"every 100ms is out of range": func(t *inventory.Test) int { t.Every = 100 * time.Millisecond; return 1 },
	} {
		test := every("ping", 10*time.Second)
		pairs := change(&test)
		if err := Fits(test, pairs); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v; want one with %q", err, want)
		}
	}
}

// troubles collects what an engine tells.
type troubles struct {
	mu  sync.Mutex
	now map[string]string
}

func (tr *troubles) set(subject, sentence string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.now[subject] = sentence
}

func newTestEngine(clock clockwork.Clock) (*Engine, *troubles) {
	tr := &troubles{now: map[string]string{}}
	return &Engine{Clock: clock, Log: slog.New(slog.DiscardHandler), Trouble: tr.set, Missed: func() {},
		jobs: map[string]when{}, troubled: map[string]bool{}}, tr
}

// TestApplyLeavesUnchangedTestsAlone looks at which jobs a changed
// configuration starts anew: a job that is added begins with the next whole
// interval, so one that need not change would leave a gap.
func TestApplyLeavesUnchangedTestsAlone(t *testing.T) {
	clock := clockwork.NewFakeClock()
	scheduler, err := schedule.New(clock, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = scheduler.Close() })
	e, tr := newTestEngine(clock)
	apply := func(tests ...inventory.Test) map[string]when {
		e.apply(inventory.Part{Probe: "p1", Tests: tests}, scheduler, nil)
		jobs := map[string]when{}
		for name, job := range e.jobs {
			jobs[name] = job
		}
		return jobs
	}
	before := apply(every("a", 10*time.Second), every("b", 20*time.Second))
	dscp := every("a", 10*time.Second)
	dscp.DSCP = 46 // taken up by the next round
	after := apply(dscp, every("b", 30*time.Second), every("c", time.Minute))
	if after["a"] != before["a"] {
		t.Errorf("test a was started anew: %+v, %+v", before["a"], after["a"])
	}
	if after["b"] == before["b"] || len(after) != 3 {
		t.Errorf("jobs are %+v", after)
	}
	broken := every("c", time.Minute)
	broken.Count = 0
	foreign := every("d", time.Minute)
	foreign.Kind = "stamp"
	if after = apply(broken, foreign); len(after) != 0 {
		t.Errorf("jobs are %+v; want none", after)
	}
	if !strings.Contains(tr.now["test c"], `test "c" is not run: count 0`) {
		t.Errorf("troubles are %v", tr.now)
	}
	apply()
	if tr.now["test c"] != "" {
		t.Errorf("the trouble of a test that is gone stays: %v", tr.now)
	}
}

func partOfTwo(test inventory.Test) inventory.Part {
	return inventory.Part{Probe: "p1", Inventory: "v", Tests: []inventory.Test{test},
		Addresses: []inventory.Address{{Family: 4, Host: "127.0.0.1"}},
		Peers:     []inventory.Peer{{Name: "p2", Addresses: []inventory.Address{{Family: 4, Host: "127.0.0.2"}}}}}
}

// TestTroublesWhileTheConfigurationChanges is for the race detector: rounds tell
// of trouble at any moment.
func TestTroublesWhileTheConfigurationChanges(t *testing.T) {
	e, tr := newTestEngine(clockwork.NewFakeClock())
	part := inventory.Part{Tests: []inventory.Test{every("a", time.Minute), every("b", time.Minute)}}
	e.part = part
	var rounds sync.WaitGroup
	for _, name := range []string{"a", "b", "gone"} {
		rounds.Go(func() {
			for range 1000 {
				e.tell(name, "trouble")
			}
		})
	}
	for range 1000 {
		e.forget(part)
	}
	rounds.Wait()
	if tr.now["test a"] == "" || tr.now["test gone"] != "" {
		t.Errorf("troubles are %v", tr.now)
	}
}

// TestARoundThatIsCutShortIsKept ends the context in the middle of a round, as
// SIGTERM does: what is known by then goes to the spool.
func TestARoundThatIsCutShortIsKept(t *testing.T) {
	needs.ICMP(t)
	e, _ := newTestEngine(clockwork.NewRealClock())
	missed := 0
	e.Missed = func() { missed++ }
	test := every("ping", time.Hour)
	test.Count, test.Spacing = 1000, 10*ms
	e.part = partOfTwo(test)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(2*time.Second, cancel)
	var got []ippm.Batch
	start := time.Now().UTC().Truncate(time.Hour)
	e.round(ctx, "ping", start, start.Add(2*time.Hour), func(ctx context.Context, b ippm.Batch) error {
		if ctx.Err() != nil {
			t.Error("the batch is emitted with a context that has ended")
		}
		got = append(got, b)
		return nil
	})
	if len(got) != 1 || len(got[0].Results) != 1 {
		t.Fatalf("batches = %+v", got)
	}
	r := got[0].Results[0]
	if r.Sent == 0 || r.Sent == 1000 || r.Sent != r.Received || r.Refused != 0 {
		t.Errorf("counts = %+v; want some sent, all of them answered", r.Counts)
	}
	if err := r.Check(); err != nil {
		t.Error(err)
	}
	if missed != 1 {
		t.Errorf("%d rounds missed; want 1, for the rest of this one", missed)
	}
	if got[0].Peers[0] != "p2" || got[0].Inventory != "v" || !got[0].Start.Equal(start) {
		t.Errorf("batch = %+v", got[0])
	}
}

func TestARoundThatStartsTooLateIsMissed(t *testing.T) {
	e, _ := newTestEngine(clockwork.NewRealClock())
	missed := 0
	e.Missed = func() { missed++ }
	e.part = partOfTwo(every("ping", 10*time.Second))
	start := time.Now().Add(-9 * time.Second)
	e.round(t.Context(), "ping", start, start.Add(10*time.Second), func(context.Context, ippm.Batch) error {
		t.Error("it ran")
		return nil
	})
	if missed != 1 {
		t.Errorf("%d rounds missed; want 1", missed)
	}
}
