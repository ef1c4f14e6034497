package ping

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"

	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
	"ixpqos/internal/measure/trouble"
	"ixpqos/internal/schedule"
)

// What a probe does at most, whatever its configuration asks for, beside the
// bounds of an inventory.
const (
	maxPairs     = inventory.MaxPairs
	maxPerSecond = inventory.MaxPacketsPerSecond
	maxSpacing   = inventory.MaxSpacing
)

// Engine runs the ICMP tests of a probe's configuration.
type Engine struct {
	// Clock and Log are required.
	Clock clockwork.Clock
	Log   *slog.Logger
	// Trouble is told, by subject, what is wrong with a test, and an empty
	// sentence once it is over.
	Trouble func(subject, sentence string)
	// Missed is told of every round that could not start in its interval, or was
	// cut short.
	Missed func()

	names Names
	mu    sync.Mutex
	part  inventory.Part
	jobs  map[string]when // by test
	// troubled are the tests that trouble was told of.
	troubled map[string]bool
}

// when is all that makes a running job another one: the rest of a test is
// taken up by its next round.
type when struct {
	timetable string
	offset    time.Duration
}

// Run measures until the context ends, by the newest part that came, and hands
// every interval's results to emit. Tests that a new part does not change run
// on untouched. A nil error is the context's end.
func (e *Engine) Run(ctx context.Context, parts <-chan inventory.Part, emit func(context.Context, ippm.Batch) error) error {
	end, err := keepStamping()
	if err != nil {
		return err
	}
	defer end()
	scheduler, err := schedule.New(e.Clock, e.Log)
	if err != nil {
		return err
	}
	e.jobs, e.troubled = map[string]when{}, map[string]bool{}
	for {
		select {
		case <-ctx.Done():
			return scheduler.Close()
		case part := <-parts:
			e.apply(part, scheduler, emit)
		}
	}
}

func (e *Engine) apply(part inventory.Part, scheduler *schedule.Scheduler, emit func(context.Context, ippm.Batch) error) {
	e.mu.Lock()
	e.part = part
	e.mu.Unlock()
	wanted := map[string]bool{}
	for _, test := range part.Tests {
		if test.Kind != inventory.KindICMP {
			continue
		}
		if err := e.start(test, part, scheduler, emit); err != nil {
			e.tell(test.Name, fmt.Sprintf("test %q is not run: %v", test.Name, err))
			continue
		}
		wanted[test.Name] = true
	}
	for name := range e.jobs {
		if !wanted[name] {
			scheduler.Remove(name)
			delete(e.jobs, name)
		}
	}
	e.forget(part)
}

// forget ends the troubles of tests that are no more.
func (e *Engine) forget(part inventory.Part) {
	e.mu.Lock()
	names := slices.Collect(maps.Keys(e.troubled))
	e.mu.Unlock()
	for _, name := range names {
		if _, ok := testOf(part, name); !ok {
			e.tell(name, "")
		}
	}
}

func (e *Engine) start(test inventory.Test, part inventory.Part, scheduler *schedule.Scheduler, emit func(context.Context, ippm.Batch) error) error {
	pairs := len(part.Pairs(test))
	timetable, err := fit(test, pairs)
	if err != nil {
		return err
	}
	slack := timetable.Shortest() - test.RoundTime(pairs)
	job := when{
		timetable: fmt.Sprint(test.Every, test.Cron),
		// A tenth of the slack is left for a round that starts late.
		offset: schedule.Spread(slack*9/10, part.Probe, test.Name),
	}
	if running, ok := e.jobs[test.Name]; ok && running == job {
		return nil
	}
	err = scheduler.Add(schedule.Job{
		Name:      test.Name,
		Timetable: timetable,
		Offset:    job.offset,
		Run:       func(ctx context.Context, start, end time.Time) { e.round(ctx, test.Name, start, end, emit) },
		Missed:    func(time.Time, time.Time) { e.Missed() },
	})
	if err != nil {
		return err
	}
	e.jobs[test.Name] = job
	return nil
}

// Fits tells why the engine would not run a test over so many pairs.
func Fits(t inventory.Test, pairs int) error {
	_, err := fit(t, pairs)
	return err
}

