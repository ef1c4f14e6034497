package reflector

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"ixpqos/internal/measure/stamp"
	"ixpqos/internal/measure/timestamp"
)

func TestASessionHasItsOwnNumbers(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		a, b := w.end(t, w.sender, 1001), w.end(t, w.sender, 1002)
		for i, step := range []struct {
			from     *end
			ssid     uint16
			sequence uint32
			want     uint32
		}{
			{a, 1, 10, 0}, {a, 1, 11, 1}, {a, 2, 5, 0}, {b, 1, 12, 0}, {a, 1, 13, 2}, {a, 1, 13, 3}, {b, 1, 13, 1}, {a, 2, 6, 1},
		} {
			r := step.from.ask(t, packet(step.sequence, step.ssid))
			if r.Sequence != step.want || r.SenderSequence != step.sequence || r.SSID != step.ssid {
				t.Errorf("step %d: reply %d to %d of session %d; want %d", i, r.Sequence, r.SenderSequence, r.SSID, step.want)
			}
		}
	})
}

func TestStateless(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		w.mu.Lock()
		w.stateless = true
		w.mu.Unlock()
		e := w.end(t, w.sender, 1001)
		for _, sequence := range []uint32{10, 12, 11} {
			r := e.ask(t, packet(sequence, 1))
			if r.Sequence != sequence || r.FollowUp.Present() {
				t.Errorf("reply %d to %d, follow-up %+v", r.Sequence, sequence, r.FollowUp)
			}
		}
	})
}

func TestAReplyIsAsLongAsItsRequest(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		e := w.end(t, w.sender, 1001)
		for _, size := range []int{14, 41, 44, 45, 100, 1472, 4000} {
			e.send(t, -1, make([]byte, size))
			if r := e.replies(t, 1)[0]; len(r.Payload) != max(size, stamp.BaseSize) {
				t.Errorf("%d octets for %d", len(r.Payload), size)
			}
		}
	})
}

func TestClassOfService(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		e := w.end(t, w.sender, 1001)
		payload, err := stamp.AppendRequest(nil, stamp.Request{ReplyDSCP: 10}, 100)
		if err != nil {
			t.Fatal(err)
		}
		e.send(t, 46<<2|1, payload, make([]byte, 44))
		replies := e.replies(t, 2)
		if r := replies[0]; r.TOS != 10<<2 || r.TTL != 255 {
			t.Errorf("with the TLV: TOS %#x, TTL %d; want DSCP 10 and 255", r.TOS, r.TTL)
		}
		if r := replies[1]; r.TOS != 46<<2 {
			t.Errorf("without the TLV: TOS %#x; want DSCP 46", r.TOS)
		}
		r := parse(t, replies[0].Payload)
		if !r.HasClassOfService || r.DSCPReceived != 46 || r.ECNReceived != 1 || r.ReplyDSCPRefused || r.SenderTTL != 255 {
			t.Errorf("%+v", r)
		}
	})
}

// TestFollowUp: a reply tells when the one before left, by the kernel.
func TestFollowUp(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		if w.virtual != nil {
			w.self.Queue = 30 * time.Microsecond
		}
		e := w.end(t, w.sender, 1001)
		var before stamp.Reply
		var came int64
		for i := range uint32(5) {
			e.send(t, -1, packet(100+i, 7))
			in := e.replies(t, 1)[0]
			r := parse(t, in.Payload)
			if i == 0 && r.FollowUp.Present() {
				t.Errorf("the first reply follows up on %+v", r.FollowUp)
			}
			if i > 0 {
				left := r.FollowUp.Timestamp.UnixNano(stamp.NTP, came)
				sent := before.Sent.UnixNano(stamp.NTP, came)
				if r.FollowUp.Sequence != i-1 || r.FollowUp.Mode != stamp.SoftwareLocal || left < sent || left > came {
					t.Errorf("reply %d: %+v; the one before was made at %d, left at %d, came at %d", i, r.FollowUp, sent, left, came)
				}
				if w.virtual != nil && left-sent != int64(w.self.Queue) {
					t.Errorf("reply %d: the one before left %d ns after it was made; want %v", i, left-sent, w.self.Queue)
				}
			}
			before, came = r, in.At
		}
	})
}

