package schedule

import (
	"context"
	"log/slog"
	"slices"
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
	if _, err := Cron(" @every 7m"); err == nil || !strings.Contains(err.Error(), "write every: 7m") {
		t.Errorf("@every after a space: error %v", err)
	}

	for expression, want := range map[string]string{
		"* * * *":                       "five fields",
		"61 * * * *":                    "does not parse",
		"CRON_TZ=Europe/Rome 0 * * * *": "time zone",
		"TZ=Europe/Rome 0 * * * *":      "time zone",
		"@every 10s":                    "write every: 10s",
		" @every 10s":                   "write every: 10s",
		"\t\u00a0@every 10s":            "write every: 10s",
		" TZ=Europe/Rome 0 * * * *":     "time zone",
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

// bench is a scheduler on a clock that the test moves. The clock runs ahead of
// the jobs now and then, as that of a busy host does: intervals may be skipped,
// and none may run twice.
type bench struct {
	*Scheduler
	clock *clockwork.FakeClock
	runs  chan time.Time // the start of every interval that ran
	seen  map[time.Time]bool
}

func newBench(t *testing.T, at time.Time) *bench {
	clock := clockwork.NewFakeClockAt(at)
	return benchOn(t, clock, clock)
}

func benchOn(t *testing.T, clock clockwork.Clock, fake *clockwork.FakeClock) *bench {
	t.Helper()
	s, err := New(clock, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &bench{Scheduler: s, clock: fake, runs: make(chan time.Time, 1000), seen: map[time.Time]bool{}}
}

func (b *bench) add(t *testing.T, job Job) {
	t.Helper()
	if job.Run == nil {
		job.Run = func(_ context.Context, start, _ time.Time) { b.runs <- start }
	}
	if err := b.Add(job); err != nil {
		t.Fatal(err)
	}
}

// until moves the clock on until so many further intervals have run.
func (b *bench) until(t *testing.T, further int) {
	t.Helper()
	want := len(b.seen) + further
	for began := time.Now(); len(b.seen) < want; {
		if time.Since(began) > 30*time.Second {
			t.Fatalf("%d intervals ran; want %d", len(b.seen), want)
		}
		b.clock.Advance(time.Second)
		select {
		case start := <-b.runs:
			if b.seen[start] {
				t.Errorf("the interval of %v ran twice", start)
			}
			b.seen[start] = true
		case <-time.After(time.Millisecond):
		}
	}
}

func TestAJobRunsInWholeIntervalsOnly(t *testing.T) {
	b := newBench(t, noon.Add(2*time.Second))
	b.add(t, Job{Name: "ping", Timetable: MustEvery(10 * time.Second), Offset: 3 * time.Second})
	b.until(t, 5)
	for start := range b.seen {
		// 12:00:03 lies in an interval that began before the job was there.
		if !start.After(noon) || start.Sub(noon)%(10*time.Second) != 0 {
			t.Errorf("it ran in the interval of %v", start)
		}
	}
}

func TestAPanicEndsOneRunOnly(t *testing.T) {
	b := newBench(t, noon)
	b.add(t, Job{Name: "shaky", Timetable: MustEvery(10 * time.Second), Run: func(_ context.Context, start, _ time.Time) {
		b.runs <- start
		panic("on purpose")
	}})
	b.until(t, 3)
}

// long is a job that runs until it is told to end, or to go on.
type long struct{ release, ended chan struct{} }

func newLong(b *bench) (long, Job) {
	l := long{make(chan struct{}), make(chan struct{})}
	return l, Job{Name: "long", Timetable: MustEvery(10 * time.Second), Run: func(ctx context.Context, start, _ time.Time) {
		b.runs <- start
		select {
		case <-ctx.Done():
			close(l.ended)
		case <-l.release:
		}
	}}
}

func TestRemovingEndsTheContext(t *testing.T) {
	b := newBench(t, noon)
	l, job := newLong(b)
	b.add(t, job)
	b.until(t, 1)
	b.Remove("long")
	select {
	case <-l.ended:
	case <-time.After(30 * time.Second):
		t.Fatal("the job goes on")
	}
}

func TestReplacingLetsARunEnd(t *testing.T) {
	b := newBench(t, noon)
	l, job := newLong(b)
	b.add(t, job)
	b.until(t, 1)
	b.add(t, Job{Name: "long", Timetable: MustEvery(20 * time.Second)})
	b.until(t, 2)
	select {
	case <-l.ended:
		t.Error("the run of the job before was cut short")
	default:
	}
	b.Remove("long") // ends both
	select {
	case <-l.ended:
	case <-time.After(30 * time.Second):
		t.Fatal("the run of the job before goes on")
	}
}

// TestOverlapAndRepetition calls the runner as gocron does, at chosen moments.
func TestOverlapAndRepetition(t *testing.T) {
	clock := clockwork.NewFakeClockAt(noon)
	var ran, missed []time.Duration
	release := make(chan struct{})
	close(release)
	r := &runner{clock: clock, log: slog.New(slog.DiscardHandler), added: noon, job: Job{Timetable: MustEvery(10 * time.Second),
		Run:    func(_ context.Context, start, _ time.Time) { ran = append(ran, start.Sub(noon)); <-release },
		Missed: func(start, _ time.Time) { missed = append(missed, start.Sub(noon)) }}}
	fire := func(at time.Duration) {
		clock.Advance(at - clock.Now().Sub(noon))
		r.run(t.Context())
	}
	fire(-time.Second) // began before the job was there
	fire(10 * time.Second)
	fire(10*time.Second - 100*time.Millisecond) // the same again, a little early
	r.running.Store(true)
	fire(20 * time.Second) // busy
	r.running.Store(false)
	fire(30 * time.Second)
	fire(20 * time.Second) // the clock stepped back
	fire(40 * time.Second)
	fire(-time.Hour) // far back: the clock had been ahead
	fire(-time.Hour + 10*time.Second)
	wantRan := []time.Duration{10 * time.Second, 30 * time.Second, 40 * time.Second, -time.Hour, -time.Hour + 10*time.Second}
	wantMissed := []time.Duration{10 * time.Second, 20 * time.Second, 20 * time.Second}
	if !slices.Equal(ran, wantRan) || !slices.Equal(missed, wantMissed) {
		t.Errorf("ran %v, missed %v; want %v, %v", ran, missed, wantRan, wantMissed)
	}
}

// TestAStepBackKeepsNothingFromRunningAgain is for what Run runs: signs of life
// and the like, which belong to no interval.
func TestAStepBackKeepsNothingFromRunningAgain(t *testing.T) {
	clock := clockwork.NewFakeClockAt(noon)
	ran := 0
	r := &runner{clock: clock, log: slog.New(slog.DiscardHandler), added: noon, job: Job{Timetable: MustEvery(time.Minute), again: true,
		Run:    func(context.Context, time.Time, time.Time) { ran++ },
		Missed: func(start, _ time.Time) { t.Errorf("the interval of %v is told as missed", start) }}}
	for _, at := range []time.Duration{5 * time.Minute, time.Minute, 2 * time.Minute} {
		clock.Advance(at - clock.Now().Sub(noon))
		r.run(t.Context())
	}
	if ran != 3 {
		t.Errorf("it ran %d times; want 3", ran)
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
			b := benchOn(t, clock, clock.FakeClock)
			b.add(t, Job{Name: "ping", Timetable: MustEvery(10 * time.Second), Offset: 2 * time.Second})
			b.until(t, 5)
			clock.stepBy(step)
			b.until(t, 5)
		})
	}
}
