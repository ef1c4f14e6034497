package schedule

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func mustCron(t *testing.T, expression string) Timetable {
	t.Helper()
	timetable, err := Cron(expression)
	if err != nil {
		t.Fatal(err)
	}
	return timetable
}

func TestIntervals(t *testing.T) {
	for name, c := range map[string]struct {
		timetable      Timetable
		at, start, end time.Time
	}{
		"every, inside":      {MustEvery(10 * time.Second), noon.Add(3 * time.Second), noon, noon.Add(10 * time.Second)},
		"every, at a start":  {MustEvery(10 * time.Second), noon, noon, noon.Add(10 * time.Second)},
		"every, just before": {MustEvery(10 * time.Second), noon.Add(-1), noon.Add(-10 * time.Second), noon},
		"every, odd length":  {MustEvery(7 * time.Second), time.Unix(20, 0), time.Unix(14, 0), time.Unix(21, 0)},
		"every, before 1970": {MustEvery(10 * time.Second), time.Unix(-3, 0), time.Unix(-10, 0), time.Unix(0, 0)},
		"cron, inside":       {mustCron(t, "*/5 * * * *"), noon.Add(4 * time.Minute), noon, noon.Add(5 * time.Minute)},
		"cron, at a start":   {mustCron(t, "*/5 * * * *"), noon, noon, noon.Add(5 * time.Minute)},
		"cron, just before":  {mustCron(t, "*/5 * * * *"), noon.Add(-1), noon.Add(-5 * time.Minute), noon},
		"cron, uneven":       {mustCron(t, "0,10 * * * *"), noon.Add(-time.Minute), noon.Add(-50 * time.Minute), noon},
		"cron, daily":        {mustCron(t, "30 3 * * *"), noon, noon.Add(-8*time.Hour - 30*time.Minute), noon.Add(15*time.Hour + 30*time.Minute)},
		"cron, in UTC":       {mustCron(t, "0 12 * * *"), noon.In(time.FixedZone("", 3600)), noon, noon.Add(24 * time.Hour)},
	} {
		start, end := c.timetable.Interval(c.at)
		if !start.Equal(c.start) || !end.Equal(c.end) {
			t.Errorf("%s: %v is in [%v, %v); want [%v, %v)", name, c.at, start, end, c.start, c.end)
		}
	}
}

func TestShortest(t *testing.T) {
	for expression, want := range map[string]time.Duration{
		"*/5 * * * *": 5 * time.Minute, "0,10 * * * *": 10 * time.Minute, "@hourly": time.Hour, "7 4 * * *": 24 * time.Hour,
		"*/7 * * * *": 4 * time.Minute,
	} {
		if got := mustCron(t, expression).Shortest(); got != want {
			t.Errorf("%s: shortest interval %v; want %v", expression, got, want)
		}
	}
}

func TestRefusedTimetables(t *testing.T) {
	for expression, want := range map[string]string{
		"* * * *":                       "five fields",
		"61 * * * *":                    "does not parse",
		"CRON_TZ=Europe/Rome 0 * * * *": "time zone",
		"TZ=Europe/Rome 0 * * * *":      "time zone",
		"@every 10s":                    "write every: 10s",
		"0 0 30 2 *":                    "never runs",
		"0 0 * * 1":                     "does not run on January 2",
		"":                              "five fields",
	} {
		if _, err := Cron(expression); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("cron %q: error %v; want one with %q", expression, err, want)
		}
	}
	for _, d := range []time.Duration{0, -time.Second, time.Millisecond, 25 * time.Hour} {
		if _, err := Every(d); err == nil {
			t.Errorf("every %v was taken", d)
		}
	}
}

func TestSpreadIsSteadyAndSpreads(t *testing.T) {
	const slack = time.Minute
	low, high := slack, time.Duration(0)
	for _, name := range strings.Split("a b c d e f g h i j k l m n o p q r s t", " ") {
		at := Spread(slack, name, "ping")
		if at != Spread(slack, name, "ping") {
			t.Errorf("%s has two places", name)
		}
		if at < 0 || at >= slack {
			t.Errorf("%s is at %v, outside of %v", name, at, slack)
		}
		low, high = min(low, at), max(high, at)
	}
	if high-low < slack/2 {
		t.Errorf("twenty names lie between %v and %v", low, high)
	}
}

// bench is a scheduler on a clock that the test moves.
type bench struct {
	*Scheduler
	clock *clockwork.FakeClock
	runs  chan time.Time // the start of every interval that ran
}