// TestFollowUpOfOneOfTwo: of two packets in one batch a stamp is known of the
// second only when the third comes, and none of the first.
func TestFollowUpOfOneOfTwo(t *testing.T) {
	w := virtual(t)
	e := w.end(t, w.sender, 1001)
	e.send(t, -1, packet(0, 1), packet(1, 1))
	for _, in := range e.replies(t, 2) {
		if r := parse(t, in.Payload); r.FollowUp.Present() {
			t.Errorf("reply %d follows up on %+v", r.Sequence, r.FollowUp)
		}
	}
	if r := e.ask(t, packet(2, 1)); r.FollowUp.Sequence != 1 || !r.FollowUp.Present() {
		t.Errorf("%+v; want that of reply 1", r.FollowUp)
	}
}

func TestALostStampIsNotFollowedUp(t *testing.T) {
	w := virtual(t)
	e := w.end(t, w.sender, 1001)
	w.self.StampLoss = 1
	e.ask(t, packet(0, 1))
	w.self.StampLoss = 0
	if r := e.ask(t, packet(1, 1)); r.FollowUp.Present() {
		t.Errorf("%+v", r.FollowUp)
	}
	if r := e.ask(t, packet(2, 1)); r.FollowUp.Sequence != 1 || !r.FollowUp.Present() {
		t.Errorf("%+v; want that of reply 1", r.FollowUp)
	}
}

// TestStampsAreReadThoughNobodyComesBack: what is left in the error queue takes
// the room of packets.
func TestStampsAreReadThoughNobodyComesBack(t *testing.T) {
	w := virtual(t)
	e := w.end(t, w.sender, 1001)
	for i := range 2000 {
		e.ask(t, packet(0, uint16(i)))
	}
	waiting := 0
	for {
		events, err := w.port.socket.Events()
		if err != nil {
			t.Fatal(err)
		}
		if len(events) == 0 {
			break
		}
		waiting += len(events)
	}
	if waiting > 1 {
		t.Errorf("%d stamps wait", waiting)
	}
}

func TestTimes(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		e := w.end(t, w.sender, 1001)
		for _, f := range []stamp.Format{stamp.NTP, stamp.PTP} {
			var r stamp.Reply
			for late := time.Now().Add(bound); r.ReceivedBy != stamp.SoftwareLocal; {
				if time.Now().After(late) {
					t.Fatal("the kernel does not stamp what comes in")
				}
				payload := packet(3, 1)
				stamp.SetRequest(payload, 3, stamp.TimestampOf(w.host.Wall(), f), stamp.NewErrorEstimate(true, f, time.Second))
				r = e.ask(t, payload)
			}
			t1 := r.SenderSent.UnixNano(f, w.host.Wall())
			t2, t3 := r.Received.UnixNano(f, t1), r.Sent.UnixNano(f, t1)
			synchronized, _ := w.host.Clock()
			if r.Error.Format() != f || r.Error.Synchronized() != synchronized || t1 > t2 || t2 > t3 || t3 > w.host.Wall() {
				t.Errorf("%v: T1 %d, T2 %d, T3 %d, %+v", f, t1, t2, t3, r)
			}
			if r.SentBy != stamp.SoftwareLocal {
				t.Errorf("T3 by %v", r.SentBy)
			}
		}
	})
}

func TestWithoutKernelStamps(t *testing.T) {
	w := virtual(t)
	w.self.Stamps = timestamp.Stamps{}
	w.port.Detach()
	if err := w.port.socket.Close(); err != nil {
		t.Fatal(err)
	}
	w.listen(t)
	e := w.end(t, w.sender, 1001)
	for i := range uint32(3) {
		if r := e.ask(t, packet(i, 1)); r.ReceivedBy != stamp.ControlPlane || r.FollowUp.Present() || r.Sequence != i {
			t.Errorf("%+v", r)
		}
	}
}

// TestTWAMPLight: base replies to short packets, and padding that is no TLVs.
func TestTWAMPLight(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		e := w.end(t, w.sender, 1001)
		light := stamp.Request{Sequence: 4, Sent: stamp.TimestampOf(w.host.Wall(), stamp.NTP), Light: true}
		short := e.ask(t, light.Append(nil))
		if short.SenderSequence != 4 || short.SenderSent != light.Sent || short.Sequence != 0 || len(short.Rest) != 3 {
			t.Errorf("14 octets: %+v", short)
		}
		light.Error = stamp.NewErrorEstimate(true, stamp.PTP, time.Second)
		if r := e.ask(t, light.Append(nil)); r.Error.Format() != stamp.NTP || r.Received.UnixNano(stamp.NTP, w.host.Wall()) > w.host.Wall() {
			t.Errorf("timestamps of PTP: %+v", r)
		}
		light.Error = 0
		for i, octet := range []byte{0x5a, 0xa5} { // one's SSID would be another's
			light.Sequence, light.Rest = 5+uint32(i), bytes.Repeat([]byte{octet}, 86)
			e.send(t, -1, light.Append(nil))
			in := e.replies(t, 1)[0]
			if r := parse(t, in.Payload); r.Sequence != 2+uint32(i) || r.SSID != uint16(octet)<<8|uint16(octet) {
				t.Errorf("padded: %+v; want reply %d of the same session", r, 2+i)
			}
			if !slices.Equal(in.Payload[stamp.BaseSize+1:], light.Rest[1:100-stamp.BaseSize]) {
				t.Errorf("the padding came back as %x", in.Payload[stamp.BaseSize:])
			}
		}
	})
}

