package schedule

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-co-op/gocron/v2"
	"github.com/google/uuid"
	"github.com/jonboulle/clockwork"
)

// stopTimeout is how long Close waits for jobs whose context has ended. It is
// within the five seconds that a probe has to end.
const stopTimeout = 4 * time.Second

// earliness is how much too early a timer may fire, as the wall clock sees it,
// when the clock is being slewed, and still be taken for the interval it was
// set for.
const earliness = 200 * time.Millisecond

// repeatWindow is how far back a clock may step and still be believed to have
// been right before: a job then waits for an interval that it has not had. A
// clock that steps back further had been ahead, and what was measured by it
// named times that the server refuses as the future (it takes five minutes):
// the job goes on at once, and nothing that is stored repeats.
const repeatWindow = 10 * time.Minute

// Job is what runs once in each interval of its timetable, Offset after its
// beginning. Run is given the interval and a context that ends with the job.
type Job struct {
	Name      string
	Timetable Timetable
	Offset    time.Duration
	Run       func(ctx context.Context, start, end time.Time)
	// Missed is called, where it is set, for an interval in which the job did not
	// run: the run before had not ended, or the clock stepped back and the job
	// had that interval already.
	Missed func(start, end time.Time)
	// again: what the job does is of no interval, so that one may come twice.
	again bool
}

// Scheduler runs jobs. All methods may be called from any goroutine.
//
// Contexts and waiting are its own: gocron hands a job its context through a
// field that its shutdown writes while the job may be starting.
type Scheduler struct {
	cron  gocron.Scheduler
	clock clockwork.Clock
	log   *slog.Logger

	mu      sync.Mutex
	jobs    map[string]*scheduled
	closed  bool
	running sync.WaitGroup // every run; added to under mu, while not closed
}

// scheduled is a job and how to end it.
type scheduled struct {
	id  uuid.UUID
	end context.CancelFunc
}

// New makes a running scheduler; Close ends it.
func New(clock clockwork.Clock, log *slog.Logger) (*Scheduler, error) {
	cron, err := gocron.NewScheduler(
		gocron.WithClock(clock),
		gocron.WithLocation(time.UTC),
		gocron.WithStopTimeout(time.Second),
	)
	if err != nil {
		return nil, fmt.Errorf("scheduler: %w", err)
	}
	cron.Start()
	return &Scheduler{cron: cron, clock: clock, log: log, jobs: map[string]*scheduled{}}, nil
}

// Add starts a job, beginning with the next whole interval. It takes the place
// of a job of the same name; a run of that one that is under way goes on to its end.
func (s *Scheduler) Add(job Job) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fmt.Errorf("schedule %s: the scheduler is closed", job.Name)
	}
	ctx, end := context.WithCancel(context.Background())
	r := &runner{job: job, clock: s.clock, log: s.log, added: s.clock.Now()}
	added, err := s.cron.NewJob(
		gocron.CronJob(job.Name, false),
		gocron.NewTask(func() { s.run(ctx, r) }),
		gocron.WithName(job.Name),
		gocron.WithCronImplementation(grid{job.Timetable, job.Offset, s.clock}),
		gocron.WithEventListeners(gocron.AfterJobRunsWithPanic(func(_ uuid.UUID, name string, what any) {
			s.log.Error("a job panicked; it runs again in its next interval", "job", name, "panic", what)
		})),
	)
	if err != nil {
		end()
		return fmt.Errorf("schedule %s: %w", job.Name, err)
	}
	if before := s.jobs[job.Name]; before != nil {
		s.unschedule(before)
		end = both(before.end, end)
	}
	s.jobs[job.Name] = &scheduled{added.ID(), end}
	return nil
}

func both(a, b context.CancelFunc) context.CancelFunc { return func() { a(); b() } }

// unschedule keeps a job from starting again. The only error there can be is
// that it is gone, which is what was asked for.
func (s *Scheduler) unschedule(job *scheduled) { _ = s.cron.RemoveJob(job.id) }

// run is one firing of a job.
func (s *Scheduler) run(ctx context.Context, r *runner) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.running.Add(1)
	s.mu.Unlock()
	defer s.running.Done()
	r.run(ctx)
}

