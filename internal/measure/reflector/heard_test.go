package reflector

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ixpqos/infra/simulation"
	"ixpqos/internal/ippm"
	"ixpqos/internal/measure/timestamp"
)

const interval = 10 * time.Second

func (w *world) expectation() Expectation {
	return Expectation{
		Test: "fabric", DSCP: 46, Interval: interval, Source: "far", Address: w.sender, Local: w.localAddress(),
		FirstPort: 1001, Flows: 3,
	}
}

// heard asks for the interval that begins so long after the beginning.
func (w *world) heard(after time.Duration) (of []ippm.Heard) {
	start := simulation.Start.Add(after)
	for _, h := range w.Heard("fabric", start) {
		if h.Start.Equal(start) {
			of = append(of, h)
		}
	}
	return of
}

// flowsHeard asks for the flows of an interval that must be known.
func (w *world) flowsHeard(t *testing.T, after time.Duration) []ippm.HeardFlow {
	t.Helper()
	all := w.heard(after)
	if len(all) != 1 {
		t.Fatalf("what was heard from %v on is of %d sources; want 1", after, len(all))
	}
	return all[0].Flows
}

// at lets time pass until so long after the beginning.
func (w *world) at(t *testing.T, after time.Duration) {
	t.Helper()
	w.pass(t, after-w.virtual.Elapsed())
}

