package reflector

import (
	"encoding/binary"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"ixpqos/infra/simulation"
	"ixpqos/internal/measure/timestamp"
)

func refuseAll(simulation.Packet) error { return syscall.ENOBUFS }

// many sends a packet of each of so many sessions from a simulated socket, d
// apart: slowly enough for the rate.
func (e *end) many(t *testing.T, first, count int, d time.Duration) (answered uint64) {
	t.Helper()
	before := e.Stats().Answered
	for i := range count {
		e.socket.Send([]timestamp.Outgoing{{To: e.port.local, Payload: packet(0, uint16(first+i)), TOS: -1}})
		e.pass(t, d)
	}
	answered = e.Stats().Answered - before
	e.replies(t, int(answered))
	return answered
}

func TestSilentSessionsEnd(t *testing.T) {
	w := virtual(t)
	e := w.end(t, w.sender, 1001)
	e.ask(t, packet(0, 1))
	w.pass(t, 5*time.Minute)
	e.ask(t, packet(0, 2))
	w.pass(t, maxAge-5*time.Minute-time.Second)
	if n := w.Stats().Sessions; n != 2 {
		t.Errorf("%d sessions before the first is too old", n)
	}
	w.pass(t, turnEvery*2)
	if n := w.Stats().Sessions; n != 1 {
		t.Errorf("%d sessions when the first is too old", n)
	}
	if r := e.ask(t, packet(1, 2)); r.Sequence != 1 {
		t.Errorf("the second: %+v", r)
	}
	if r := e.ask(t, packet(1, 1)); r.Sequence != 0 {
		t.Errorf("the first begins anew: %+v", r)
	}
}

func TestOneSourcesSessionsAreBounded(t *testing.T) {
	w := virtual(t)
	e := w.end(t, w.sender, 1001)
	if answered := e.many(t, 0, maxSessionsOfSource+100, time.Millisecond); answered != maxSessionsOfSource {
		t.Errorf("%d answered; want %d", answered, maxSessionsOfSource)
	}
	s := w.Stats()
	if s.Sessions != maxSessionsOfSource || s.NoRoom != 100 {
		t.Errorf("%+v", s)
	}
	if r := e.ask(t, packet(1, 0)); r.Sequence != 1 {
		t.Errorf("one that was there: %+v", r)
	}
	w.pass(t, 2*turnEvery)
	changes := w.trouble.changes
	if w.trouble.sentence("reflector") == "" {
		t.Error("nobody is told")
	}
	w.pass(t, idle)
	if answered := e.many(t, 10_000, 100, time.Millisecond); answered != 100 || w.Stats().Sessions != maxSessionsOfSource {
		t.Errorf("%d answered after the others were idle, %+v", answered, w.Stats())
	}
	if w.trouble.changes > changes+1 {
		t.Errorf("it was told %d times", w.trouble.changes-changes)
	}
}

// TestAllSessionsAreBounded: and of a full table it is the same source's idle
// session that makes room.
func TestAllSessionsAreBounded(t *testing.T) {
	w := virtual(t)
	var sources []netip.Addr
	var ends []*end
	for i := range 17 {
		a := netip.AddrFrom4([4]byte{198, 18, 1, byte(i)})
		host := w.virtual.Host(a)
		w.open = func(o timestamp.Options) (Socket, error) { return host.Open(o) }
		sources = append(sources, a)
		ends = append(ends, w.end(t, a, 1001))
	}
	w.SetAllowed(sources)
	var answered uint64
	for _, e := range ends {
		answered += e.many(t, 0, maxSessionsOfSource, 200*time.Microsecond)
	}
	if answered != maxSessions || w.Stats().Sessions != maxSessions {
		t.Errorf("%d answered, %+v; want %d", answered, w.Stats(), maxSessions)
	}
	last := ends[16]
	if got := last.many(t, 10_000, 10, time.Millisecond); got != 0 {
		t.Errorf("%d answered of a source without sessions, in a full table", got)
	}
	w.pass(t, 2*idle)
	ends[0].send(t, -1, packet(0, 9999))
	if got := w.Stats().Sessions; got != maxSessions {
		t.Errorf("%d sessions", got)
	}
	for slot, s := range w.sessions.bySlot {
		if s != nil && int(s.slot) != slot {
			t.Fatalf("slot %d holds the session of %d", slot, s.slot)
		}
	}
	if len(w.sessions.bySlot) > maxSessions {
		t.Errorf("%d slots", len(w.sessions.bySlot))
	}
}

// TestAStampOfWhatIsGone changes nothing.
func TestAStampOfWhatIsGone(t *testing.T) {
	w := virtual(t)
	e := w.end(t, w.sender, 1001)
	e.ask(t, packet(0, 1))
	w.mu.Lock()
	w.sessions.left(nobody, 1)
	w.sessions.left(5<<slotBits, 1)
	w.sessions.left(3, 1) // reply 3 of the session, which was not made yet
	w.mu.Unlock()
	if r := e.ask(t, packet(1, 1)); r.FollowUp.Sequence != 0 || r.FollowUp.Timestamp.UnixNano(0, w.host.Wall()) == 1 {
		t.Errorf("%+v", r.FollowUp)
	}
}