// Remove ends a job and its context; a name that is not there is no error.
func (s *Scheduler) Remove(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if job := s.jobs[name]; job != nil {
		s.unschedule(job)
		job.end()
		delete(s.jobs, name)
	}
}

// Close ends every job's context and waits for the jobs to return. An error
// says that one did not.
func (s *Scheduler) Close() error {
	s.mu.Lock()
	s.closed = true
	for _, job := range s.jobs {
		job.end()
	}
	s.mu.Unlock()
	returned := make(chan struct{})
	go func() { s.running.Wait(); close(returned) }()
	late := time.NewTimer(stopTimeout)
	defer late.Stop()
	var err error
	select {
	case <-returned:
	case <-late.C:
		err = fmt.Errorf("scheduler: a job did not end within %v", stopTimeout)
	}
	// What gocron waits for beyond that is its own.
	_ = s.cron.Shutdown()
	return err
}

// runner is a job as it runs: it turns the moment that a timer fired at into
// the interval that is meant, and keeps the job from overlapping itself.
type runner struct {
	job     Job
	clock   clockwork.Clock
	log     *slog.Logger
	added   time.Time
	running atomic.Bool
	mu      sync.Mutex
	last    time.Time // the interval that ran last; zero before the first
}

func (r *runner) run(ctx context.Context) {
	now := r.clock.Now()
	start, end := r.job.Timetable.Interval(now.Add(earliness - r.job.Offset))
	// When the job was added, as the wall clock has it now: it may have stepped.
	added := now.Add(-now.Sub(r.added))
	fresh, repeated := r.judge(start, added)
	switch {
	case repeated && !r.job.again:
		r.miss(start, end, "the clock stepped back and the job had this interval already")
		return
	case !fresh && !repeated:
		return
	case !r.running.CompareAndSwap(false, true):
		r.miss(start, end, "the job is still busy with the interval before")
		return
	}
	defer r.running.Store(false)
	r.job.Run(ctx, start, end)
}

// judge tells whether the job may have the interval: it is fresh when the job
// was there at its beginning, and repeated when the job had it, or a later one,
// a little while ago. A fresh one is remembered.
func (r *runner) judge(start, added time.Time) (fresh, repeated bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch behind := r.last.Sub(start); {
	case r.last.IsZero() && start.Before(added):
		return false, false
	case !r.last.IsZero() && behind >= 0 && behind <= repeatWindow:
		return false, true
	}
	r.last = start
	return true, false
}

func (r *runner) miss(start, end time.Time, why string) {
	r.log.Warn("an interval is missed", "job", r.job.Name, "interval", start, "because", why)
	if r.job.Missed != nil {
		r.job.Missed(start, end)
	}
}

// grid is the timetable as gocron wants it.
type grid struct {
	timetable Timetable
	offset    time.Duration
	clock     clockwork.Clock
}

func (g grid) IsValid(string, *time.Location, time.Time) error { return nil }

// Next is the moment after last at which the job is due. gocron counts on from
// what it scheduled before, and would wait for the old time to come again after
// the clock stepped back: what lies more than a few intervals ahead is counted
// from now instead. (From the very next one would not do: gocron asks on until
// it is given a moment that it has not scheduled yet.)
func (g grid) Next(last time.Time) time.Time {
	now := g.clock.Now()
	limit := now
	for range 4 {
		limit = g.after(limit)
	}
	if last.After(limit) {
		return g.after(now)
	}
	return g.after(last)
}

func (g grid) after(t time.Time) time.Time {
	return g.timetable.Next(t.Add(-g.offset)).Add(g.offset)
}

// Run is a scheduler of one job, from now until the context ends. It is for
// what has to happen again and again rather than once in each interval: a clock
// that steps back does not keep it from running.
func Run(ctx context.Context, clock clockwork.Clock, log *slog.Logger, job Job) error {
	s, err := New(clock, log)
	if err != nil {
		return err
	}
	job.again = true
	if err := s.Add(job); err != nil {
		return errors.Join(err, s.Close())
	}
	<-ctx.Done()
	return s.Close()
}