func fit(t inventory.Test, pairs int) (schedule.Timetable, error) {
	if err := Check(t, pairs); err != nil {
		return schedule.Timetable{}, err
	}
	timetable, err := t.Timetable()
	if err == nil && timetable.Shortest() < t.RoundTime(pairs)+inventory.MinSlack {
		err = fmt.Errorf("a round over %d pairs takes %v and does not fit its interval of %v", pairs, t.RoundTime(pairs), timetable.Shortest())
	}
	return timetable, err
}

// Check refuses one round of what no exchange means, but a mistake or a stolen
// server might ask for.
func Check(t inventory.Test, pairs int) error {
	switch {
	case pairs > maxPairs:
		return fmt.Errorf("%d pairs are more than the %d that a probe measures", pairs, maxPairs)
	case t.Count < 1 || t.Count > inventory.MaxCount:
		return fmt.Errorf("count %d is not 1 to %d", t.Count, inventory.MaxCount)
	case t.Size < inventory.MinSize(t.Families) || t.Size > inventory.MaxSize:
		return fmt.Errorf("size %d is not %d to %d", t.Size, inventory.MinSize(t.Families), inventory.MaxSize)
	case t.Spacing < inventory.MinSpacing:
		return fmt.Errorf("spacing %v is below %v", t.Spacing, inventory.MinSpacing)
	case t.Spacing > maxSpacing:
		return fmt.Errorf("spacing %v is above %v", t.Spacing, maxSpacing)
	case t.Timeout <= inventory.LossThreshold || t.Timeout > inventory.MaxTimeout:
		return fmt.Errorf("timeout %v is not above %v and at most %v", t.Timeout, inventory.LossThreshold, inventory.MaxTimeout)
	case t.DSCP > 63:
		return fmt.Errorf("dscp %d is over 63", t.DSCP)
	case t.PacketRate(pairs) > maxPerSecond:
		return fmt.Errorf("%d pairs each %v are more than the %d packets a second that a probe sends", pairs, t.Spacing, maxPerSecond)
	}
	return nil
}

func (e *Engine) round(ctx context.Context, name string, start, end time.Time, emit func(context.Context, ippm.Batch) error) {
	e.mu.Lock()
	part := e.part
	e.mu.Unlock()
	test, ok := testOf(part, name)
	if !ok {
		return
	}
	pairs := part.Pairs(test)
	if e.Clock.Now().Add(test.RoundTime(len(pairs))).After(end) {
		e.Log.Warn("a round starts too late for its interval; it is missed", "test", name, "interval", start)
		e.Missed()
		return
	}
	measured, err := Round{Source: part.Probe, Test: test, Pairs: pairs, Interface: part.Interface, Names: &e.names, Start: start, Length: end.Sub(start)}.Run(ctx)
	switch {
	case ctx.Err() == nil:
		e.judge(name, measured, err)
	case cut(measured, test.Count): // which tells nothing of what is wrong, or no more
		e.Missed()
	}
	batch := ippm.Batch{Probe: part.Probe, Inventory: part.Inventory, Peers: part.PeerNames(), Start: start, Results: results(measured)}
	// The results must reach the spool even when the round was cut short.
	if err := emit(context.WithoutCancel(ctx), batch); err != nil {
		e.Log.Error("results could not be kept", "test", name, "interval", start, "error", err)
	}
}

// judge tells what is wrong with a round, or that nothing is any more.
func (e *Engine) judge(name string, measured []Measured, err error) {
	if err != nil {
		e.tell(name, fmt.Sprintf("test %q is not run: %v", name, err))
		return
	}
	e.tell(name, trouble.Sentence(name, wrong(measured)))
}

// results: a round that was cut short says nothing of pairs that it had not begun.
func results(measured []Measured) (all []ippm.Result) {
	for _, m := range measured {
		if m.Sent+m.Refused > 0 {
			all = append(all, m.Result)
		}
	}
	return all
}

// cut tells whether a round ended before all was sent.
func cut(measured []Measured, count int) bool {
	return slices.ContainsFunc(measured, func(m Measured) bool { return m.Sent+m.Refused < count })
}

func (e *Engine) tell(test, sentence string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, ok := testOf(e.part, test); !ok {
		sentence = "" // its last round ended after the test was taken away
	}
	if sentence == "" && !e.troubled[test] {
		return
	}
	e.troubled[test] = sentence != ""
	e.Trouble("test "+test, sentence)
}

func testOf(part inventory.Part, name string) (inventory.Test, bool) {
	for _, t := range part.Tests {
		if t.Name == name {
			return t, true
		}
	}
	return inventory.Test{}, false
}
