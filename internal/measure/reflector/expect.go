package reflector

import (
	"fmt"
	"net/netip"
	"slices"
)

// Expect says what is to be counted. What has not changed is counted on; what is
// not asked for any more is told of up to its last whole interval.
func (r *Reflector) Expect(expectations []Expectation) {
	r.mu.Lock()
	defer r.unlock()
	before := r.expected
	r.expected = make([]*expected, 0, len(expectations))
	for _, x := range expectations {
		x.Address, x.Local = x.Address.Unmap(), x.Local.Unmap()
		i := slices.IndexFunc(before, func(e *expected) bool { return e.Expectation == x })
		if i < 0 {
			r.expected = append(r.expected, newExpected(x, r.host.Wall()))
			continue
		}
		r.expected = append(r.expected, before[i])
		before = slices.Delete(before, i, i+1)
	}
	r.leave(before)
	r.resolve()
}

// leave counts no more of what is expected. What was heard of it until now is
// still to be told: its intervals are settled some seconds after their ends.
func (r *Reflector) leave(left []*expected) {
	now := r.host.Wall()
	r.left = slices.DeleteFunc(r.left, func(e *expected) bool { return e.number(now)-e.number(e.until) > kept })
	for _, e := range left {
		r.tell(e, "")
		e.until = min(e.until, now)
		if e.since < e.until {
			r.left = append(r.left, e)
		}
	}
}

// resolve finds for every session what is expected of it, and notes from when on
// it is listened for, and its packets are allowed.
func (r *Reflector) resolve() {
	now := r.host.Wall()
	for _, s := range r.sources {
		s.expected = nil
	}
	for _, e := range r.expected {
		from := r.sources[e.Address]
		hears := from != nil && r.listensOn(e.Local)
		switch {
		case hears && !e.listening():
			e.since, e.until = now, never
		case !hears && e.listening():
			e.until = now
		}
		if !hears {
			continue
		}
		from.expected = append(from.expected, e)
	}
	for _, s := range r.sessions.byKey {
		s.expected, s.flow = s.source.flowOf(s.key)
	}
}

func (r *Reflector) listensOn(a netip.Addr) bool {
	return slices.ContainsFunc(r.attached, func(p *Port) bool { return p.local.Addr() == a })
}

// flowOf finds what a session is expected to be; nil where it is not.
func (s *source) flowOf(k key) (*expected, *flow) {
	for _, e := range s.expected {
		n := int(k.from.Port()) - int(e.FirstPort)
		if e.Local == k.port.local.Addr() && n >= 0 && n < e.Flows {
			return e, &e.flows[n]
		}
	}
	return nil, nil
}

// tellSpoiled tells why an interval is not known, and when the next one is.
func (r *Reflector) tellSpoiled(e *expected, interval int64) {
	why := e.why(interval)
	if why != "" {
		why = fmt.Sprintf("what %q sends in test %q is not counted: %s", e.Source, e.Test, why)
	}
	r.tell(e, why)
}

func (r *Reflector) tell(e *expected, sentence string) {
	if sentence == "" && !e.troubled {
		return
	}
	e.troubled = sentence != ""
	r.notices = append(r.notices, notice{fmt.Sprintf("heard of %s in test %s over IPv%d", e.Source, e.Test, e.family()), sentence})
}