// tell sends a packet of now, and takes its reply.
func (e *end) tell(t *testing.T, sequence uint32, ssid uint16) {
	t.Helper()
	e.send(t, -1, packetAt(e.far.Now(), sequence, ssid))
	for range 2 { // twice over, where copies came
		if _, err := e.socket.Receive(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestHeardIsOfWholeIntervals(t *testing.T) {
	w := virtual(t)
	e := w.end(t, w.sender, 1002)
	w.at(t, 2*time.Second)
	w.Expect([]Expectation{w.expectation()})
	for sequence := range uint32(20) {
		w.at(t, time.Duration(3+2*sequence)*time.Second)
		e.tell(t, sequence, 1)
		switch w.virtual.Elapsed().Truncate(time.Second) {
		case 15 * time.Second:
			if got := w.heard(0); len(got) != 1 || got[0].Flows[0] != ippm.Missed(ippm.Unheard) {
				t.Errorf("of an interval that had begun before: %+v", got)
			}
		case 25 * time.Second:
			want := []ippm.Heard{{
				ID: ippm.ID{
					Series: ippm.Series{Source: "far", Target: "self", Test: "fabric", Family: 4, DSCP: 46},
					Start:  simulation.Start.Add(10 * time.Second),
				},
				Length: interval,
				Flows:  []ippm.HeardFlow{{Port: 1001}, {Port: 1002, Heard: 5, Answered: 5}, {Port: 1003}},
			}}
			got := w.heard(10 * time.Second)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("want - got +:\n%s", diff)
			}
			if err := got[0].Check(); err != nil {
				t.Error(err)
			}
			if again := w.heard(10 * time.Second); again != nil {
				t.Errorf("a second time: %+v", again)
			}
		}
	}
	if other := w.Heard("other", simulation.Start.Add(20*time.Second)); other != nil {
		t.Errorf("of a test that is not expected: %+v", other)
	}
}

// TestAPacketBelongsToTheIntervalOfItsTimestamp at the edge of two, with a clock
// that is two seconds behind.
func TestAPacketBelongsToTheIntervalOfItsTimestamp(t *testing.T) {
	w := virtual(t)
	w.Expect([]Expectation{w.expectation()})
	e := w.end(t, w.sender, 1001)
	w.far.Step(-2 * time.Second)
	for i, at := range []time.Duration{19 * time.Second, 21 * time.Second, 23 * time.Second} {
		w.at(t, at)
		e.tell(t, uint32(i), 1)
	}
	w.at(t, 35*time.Second)
	if n := w.flowsHeard(t, 10*time.Second)[0].Heard; n != 2 {
		t.Errorf("%d in the first; want 2", n)
	}
	w.at(t, 45*time.Second)
	if n := w.flowsHeard(t, 20*time.Second)[0].Heard; n != 1 {
		t.Errorf("%d in the second; want 1", n)
	}
}

func TestCopiesAreHeardOnceAndSendersMayBeginAnew(t *testing.T) {
	w := virtual(t)
	w.Expect([]Expectation{w.expectation()})
	heal := w.virtual.Impair(simulation.Impairment{Of: simulation.From(w.sender), Duplication: 1})
	e := w.end(t, w.sender, 1001)
	w.at(t, 12*time.Second)
	for sequence := range uint32(5) {
		e.tell(t, sequence, 1)
	}
	heal()
	for sequence := range uint32(3) {
		e.tell(t, sequence, 2)
	}
	e.tell(t, 4, 1)
	if s := w.Stats(); s.Answered != 14 {
		t.Errorf("%d answers; want one to each copy", s.Answered)
	}
	w.at(t, 25*time.Second)
	if got := w.flowsHeard(t, 10*time.Second)[0]; got.Heard != 8 || got.Answered != 8 {
		t.Errorf("%+v; want 8", got)
	}
}

func TestHeardButNotAnswered(t *testing.T) {
	w := virtual(t)
	w.Expect([]Expectation{w.expectation()})
	e := w.end(t, w.sender, 1003)
	w.at(t, 12*time.Second)
	e.tell(t, 0, 1)
	w.self.Refuse = refuseAll
	e.tell(t, 1, 1)
	w.self.Refuse = nil
	w.perPacket = burst + 1
	e.tell(t, 2, 1)
	w.at(t, 25*time.Second)
	if got := w.flowsHeard(t, 10*time.Second)[2]; got.Heard != 3 || got.Answered != 1 {
		t.Errorf("%+v; want 3 heard, 1 answered", got)
	}
}

// TestAClockThatIsFarAway leaves nothing to be said, and is told of until it is
// right again.
func TestAClockThatIsFarAway(t *testing.T) {
	const subject = "heard of far in test fabric over IPv4"
	for _, step := range []time.Duration{4 * time.Second, -4 * time.Second, 1000 * time.Hour} {
		w := virtual(t)
		w.Expect([]Expectation{w.expectation()})
		e := w.end(t, w.sender, 1001)
		w.at(t, 15*time.Second)
		w.far.Step(step)
		e.tell(t, 0, 1)
		w.far.Step(-step)
		for i := range 3 {
			w.at(t, time.Duration(25+10*i)*time.Second)
			e.tell(t, uint32(1+i), 1)
		}
		if got := w.heard(10 * time.Second); got != nil {
			t.Errorf("%v away: %+v", step, got)
		}
		if w.trouble.sentence(subject) == "" {
			t.Errorf("%v away: nobody is told: %v", step, w.trouble.told)
		}
		if got := w.flowsHeard(t, 20*time.Second)[0]; got.Heard != 1 {
			t.Errorf("%v away, an interval later: %+v", step, got)
		}
		if s := w.trouble.sentence(subject); s != "" {
			t.Errorf("%v away, an interval later: %s", step, s)
		}
	}
}

// TestWhatIsNoMoreExpectedIsToldOf up to its last whole interval: that is settled
// some seconds after its end, when a changed test is expected in its place.
func TestWhatIsNoMoreExpectedIsToldOf(t *testing.T) {
	for what, change := range map[string]func(w *world){
		"a changed test": func(w *world) {
			changed := w.expectation()
			changed.Flows--
			w.Expect([]Expectation{changed})
		},
		"a probe that left": func(w *world) {
			w.SetAllowed(nil)
			w.Expect(nil)
		},
	} {
		w := virtual(t)
		w.Expect([]Expectation{w.expectation()})
		e := w.end(t, w.sender, 1001)
		w.at(t, 15*time.Second)
		e.tell(t, 0, 1)
		w.at(t, 24*time.Second)
		e.tell(t, 1, 1)
		change(w)
		w.at(t, 26*time.Second)
		if got := w.heard(10 * time.Second); len(got) != 1 || got[0].Flows[0] != (ippm.HeardFlow{Port: 1001, Heard: 1, Answered: 1}) {
			t.Errorf("%s: %+v", what, got)
		}
		w.at(t, 36*time.Second)
		for _, h := range w.heard(20 * time.Second) {
			if len(h.Flows) > 3 || h.Flows[0] != ippm.Missed(ippm.Unheard) {
				t.Errorf("%s: of the interval in which it changed: %+v", what, h)
			}
		}
	}
}

// TestTroubleEndsWithItsTest and with nothing less.
func TestTroubleEndsWithItsTest(t *testing.T) {
	w := virtual(t)
	w.Expect([]Expectation{w.expectation()})
	e := w.end(t, w.sender, 1001)
	w.at(t, 15*time.Second)
	w.far.Step(time.Hour)
	e.tell(t, 0, 1)
	w.at(t, 26*time.Second)
	w.heard(10 * time.Second)
	other := w.expectation()
	other.Test = "other"
	w.Expect([]Expectation{other, w.expectation()})
	if len(w.trouble.told) != 1 {
		t.Errorf("while the test is there: %v", w.trouble.told)
	}
	w.Expect([]Expectation{other})
	if len(w.trouble.told) != 0 {
		t.Errorf("when it is gone: %v", w.trouble.told)
	}
}

// TestTheClocksAreStepped away for some intervals and back in the midst of one.
func TestTheClocksAreStepped(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, -time.Hour, 4 * time.Second} {
		w := virtual(t)
		w.Expect([]Expectation{w.expectation()})
		e := w.end(t, w.sender, 1001)
		w.at(t, 12*time.Second)
		w.self.Step(step)
		e.tell(t, 0, 1)
		w.far.Step(step)
		for i := range uint32(4) {
			e.tell(t, 1+i, 1)
			w.pass(t, interval)
		}
		w.heard(step.Truncate(interval) + 20*time.Second)
		w.self.Step(-step)
		w.far.Step(-step)
		w.at(t, 65*time.Second)
		if got := w.heard(50 * time.Second); got != nil {
			t.Errorf("%v: %+v", step, got)
		}
		for i := range uint32(4) {
			start := time.Duration(70+10*i) * time.Second
			w.at(t, start+5*time.Second)
			e.tell(t, 100+i, 1)
			w.at(t, start+16*time.Second)
			if got := w.flowsHeard(t, start)[0]; got.Heard != 1 {
				t.Errorf("%v, from %v on: %+v", step, start, got)
			}
		}
	}
}

// TestWhatIsNotKnownIsNotSaid: packets that were dropped, or had no room, or
// could not come in, are not such as were not sent.
func TestWhatIsNotKnownIsNotSaid(t *testing.T) {
	for _, tc := range []struct {
		name string
		in   func(t *testing.T, w *world, e *end) // the interval from 10 s to 20 s
		want bool
	}{
		{"nothing happens", func(t *testing.T, w *world, e *end) {}, true},
		{"the buffer is full", func(t *testing.T, w *world, e *end) {
			w.self.Buffer = 1
			e.send(t, -1, packetAt(w.far.Now(), 0, 1), packetAt(w.far.Now(), 1, 1))
		}, false},
		{"the sessions are too many", func(t *testing.T, w *world, e *end) {
			w.end(t, w.sender, 5000).many(t, 0, maxSessionsOfSource, 200*time.Microsecond)
			e.tell(t, 0, 1)
		}, false},
		{"the source is not allowed", func(t *testing.T, w *world, e *end) {
			w.SetAllowed(nil)
			w.SetAllowed([]netip.Addr{w.sender})
		}, false},
		{"another is allowed", func(t *testing.T, w *world, e *end) {
			w.SetAllowed([]netip.Addr{w.sender, netip.MustParseAddr("192.0.2.1")})
		}, true},
		{"the socket is another", func(t *testing.T, w *world, e *end) {
			w.port.Detach()
			_ = w.port.socket.Close()
			w.listen(t)
		}, false},
		{"the test has changed", func(t *testing.T, w *world, e *end) {
			changed := w.expectation()
			changed.Flows++
			w.Expect([]Expectation{changed})
		}, false},
		{"another test has come", func(t *testing.T, w *world, e *end) {
			other := w.expectation()
			other.Test, other.FirstPort = "other", 2000
			w.Expect([]Expectation{other, w.expectation()})
		}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := virtual(t)
			w.Expect([]Expectation{w.expectation()})
			e := w.end(t, w.sender, 1001)
			w.at(t, 12*time.Second)
			tc.in(t, w, e)
			w.at(t, 26*time.Second)
			e.tell(t, 7, 1)
			got := w.heard(10 * time.Second)
			if len(got) != 1 || (got[0].Flows[0].Port != 0) != tc.want {
				t.Errorf("%+v", got)
			}
			w.at(t, 46*time.Second)
			if n := w.flowsHeard(t, 30*time.Second)[0].Heard; n != 0 {
				t.Errorf("%d heard in a silent interval", n)
			}
		})
	}
}

