package sender

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"time"

	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
	"ixpqos/internal/measure/stamp"
	"ixpqos/internal/measure/timestamp"
	"ixpqos/internal/schedule"
)

// Tick is how often a Sender works. With the kernel's time at all four points
// longer ticks cost no accuracy and shorter ones only wake-ups.
const Tick = inventory.SenderTick

// Settings say for whom and with what a Sender works.
type Settings struct {
	// Name is the probe's.
	Name string
	// Open opens a socket, as timestamp.Open does.
	Open func(timestamp.Options) (Socket, error)
	// Clock tells whether this host's clock is synchronized and how wrong it may
	// be, as timestamp.ClockError does.
	Clock func() (synchronized bool, bound time.Duration)
	// Origin is a moment at which an interval begins, in nanoseconds of Unix time.
	// At 0 intervals are aligned to UTC, as all that are reported must be.
	Origin int64
	// Random gives any number: that of new sessions.
	Random func() uint16
	// Trouble is told, by subject, what is wrong with a test, and an empty
	// sentence once it is over.
	Trouble func(subject, sentence string)
	// Patience is for how long a target may say that nothing reflects there before
	// Trouble is told.
	Patience time.Duration
	// Missed, where it is set, is told of every interval that is not given: a clock
	// stepped in it, or it began while the process stood still.
	Missed func()
}

// Interval is what a test measured in one interval. Results is empty where the
// probe is no source of the test, and where the interval is not Whole: it is told
// of then for what others sent in it.
type Interval struct {
	Test    string
	Start   time.Time
	Length  time.Duration
	Whole   bool
	Results []ippm.Result
	// Lateness is how long after they were due packets left, in microseconds.
	Lateness ippm.Delay
}

// Sender measures by the newest part that Apply was given.
type Sender struct {
	settings Settings
	phase    int64 // of its ticks within the grid, in nanoseconds
	tests    []*test
	ending   []*test  // send no more, and have intervals to settle yet
	stopped  bool     // nothing is sent any more
	asked    []string // names of the tests of the newest part
	steps    steps
	tick     int64         // the newest that was worked on; 0 before the first
	ticked   time.Duration // when that was
	sent     bool          // whether there was where to send from then
	clockAt  time.Duration
	clock    stamp.ErrorEstimate
}

// New makes a Sender without tests.
func New(s Settings) *Sender {
	return &Sender{settings: s, phase: int64(schedule.Spread(Tick, s.Name))}
}

// Apply takes up a part. A test that has changed begins anew, once what it has
// measured is settled; all others run on, and only those pairs come or go that do.
func (s *Sender) Apply(part inventory.Part) {
	var running []*test
	rate := 0.0
	for _, plan := range part.Tests {
		if plan.Kind != inventory.KindSTAMP {
			continue
		}
		pairs := part.Pairs(plan)
		err := Check(plan, len(pairs))
		if err == nil { // only of a test that is fine is there a rate
			err = checkRate(rate + plan.PacketRate(len(pairs)))
		}
		if err != nil {
			s.settings.Trouble(subject(plan.Name), fmt.Sprintf("test %q is not run: %v", plan.Name, err))
			continue
		}
		rate += plan.PacketRate(len(pairs))
		t := s.running(plan, part)
		t.take(pairs, part.Peers)
		running = append(running, t)
	}
	for _, t := range s.tests {
		if !slices.Contains(running, t) {
			s.ending = append(s.ending, t)
		}
	}
	s.tests = running
	s.forget(part)
	for _, t := range running {
		s.openLanes(t)
		t.tellTrouble()
	}
}

// openLanes opens those of a test, but where one that is ending may have its ports
// still.
func (s *Sender) openLanes(t *test) {
	if !slices.ContainsFunc(s.ending, func(e *test) bool { return int(e.Port) <= t.LastPort() && int(t.Port) <= e.LastPort() }) {
		t.openLanes(s.settings.Open)
	}
}

// forget takes back what was told of tests that are in the part no more.
func (s *Sender) forget(part inventory.Part) {
	before := s.asked
	s.asked = nil
	for _, plan := range part.Tests {
		if plan.Kind == inventory.KindSTAMP {
			s.asked = append(s.asked, plan.Name)
		}
	}
	for _, name := range before {
		if !slices.Contains(s.asked, name) {
			s.settings.Trouble(subject(name), "")
		}
	}
}

// subject is none of a test of another kind, which may have had that name before.
func subject(test string) string { return "flows of test " + test }

// running is the test as it runs, or a new one where it has changed.
func (s *Sender) running(plan inventory.Test, part inventory.Part) *test {
	for _, t := range s.tests {
		if t.Name == plan.Name && t.same(plan, part) {
			return t
		}
	}
	t := newTest(plan, part, s.phase)
	t.random, t.origin, t.patience = s.settings.Random, s.settings.Origin, s.settings.Patience
	if t.missed = s.settings.Missed; t.missed == nil {
		t.missed = func() {}
	}
	t.tell = func(sentence string) { s.settings.Trouble(subject(plan.Name), sentence) }
	return t
}

// same tells whether a plan asks for what runs, its pairs aside.
func (t *test) same(plan inventory.Test, part inventory.Part) bool {
	plan.Sources, plan.Targets = t.Sources, t.Targets
	return t.netif == part.Interface && reflect.DeepEqual(t.addresses, part.Addresses) && reflect.DeepEqual(t.Test, plan)
}

