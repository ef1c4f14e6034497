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
// has run on or is over, and a clock may be ahead. A host that stood still finds
// in its buffers what came meanwhile: of a minute, where intervals are shortest.
const kept = 16

// maxApart is how far the clocks of two ends may be apart: with more it is not
// known which interval was heard.
const maxApart = 3 * time.Second

const (
	clockApart   = "its clock is more than 3 s away from the own one: see that NTP sets both"
	clockStepped = "the own clock was stepped"
)

// never is the beginning of what is not listened to.
const never = int64(1<<63 - 1)

// expected is an expectation and what came of it.
type expected struct {
	Expectation
	// since and until are the moments, in nanoseconds of Unix time, between which
	// was listened.
	since, until int64
	// given is the newest interval that was told of.
	given    int64
	flows    []flow
	missed   [kept]missing
	spoiled  [kept]spoiling
	troubled bool
}

// missing is how many packets of an interval this host may have missed.
type missing struct {
	interval int64
	packets  int
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
	heard, answered uint32
}

func newExpected(x Expectation, wall int64) *expected {
	e := &expected{Expectation: x, since: never, until: never, flows: make([]flow, x.Flows)}
	e.given = e.number(wall) - 1
	return e
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
	r.left = nil
	for _, e := range r.expected {
		e.spoiled, e.missed = [kept]spoiling{}, [kept]missing{}
		clear(e.flows)
		e.given = e.number(m.wall) - 1
		e.spoilAround(m.wall, clockStepped)
		if e.listening() {
			e.since = m.wall
		}
	}
}

// listening tells whether packets may come.
func (e *expected) listening() bool { return e.since != never && e.until == never }

// miss notes that a packet that arrived at a moment was not heard.
func (s *source) miss(at int64) {
	for _, e := range s.expected {
		e.miss(at, at, 1)
	}
}

// miss notes that so many packets were not heard, which came between two moments.
func (e *expected) miss(from, to int64, packets int) {
	last := e.number(to + int64(maxApart))
	for i := max(e.number(from-int64(maxApart)), last-kept+1); i <= last; i++ {
		switch m := &e.missed[uint64(i)%kept]; {
		case m.interval < i:
			*m = missing{interval: i, packets: packets}
		case m.interval == i:
			m.packets += packets
		}
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
	if !s.follow(q.Sequence, q.Request.Sent) || s.flow == nil {
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

// Heard gives what was heard of the interval of a test that begins at a moment, and
// of those before it that were not told of, since this host stood still: each once,
// in the order of Expect. It is called when the interval is settled. What is not
// known is left out; what this host may have missed is told with it (ippm.Missed).
func (r *Reflector) Heard(test string, start time.Time) (all []ippm.Heard) {
	r.mu.Lock()
	defer r.unlock()
	for _, e := range r.left {
		if e.Test == test {
			all = append(all, e.give(min(e.number(start.UnixNano()), e.number(e.until)-1), r.host.Name)...)
		}
	}
	for _, e := range r.expected {
		if e.Test == test {
			last := e.number(start.UnixNano())
			all = append(all, e.give(last, r.host.Name)...)
			r.tellSpoiled(e, last)
		}
	}
	return all
}

// Rest gives what was heard and not told of until now, of the interval under way
// too, of all tests. It is called at the end, after Close.
func (r *Reflector) Rest() (all []ippm.Heard) {
	r.mu.Lock()
	defer r.unlock()
	for _, e := range r.left {
		all = append(all, e.give(e.number(e.until)-1, r.host.Name)...)
	}
	for _, e := range r.expected {
		all = append(all, e.give(e.number(r.host.Wall()), r.host.Name)...)
	}
	return all
}

// give gives what is known of intervals up to one, each once.
func (e *expected) give(last int64, self string) (all []ippm.Heard) {
	for i := max(e.given, last-kept) + 1; i <= last; i++ {
		if e.knows(i) {
			all = append(all, e.heard(i, self))
		}
	}
	e.given = max(e.given, last)
	return all
}

// knows tells whether it is known what was heard of an interval, and still there.
func (e *expected) knows(interval int64) bool {
	if e.why(interval) != "" {
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

// mayHaveMissed is how many packets of an interval came to this host and were not
// heard, at most: any number where it was not listened all the time, and as long
// before and after it as the source's clock may be apart.
func (e *expected) mayHaveMissed(interval int64) int {
	start := interval * int64(e.Interval)
	if e.since > start-int64(maxApart) || e.until < start+int64(e.Interval+maxApart) {
		return ippm.Unheard
	}
	if m := e.missed[uint64(interval)%kept]; m.interval == interval {
		return m.packets
	}
	return 0
}

func (e *expected) heard(interval int64, self string) ippm.Heard {
	h := ippm.Heard{
		ID: ippm.ID{
			Series: ippm.Series{Source: e.Source, Target: self, Test: e.Test, Family: e.family(), DSCP: e.DSCP},
			Start:  time.Unix(0, interval*int64(e.Interval)).UTC(),
		},
		Length: e.Interval,
		Flows:  make([]ippm.HeardFlow, 0, 1+len(e.flows)),
	}
	if missed := e.mayHaveMissed(interval); missed > 0 {
		h.Flows = append(h.Flows, ippm.Missed(missed))
	}
	for i := range e.flows {
		c := e.flows[i].of(interval)
		h.Flows = append(h.Flows, ippm.HeardFlow{Port: e.FirstPort + uint16(i), Heard: int(c.heard), Answered: int(c.answered)})
	}
	return h
}