func TestOnlyTheAllowedAreAnswered(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		e := w.end(t, w.sender, 1001)
		e.ask(t, packet(0, 1))
		w.SetAllowed([]netip.Addr{netip.MustParseAddr("192.0.2.1")})
		if n := w.Stats().Sessions; n != 0 {
			t.Errorf("%d sessions of who is no longer allowed", n)
		}
		e.send(t, -1, packet(1, 1), []byte("junk"))
		w.awaitStats(t, func(s Stats) bool { return s.NotAllowed == 2 })
		w.SetAllowed([]netip.Addr{w.sender, w.sender})
		if r := e.ask(t, packet(2, 1)); r.SenderSequence != 2 || r.Sequence != 0 {
			t.Errorf("%+v; want the first reply of a new session", r)
		}
		w.SetAllowed([]netip.Addr{netip.MustParseAddr("192.0.2.1"), w.sender})
		if r := e.ask(t, packet(3, 1)); r.Sequence != 1 {
			t.Errorf("another's coming ended the session: %+v", r)
		}
	})
}

// awaitStats waits for counts that are sure to come.
func (w *world) awaitStats(t *testing.T, holds func(Stats) bool) {
	t.Helper()
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for late := time.Now().Add(bound); !holds(w.Stats()); <-poll.C {
		if time.Now().After(late) {
			t.Fatalf("it does not come to that: %+v", w.Stats())
		}
	}
}

// TestReflectorsDoNotAnswerEachOther has one forge a packet between two.
func TestReflectorsDoNotAnswerEachOther(t *testing.T) {
	w := virtual(t)
	twin := w.end(t, w.sender, 862)
	twin.send(t, -1, packet(0, 1))
	reply := twin.replies(t, 1)[0].Payload
	twin.send(t, -1, reply)
	twin.replies(t, 0)
	if s := w.Stats(); s.Replies != 1 || s.Answered != 1 {
		t.Errorf("%+v", s)
	}
	w.pass(t, 2*turnEvery)
	if said := w.trouble.sentence("reflector"); !strings.Contains(said, "198.18.0.2:862") || !strings.Contains(said, "another port") {
		t.Errorf("told: %q", said)
	}
}

// TestTwoReflectorsComeToAnEnd has a stranger forge a packet from one to the other.
func TestTwoReflectorsComeToAnEnd(t *testing.T) {
	for name, forged := range map[string][]byte{
		"the smallest": make([]byte, 14), "a base packet": make([]byte, 44), "STAMP's": packet(0, 1), "padding": bytes.Repeat([]byte{5}, 100),
	} {
		w := virtual(t)
		far := New(Host{Name: "far", Clock: w.host.Clock, Wall: w.far.Now, Since: w.host.Since, Trouble: w.trouble.tell})
		far.SetAllowed([]netip.Addr{w.localAddress()})
		twin := w.end(t, w.sender, 862)
		port := far.Attach(twin.socket)
		twin.socket.Send([]timestamp.Outgoing{{To: w.port.local, Payload: forged, TOS: -1}})
		for range 20 {
			w.pass(t, time.Millisecond)
			if _, err := port.Drain(); err != nil {
				t.Fatal(err)
			}
		}
		answers, replies := w.Stats().Answered+far.Stats().Answered, w.Stats().Replies+far.Stats().Replies
		if answers != 1 || replies != 1 {
			t.Errorf("%s: %d answers and %d that were known for replies; want 1 of each", name, answers, replies)
		}
	}
}

// TestLightFromTheReflectorsOwnPort is answered: its padding is no reply.
func TestLightFromTheReflectorsOwnPort(t *testing.T) {
	w := virtual(t)
	e := w.end(t, w.sender, 862)
	for i, padding := range [][]byte{nil, make([]byte, 86), bytes.Repeat([]byte{5}, 86)} {
		light := stamp.Request{Sequence: uint32(i), Sent: stamp.TimestampOf(w.far.Now(), stamp.NTP), Light: true, Rest: padding}
		if r := e.ask(t, light.Append(nil)); r.SenderSequence != uint32(i) || r.Sequence != uint32(i) {
			t.Errorf("%d octets of padding: %+v", len(padding), r)
		}
	}
}

