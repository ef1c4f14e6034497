package reflector

import (
	"net/netip"
	"time"

	"ixpqos/internal/ippm"
)

// Expectation is that a source sends packets of a test to an own address, from
// so many ports.
type Expectation struct {
	Test     string
	DSCP     uint8
	Interval time.Duration
	// Source is the name of the sender, and Address its address.
	Source    string
	Address   netip.Addr
	Local     netip.Addr
	FirstPort uint16
	Flows     int
}

func (e Expectation) family() uint8 {
	if e.Address.Is4() {
		return 4
	}
	return 6
}

// kept is how many intervals are counted at once. What was heard is asked for
// when an interval is settled, five seconds after its end; until then the next
// has run on or is over, and a clock may be ahead.
const kept = 4

// maxApart is how far the clocks of two ends may be apart: with more it is not
// known which interval was heard.
const maxApart = 3 * time.Second

const clockApart = "its clock is more than 3 s away from the own one: see that NTP sets both"

// never is the beginning of what is not listened to.
const never = int64(1<<63 - 1)

// expected is an expectation and what came of it.
type expected struct {
	Expectation
	// since is the moment, in nanoseconds of Unix time, from which on all was
	// heard.
	since int64
	// given is the newest interval that was told of.
	given    int64
	flows    []flow
	spoiled  [kept]spoiling
	troubled bool
}

// spoiling says why it is not known what was heard in an interval.
type spoiling struct {
	interval int64
	why      string
}

// flow is what was heard of one port, by the interval's number.
type flow [kept]count

type count struct {
	interval        int64
	heard, answered int
}

func newExpected(e Expectation) *expected {
	return &expected{Expectation: e, since: never, flows: make([]flow, e.Flows)}
}

// number is that of the interval with a moment in it.
func (e *expected) number(unixNano int64) int64 { return unixNano / int64(e.Interval) }

// of gives the count of an interval, or nil where it is too old.
func (f *flow) of(interval int64) *count {
	c := &f[uint64(interval)%kept]
	if c.interval < interval {
		*c = count{interval: interval}
	}
	if c.interval > interval {
		return nil
	}
	return c
}

func (e *expected) spoil(interval int64, why string) {
	if s := &e.spoiled[uint64(interval)%kept]; s.interval < interval {
		*s = spoiling{interval: interval, why: why}
	}
}

// maxStep is a step of the own clock that changes which interval it is.
const maxStep = time.Second

// see begins to count anew where the own clock was stepped.
func (r *Reflector) see(m moment) {
	step := time.Duration(m.wall-r.seen.wall) - (m.since - r.seen.since)
	r.seen = m
	if step < maxStep && step > -maxStep {
		return
	}
	for _, e := range r.expected {
		if e.since != never {
			e.since = m.wall
		}
		e.given, e.spoiled = 0, [kept]spoiling{}
		clear(e.flows)
	}
}

// spoil notes that a packet of now was not heard.
func (s *source) spoil(m moment, why string) {
	for _, e := range s.expected {
		e.spoilAround(m.wall, why)
	}
}

// spoilAround spoils the intervals that a packet of about now may belong to.
func (e *expected) spoilAround(wall int64, why string) {
	for _, at := range []int64{wall - int64(maxApart), wall, wall + int64(maxApart)} {
		e.spoil(e.number(at), why)
	}
}

// hear counts a packet in the interval of the timestamp that it carries, and
// gives the count that its answer belongs to; nil where it is not counted.
func (s *session) hear(q *request) *count {
	if s.flow == nil || !s.window.add(q.Sequence) {
		return nil
	}
	sent := q.Sent.UnixNano(q.Error.Format(), q.At)
	apart := time.Duration(q.At - sent)
	if apart > maxApart || apart < -maxApart {
		s.expected.spoilAround(q.At, clockApart)
		return nil
	}
	c := s.flow.of(s.expected.number(sent))
	if c != nil {
		c.heard++
	}
	return c
}

// Heard gives what was heard of the interval of a test that begins at a moment,
// once, in the order of Expect: of the sources of which that is known. It is
// called when the interval is settled.
func (r *Reflector) Heard(test string, start time.Time) (all []ippm.Heard) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.expected {
		if e.Test != test {
			continue
		}
		interval := e.number(start.UnixNano())
		if e.knows(interval, start) {
			all = append(all, e.heard(interval, start, r.host.Name))
		}
		r.tellSpoiled(e, interval)
		e.given = max(e.given, interval)
	}
	return all
}

// knows tells whether all of an interval was heard, even where the source's
// clock is ahead, and is still there.
func (e *expected) knows(interval int64, start time.Time) bool {
	if start.Add(-maxApart).UnixNano() < e.since || interval <= e.given || e.why(interval) != "" {
		return false
	}
	for i := range e.flows {
		if e.flows[i].of(interval) == nil {
			return false
		}
	}
	return true
}

// why gives why an interval is spoiled, or one so much later that it is
// forgotten whether; empty where it is not.
func (e *expected) why(interval int64) string {
	if s := e.spoiled[uint64(interval)%kept]; s.interval >= interval {
		return s.why
	}
	return ""
}

func (e *expected) heard(interval int64, start time.Time, self string) ippm.Heard {
	h := ippm.Heard{
		ID: ippm.ID{
			Series: ippm.Series{Source: e.Source, Target: self, Test: e.Test, Family: e.family(), DSCP: e.DSCP},
			Start:  start,
		},
		Length: e.Interval,
		Flows:  make([]ippm.HeardFlow, len(e.flows)),
	}
	for i := range e.flows {
		c := e.flows[i].of(interval)
		h.Flows[i] = ippm.HeardFlow{Port: e.FirstPort + uint16(i), Heard: c.heard, Answered: c.answered}
	}
	return h
}