// openLanes opens what is not open. What cannot be is said, and tried again when
// the next interval is given.
func (t *test) openLanes(open func(timestamp.Options) (Socket, error)) {
	t.failures = nil
	for _, l := range t.lanes {
		targets := t.targets(l.family)
		if l.socket != nil && (targets == 0 || l.refused >= lasting) {
			_ = l.socket.Close()
			l.socket, l.awaited, l.refused = nil, 0, 0
		}
		l.buffer = bufferFor(t.Test, targets)
		if l.socket != nil || targets == 0 {
			continue
		}
		if err := t.openLane(l, open); err != nil {
			t.failures = append(t.failures, failure{l.family, l.port, err})
		}
	}
}

// bufferFor is what one sending to so many targets needs, in bytes.
func bufferFor(t inventory.Test, targets int) int { return targets * (t.Size + overhead) }

func (t *test) targets(family uint8) (n int) {
	for _, p := range t.pairs {
		if p != nil && p.Family == family {
			n++
		}
	}
	return n
}

// idleTick is how often a Sender works that has nothing to send: it only tells
// one interval from the next, for what others sent in it.
const idleTick = 5 * Tick

// Wait is how long from a moment the next tick is away.
func (s *Sender) Wait(m Moment) time.Duration {
	every := int64(idleTick)
	if len(s.ending) > 0 || s.sends() || slices.ContainsFunc(s.tests, (*test).settles) {
		every = int64(Tick)
	}
	return time.Duration(every - (m.Wall-s.phase)%every)
}

// sends tells whether any test has where to send from.
func (s *Sender) sends() bool {
	return slices.ContainsFunc(s.tests, func(t *test) bool {
		return slices.ContainsFunc(t.lanes, func(l *lane) bool { return l.socket != nil })
	})
}

// settles tells whether pairs of an interval are settled, or wait for that.
func (t *test) settles() bool { return len(t.closed) > 0 && len(t.pairs) > 0 }

// Tick works: it takes what has come, sends what is due, and gives an interval
// to emit where one is settled. It may be called at any moment.
func (s *Sender) Tick(m Moment, emit func(Interval)) {
	m, stepped := s.steps.see(m)
	tick := (m.Wall - s.phase) / int64(Tick)
	sent := s.sent
	s.sent = s.sends()
	if stepped || !sent { // what nothing could be sent in is not caught up with
		s.tick = tick - 1
	}
	pause := m.Since - s.ticked
	s.ticked = m.Since
	s.readClock(m)
	for _, t := range s.tests {
		t.clock = s.clock
		t.drain(m)
		t.turn(m, stepped, pause)
	}
	s.windUp(m, stepped, pause, emit)
	// One tick may be caught up with, and no more: what was not sent is not sent.
	for n := max(s.tick+1, tick-1); n <= tick && !s.stopped; n++ {
		for _, t := range s.tests {
			t.send(m, n, n*int64(Tick)+s.phase)
		}
	}
	s.tick = max(s.tick, tick)
	for _, t := range s.tests {
		given := len(t.closed)
		t.settle(m, emit)
		if len(t.closed) < given {
			s.openLanes(t)
		}
	}
}

// windUp goes on with the tests that are ending, and lets others have the ports of
// those that have ended.
func (s *Sender) windUp(m Moment, stepped bool, pause time.Duration, emit func(Interval)) {
	if len(s.ending) == 0 {
		return
	}
	going := s.ending
	s.ending = nil
	for _, t := range going {
		t.clock = s.clock
		t.drain(m)
		if !t.ending {
			t.turn(m, stepped, pause)
			t.end()
		}
		for t.settlesAt(m) {
			t.settle(m, emit)
		}
		if len(t.closed) > 0 {
			s.ending = append(s.ending, t)
			continue
		}
		_ = t.close() // nothing is lost by it any more
	}
	for _, t := range s.tests {
		s.openLanes(t)
	}
}

// Stop has nothing sent any more: what was measured is given in the next ticks,
// until Ended. What nothing can be said of any more is missed.
func (s *Sender) Stop() {
	s.ending = append(s.ending, s.tests...)
	s.tests, s.stopped = nil, true
}

// Ended tells whether all that was measured is given. It is, LossThreshold and a
// few ticks after Stop.
func (s *Sender) Ended() bool { return s.stopped && len(s.ending) == 0 }

// clockEvery is how often the clock's error is asked for.
const clockEvery = 10 * time.Second

func (s *Sender) readClock(m Moment) {
	if s.clock != 0 && m.Since-s.clockAt < clockEvery {
		return
	}
	synchronized, bound := s.settings.Clock()
	s.clock, s.clockAt = stamp.NewErrorEstimate(synchronized, stamp.NTP, bound), m.Since
}

func (t *test) drain(m Moment) {
	t.misfits = 0
	for _, l := range t.lanes {
		// Where nothing more is sent, awaited may be too low: it is of the newest packets.
		if l.socket == nil || l.awaited <= 0 && !t.ending {
			continue
		}
		if err := l.drain(t, m); err != nil {
			t.failures = append(t.failures, failure{l.family, l.port, err})
			_ = l.socket.Close() // it is of no use any more, and will be opened anew
			l.socket, l.awaited = nil, 0
		}
	}
}

func (t *test) send(m Moment, tick, due int64) {
	period := int64(t.Spacing / Tick)
	for _, l := range t.lanes {
		if tick%period == l.offset {
			l.send(t, m, due)
		}
	}
}

// Close ends all tests at once, settled or not.
func (s *Sender) Close() (err error) {
	for _, t := range slices.Concat(s.tests, s.ending) {
		err = cmp.Or(err, t.close())
	}
	s.tests, s.ending = nil, nil
	s.forget(inventory.Part{})
	return err
}