// TestOnlyAFewIntervalsAreKept: what nobody asked for in time is forgotten, and
// not taken for silence.
func TestOnlyAFewIntervalsAreKept(t *testing.T) {
	w := virtual(t)
	w.Expect([]Expectation{w.expectation()})
	e := w.end(t, w.sender, 1001)
	for i := range uint32(kept + 2) {
		w.at(t, time.Duration(15+10*i)*time.Second)
		e.tell(t, i, 1)
	}
	for i := range kept + 2 {
		start := time.Duration(10+10*i) * time.Second
		if got := w.heard(start); (got != nil) != (i >= 2) {
			t.Errorf("from %v on: %+v", start, got)
		}
	}
}

// TestHeardInRealTime has the reflector believe, but for the kernel's stamps,
// that it is the day before yesterday, so that today is a whole interval.
func TestHeardInRealTime(t *testing.T) {
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			w := real(t, netip.MustParseAddr(f.reflector), netip.MustParseAddr(f.sender))
			e := w.end(t, w.sender, 0)
			const day = 24 * time.Hour
			w.mu.Lock()
			w.host.Wall = func() int64 { return timestamp.Now() - int64(2*day) }
			w.mu.Unlock()
			x := Expectation{
				Test: "fabric", Interval: day, Source: "far", Address: w.sender, Local: w.port.local.Addr(),
				FirstPort: e.socket.Local().Port(), Flows: 1,
			}
			w.Expect([]Expectation{x})
			today := time.Now().Truncate(day)
			for i := range uint32(5) {
				e.ask(t, packetAt(min(timestamp.Now(), today.Add(day).UnixNano()-1), i, 1))
			}
			all := w.Heard("fabric", today)
			if all = all[max(len(all)-1, 0):]; len(all) != 1 || all[0].Family != x.family() || all[0].Flows[0] != (ippm.HeardFlow{Port: x.FirstPort, Heard: 5, Answered: 5}) {
				t.Errorf("%+v", all)
			}
		})
	}
}

// TestPacketsThatWereKeptAreHeardAndNotAnswered: a host that stood still
// answers what waited for it, but nobody waits for that any more.
func TestPacketsThatWereKeptAreHeardAndNotAnswered(t *testing.T) {
	w := virtual(t)
	e := w.end(t, w.sender, 1001)
	w.Expect([]Expectation{w.expectation()})
	w.at(t, 12*time.Second)
	e.tell(t, 0, 1)
	e.socket.Send([]timestamp.Outgoing{{To: w.port.local, Payload: packetAt(e.far.Now(), 1, 1), TOS: -1}})
	w.virtual.Advance(3 * time.Second) // without a drain
	w.at(t, 25*time.Second)
	want := []ippm.HeardFlow{{Port: 1001, Heard: 2, Answered: 1}, {Port: 1002}, {Port: 1003}}
	if diff := cmp.Diff(want, w.flowsHeard(t, interval)); diff != "" {
		t.Errorf("want - got +:\n%s", diff)
	}
}