func newBench(t *testing.T, at time.Time) *bench {
	clock := clockwork.NewFakeClockAt(at)
	s, err := New(clock, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &bench{Scheduler: s, clock: clock, runs: make(chan time.Time, 100)}
}

func (b *bench) add(t *testing.T, job Job) {
	t.Helper()
	if job.Run == nil {
		job.Run = func(_ context.Context, start, _ time.Time) { b.runs <- start }
	}
	if job.Missed == nil {
		// The fake clock may be ahead of a run that is about to return.
		job.Missed = func(start, _ time.Time) { b.runs <- start }
	}
	if err := b.Add(job); err != nil {
		t.Fatal(err)
	}
	b.settle(t)
}

// settle waits until one timer waits for the clock.
func (b *bench) settle(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := b.clock.BlockUntilContext(ctx, 1); err != nil {
		t.Fatal("no job waits for its time: ", err)
	}
}

func (b *bench) next(t *testing.T) time.Time {
	t.Helper()
	select {
	case start := <-b.runs:
		b.settle(t)
		return start
	case <-time.After(10 * time.Second):
		t.Fatal("the job did not run")
		return time.Time{}
	}
}

func TestAJobRunsOnceInEveryWholeInterval(t *testing.T) {
	b := newBench(t, noon.Add(2*time.Second))
	b.add(t, Job{Name: "ping", Timetable: MustEvery(10 * time.Second), Offset: 3 * time.Second})
	// 12:00:03 lies in an interval that began before the job was there.
	b.clock.Advance(time.Second)
	b.settle(t)
	for i := 1; i <= 5; i++ {
		b.clock.Advance(10 * time.Second)
		if got, want := b.next(t), noon.Add(time.Duration(i)*10*time.Second); !got.Equal(want) {
			t.Fatalf("run %d was given the interval of %v; want %v", i, got, want)
		}
	}
}

func TestAJobNeverOverlapsItself(t *testing.T) {
	b := newBench(t, noon)
	release := make(chan struct{})
	var once sync.Once
	missed := make(chan time.Time, 10)
	b.add(t, Job{Name: "slow", Timetable: MustEvery(10 * time.Second),
		Run: func(_ context.Context, start, _ time.Time) {
			b.runs <- start
			once.Do(func() { <-release })
		},
		Missed: func(start, _ time.Time) { missed <- start }})
	b.clock.Advance(10 * time.Second)
	first := b.next(t)
	b.clock.Advance(10 * time.Second)
	select {
	case start := <-missed:
		if want := first.Add(10 * time.Second); !start.Equal(want) {
			t.Errorf("missed %v; want %v", start, want)
		}
	case start := <-b.runs:
		t.Fatalf("the job ran for %v while it was busy with %v", start, first)
	case <-time.After(10 * time.Second):
		t.Fatal("the busy job was not told of")
	}
	b.settle(t)
	close(release)
}

func TestAPanicEndsOneRunOnly(t *testing.T) {
	b := newBench(t, noon)
	b.add(t, Job{Name: "shaky", Timetable: MustEvery(10 * time.Second), Run: func(_ context.Context, start, _ time.Time) {
		b.runs <- start
		panic("on purpose")
	}})
	for range 3 {
		b.clock.Advance(10 * time.Second)
		b.next(t)
	}
}

func TestRemovingEndsTheContext(t *testing.T) {
	b := newBench(t, noon)
	ended := make(chan struct{})
	b.add(t, Job{Name: "long", Timetable: MustEvery(10 * time.Second), Run: func(ctx context.Context, start, _ time.Time) {
		b.runs <- start
		<-ctx.Done()
		close(ended)
	}})
	b.clock.Advance(10 * time.Second)
	b.next(t)
	b.Remove("long")
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("the job goes on")
	}
}

// steppingClock is a fake clock whose wall time can be moved without its timers.
type steppingClock struct {
	*clockwork.FakeClock
	mu   sync.Mutex
	step time.Duration
}

func (c *steppingClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.FakeClock.Now().Add(c.step)
}

func (c *steppingClock) stepBy(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.step += d
}

// TestAClockThatStepsNeverStallsAJob steps the clock in both directions, little
// and much. Within a few intervals' real time the job must run again, and never
// for an interval that it had.
func TestAClockThatStepsNeverStallsAJob(t *testing.T) {
	for _, step := range []time.Duration{-3 * time.Second, -15 * time.Second, -time.Hour, -30 * 24 * time.Hour, 3 * time.Second, time.Hour} {
		t.Run(step.String(), func(t *testing.T) {
			clock := &steppingClock{FakeClock: clockwork.NewFakeClockAt(noon)}
			s, err := New(clock, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			fired := make(chan struct{})
			s.fired = func() { fired <- struct{}{} }
			b := &bench{Scheduler: s, clock: clock.FakeClock, runs: make(chan time.Time, 100)}
			b.add(t, Job{Name: "ping", Timetable: MustEvery(10 * time.Second), Offset: 2 * time.Second, Missed: func(_, _ time.Time) {}})
			seen := map[time.Time]bool{}
			b.advance(t, 5, fired)
			collect(t, b.runs, seen, 4)
			clock.stepBy(step)
			b.advance(t, 10, fired)
			// A job skips the few intervals that it had before a small step.
			collect(t, b.runs, seen, 4+4)
		})
	}
}

// advance goes on by so many intervals of 10 s, each once whatever fired is done.
func (b *bench) advance(t *testing.T, intervals int, fired <-chan struct{}) {
	t.Helper()
	for range intervals {
		b.clock.Advance(10 * time.Second)
		select {
		case <-fired:
		case <-time.After(time.Second): // nothing was due: the clock had stepped back
		}
		b.settle(t)
	}
}

// collect waits until so many intervals have run, none of them twice.
func collect(t *testing.T, runs <-chan time.Time, seen map[time.Time]bool, want int) {
	t.Helper()
	for len(seen) < want {
		select {
		case start := <-runs:
			if seen[start] {
				t.Errorf("the interval of %v ran twice", start)
			}
			seen[start] = true
		case <-time.After(10 * time.Second):
			t.Fatalf("%d intervals ran; want %d", len(seen), want)
		}
	}
}