func TestWindow(t *testing.T) {
	var w window
	for i, step := range []struct {
		sequence uint32
		isNew    bool
	}{
		{1<<32 - 2, true}, {1<<32 - 2, false}, {1<<32 - 1, true}, {1, true}, {0, true}, {0, false}, {1, false},
		{63, true}, {64, true}, {1, false}, {2, true}, {2, false}, {127, true}, {65, true}, {64, false},
		{500, true}, {499, true}, {437, true}, {437, false},
		{436, true},                             // began anew
		{500, true}, {3 << 30, true}, {5, true}, // far apart
	} {
		if got := w.add(step.sequence); got != step.isNew {
			t.Errorf("step %d: %d is new: %t; want %t", i, step.sequence, got, step.isNew)
		}
	}
}

// TestTheKernelGivesPacketsBack: their IDs are found, in whatever order, and
// those of replies that nobody remembers are nobody's.
func TestTheKernelGivesPacketsBack(t *testing.T) {
	w := virtual(t)
	e := w.end(t, w.sender, 1001)
	const sent = 1100
	var payloads [][]byte
	for i := range sent {
		e.send(t, -1, packet(0, uint16(i)))
		payloads = append(payloads, e.replies(t, 1)[0].Payload)
	}
	remembered := len(w.port.sent.replies)
	want := func(i int) uint32 { return uint32(i) << slotBits }
	for _, i := range []int{sent - remembered, sent - 1, 500, 499, 501, sent - 1} {
		if id := w.port.sent.identify(payloads[i]); id != want(i) {
			t.Errorf("reply %d is %#x; want %#x", i, id, want(i))
		}
	}
	for _, payload := range [][]byte{payloads[0], nil, binary.BigEndian.AppendUint32(nil, 1)} {
		if id := w.port.sent.identify(payload); id != nobody {
			t.Errorf("%x is %#x; want nobody's", payload, id)
		}
	}
}

// TestASenderWithoutASessionIDBeginsAnew: its numbers and the reflector's are of
// the new session, and copies and packets that were overtaken begin none.
func TestASenderWithoutASessionIDBeginsAnew(t *testing.T) {
	type step struct {
		sequence uint32
		sent     time.Duration // after the beginning
		want     uint32
	}
	for name, steps := range map[string][]step{
		"at 0":                     {{0, 0, 0}, {1, 1, 1}, {2, 2, 2}, {0, 3, 0}, {1, 4, 1}, {2, 5, 2}},
		"at 0 after one":           {{0, 0, 0}, {0, 1, 0}, {1, 2, 1}},
		"at 1":                     {{1, 0, 0}, {2, 1, 1}, {1, 2, 0}},
		"behind the window":        {{1000, 5, 0}, {1001, 6, 1}, {900, 3, 0}, {901, 4, 1}},
		"a copy":                   {{0, 0, 0}, {1, 1, 1}, {0, 0, 2}, {1, 1, 3}, {2, 2, 4}},
		"overtaken":                {{0, 0, 0}, {2, 2, 1}, {1, 1, 2}, {3, 3, 3}},
		"the first is overtaken":   {{1, 1, 0}, {0, 0, 1}, {2, 2, 2}},
		"many are lost":            {{0, 0, 0}, {1000, 1, 1}, {1001, 2, 2}},
		"its number goes round":    {{1<<32 - 1, 0, 0}, {0, 1, 1}, {1, 2, 2}},
		"it has no clock":          {{0, 0, 0}, {1, 0, 1}, {0, 0, 0}, {1, 0, 1}},
		"its clock was stepped":    {{100, 9, 0}, {101, 10, 1}, {0, 2, 0}, {1, 3, 1}},
		"and again behind the end": {{0, 0, 0}, {1, 1, 1}, {2, 2, 2}, {0, 3, 0}, {1, 4, 1}, {0, 5, 0}},
	} {
		w := virtual(t)
		e := w.end(t, w.sender, 1001)
		start := w.far.Now()
		for i, s := range steps {
			if r := e.ask(t, packetAt(start+int64(s.sent*time.Millisecond), s.sequence, 0)); r.Sequence != s.want {
				t.Errorf("%s: packet %d, of number %d, got reply %d; want %d", name, i, s.sequence, r.Sequence, s.want)
			}
		}
	}
	w := virtual(t)
	e := w.end(t, w.sender, 1001)
	for i, sequence := range []uint32{0, 1, 0, 1} {
		if r := e.ask(t, packetAt(w.far.Now(), sequence, 7)); r.Sequence != uint32(i) {
			t.Errorf("with an SSID: reply %d; want %d", r.Sequence, i)
		}
	}
}

// TestNumbersCountWhatIsSent: a packet that is not answered has none.
func TestNumbersCountWhatIsSent(t *testing.T) {
	w := virtual(t)
	e := w.end(t, w.sender, 1001)
	e.ask(t, packet(0, 1))
	w.perPacket = burst + 1
	e.send(t, -1, packet(1, 1))
	w.perPacket = 0
	w.self.Refuse = refuseAll
	e.send(t, -1, packet(2, 1), packet(3, 1))
	w.self.Refuse = nil
	if r := e.ask(t, packet(4, 1)); r.Sequence != 1 {
		t.Errorf("reply %d; want 1", r.Sequence)
	}
	if s := w.Stats(); s.Received != 5 || s.OverRate != 1 || s.Refused != 2 || s.Answered != 2 {
		t.Errorf("%+v", s)
	}
}