func TestRate(t *testing.T) {
	w := virtual(t)
	other := netip.MustParseAddr("198.18.0.3")
	third := w.virtual.Host(other)
	w.SetAllowed([]netip.Addr{w.sender, other})
	e := w.end(t, w.sender, 1001)
	flood := func(n int) {
		for i := range n {
			e.socket.Send([]timestamp.Outgoing{{To: w.port.local, Payload: packet(uint32(i), 1), TOS: -1}})
		}
		w.pass(t, time.Millisecond)
		w.pass(t, 0) // one drain does not take all
	}
	flood(DefaultRate)
	if s := w.Stats(); s.Answered < DefaultRate/2 || s.Answered > DefaultRate/2+10 || s.OverRate != DefaultRate-s.Answered || s.Received != DefaultRate {
		t.Errorf("of %d at once: %+v", DefaultRate, s)
	}
	w.open = func(o timestamp.Options) (Socket, error) { return third.Open(o) }
	w.end(t, other, 1001).ask(t, packet(0, 1))
	before := w.Stats()
	w.pass(t, 100*time.Millisecond)
	flood(1000)
	if got := w.Stats().Answered - before.Answered; got < DefaultRate/10 || got > DefaultRate/10+20 {
		t.Errorf("%d of 1000 answered after 100 ms; want %d", got, DefaultRate/10)
	}
	w.pass(t, 2*turnEvery)
	if w.trouble.sentence("reflector") == "" {
		t.Error("nobody is told")
	}
	w.pass(t, 2*(tellFor+turnEvery))
	if s := w.trouble.sentence("reflector"); s != "" {
		t.Errorf("it is over: %s", s)
	}
}

func TestAnAnswerThatIsRefused(t *testing.T) {
	w := virtual(t)
	e := w.end(t, w.sender, 1001)
	e.ask(t, packet(0, 1))
	w.self.Refuse = refuseAll
	e.send(t, -1, packet(1, 1))
	w.self.Refuse = nil
	if r := e.ask(t, packet(2, 1)); r.Sequence != 1 || r.FollowUp.Sequence != 0 || !r.FollowUp.Present() {
		t.Errorf("%+v; want the second that left, and when the first did", r)
	}
	if s := w.Stats(); s.Refused != 1 || s.Answered != 2 || s.Received != 3 {
		t.Errorf("%+v", s)
	}
	w.pass(t, 2*turnEvery)
	if said := w.trouble.sentence("reflector"); !strings.Contains(said, "no buffer space") || !strings.Contains(said, "firewall") {
		t.Errorf("told: %q", said)
	}
}

// TestNoReflectorIsAnsweredWhereverItListens: one forged packet would go on for ever.
func TestNoReflectorIsAnsweredWhereverItListens(t *testing.T) {
	w := virtual(t)
	w.SetReflecting([]netip.AddrPort{netip.AddrPortFrom(w.sender, 8620)})
	e := w.end(t, w.sender, 8620)
	reply, err := stamp.Reflect(nil, packet(0, 1), stamp.Reflection{Received: stamp.TimestampOf(w.far.Now(), stamp.NTP)})
	if err != nil {
		t.Fatal(err)
	}
	e.send(t, -1, reply)
	if s := w.Stats(); s.Replies != 1 || s.Answered != 0 {
		t.Errorf("a reply from where a reflector listens: %+v", s)
	}
	w.end(t, w.sender, 8621).ask(t, reply)
}

// TestWhatIsSentAstrayIsAnswered as STAMP's: TLVs without U, and octets that must be
// zero and are not.
func TestWhatIsSentAstrayIsAnswered(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		e := w.end(t, w.sender, 1001)
		for i, change := range []func(payload []byte){
			func(payload []byte) { payload[stamp.BaseSize] = 0 },
			func(payload []byte) { payload[20] = 1 },
		} {
			payload, err := stamp.AppendRequest(nil, stamp.Request{Sequence: 5, SSID: 0x4242, ReplyDSCP: 10}, 100)
			if err != nil {
				t.Fatal(err)
			}
			change(payload)
			e.send(t, 46<<2, payload)
			in := e.replies(t, 1)[0]
			r := parse(t, in.Payload)
			if r.SSID != 0x4242 || !r.HasClassOfService || r.DSCPReceived != 46 || in.TOS != 10<<2 {
				t.Errorf("change %d: %+v with TOS %#x; want SSID 4242 and DSCP 10", i, r, in.TOS)
			}
		}
	})
}
