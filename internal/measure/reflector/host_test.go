package reflector

import (
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ixpqos/infra/simulation"
	"ixpqos/internal/ippm"
	"ixpqos/internal/measure/timestamp"
)

// TestAStandstill: a process that stood still for some intervals tells of each what
// came in it, that nothing of it was answered in time, and that it stood still.
func TestAStandstill(t *testing.T) {
	const short = 5 * time.Second
	w := virtual(t)
	x := w.expectation()
	x.Interval, x.Flows = short, 1
	w.Expect([]Expectation{x})
	e := w.end(t, w.sender, x.FirstPort)
	sequence := uint32(0)
	send := func() {
		e.socket.Send([]timestamp.Outgoing{{To: w.port.local, Payload: packetAt(e.far.Now(), sequence, 1), TOS: -1}})
		sequence++
	}
	for w.virtual.Elapsed() < 10*time.Second {
		send()
		w.pass(t, time.Second)
	}
	for w.virtual.Elapsed() < 27*time.Second { // without a drain
		send()
		w.virtual.Advance(time.Second)
	}
	for w.virtual.Elapsed() < 50*time.Second {
		send()
		w.pass(t, time.Second)
	}
	for i, h := range w.Heard("fabric", simulation.Start.Add(30*time.Second)) {
		heard, answered := 0, 0
		for _, f := range h.Flows {
			if f.Port == x.FirstPort {
				heard, answered = f.Heard, f.Answered
			}
		}
		want := 5
		if i >= 2 && i < 5 {
			want = 0
		}
		if i == 5 { // from 25 s on, the end of it
			want = 4
		}
		if !h.Start.Equal(simulation.Start.Add(time.Duration(i)*short)) || heard != 5 || answered != want {
			t.Errorf("%v: heard %d, answered %d; want 5 and %d", h.Start, heard, answered, want)
		}
		if i == 6 && len(h.Flows) != 1 {
			t.Errorf("%v: %+v", h.Start, h.Flows)
		}
	}
	if said := w.trouble.sentence("reflector"); !strings.Contains(said, "stood still") {
		t.Errorf("told: %q", said)
	}
	w.pass(t, 2*(tellFor+turnEvery))
	if said := w.trouble.sentence("reflector"); said != "" {
		t.Errorf("it is over: %q", said)
	}
}

// TestDropsOfAStandstill may be of any interval that it lasted for.
func TestDropsOfAStandstill(t *testing.T) {
	w := virtual(t)
	w.Expect([]Expectation{w.expectation()})
	e := w.end(t, w.sender, 1001)
	w.at(t, 12*time.Second)
	w.self.Buffer = 1
	for w.virtual.Elapsed() < 45*time.Second {
		e.socket.Send([]timestamp.Outgoing{{To: w.port.local, Payload: packetAt(e.far.Now(), 0, 1), TOS: -1}})
		w.virtual.Advance(10 * time.Second)
	}
	w.self.Buffer = 0
	w.pass(t, 0)
	w.at(t, 90*time.Second)
	var missed []int
	for _, h := range w.Heard("fabric", simulation.Start.Add(70*time.Second)) {
		missed = append(missed, h.Flows[0].Heard)
	}
	// Of the first nothing is sure anyway.
	if diff := cmp.Diff([]int{ippm.Unheard, 3, 3, 3, 3, 3}, missed[:6]); diff != "" {
		t.Errorf("want - got +:\n%s", diff)
	}
	if missed[7] != 0 {
		t.Errorf("an interval later: %v", missed)
	}
}

// TestAPortOfAnotherProgram: the host says of itself that it hears nothing, and
// when it does.
func TestAPortOfAnotherProgram(t *testing.T) {
	w := virtual(t)
	w.port.Detach()
	_ = w.port.socket.Close()
	w.host.Open = func(o timestamp.Options) (Socket, error) {
		return nil, fmt.Errorf("port is taken: %w", syscall.EADDRINUSE)
	}
	if problems := w.Apply(Settings{Addresses: []netip.Addr{w.localAddress()}, Port: 862}); len(problems) != 1 {
		t.Fatalf("%v; want one problem", problems)
	}
	w.Expect([]Expectation{w.expectation()})
	w.virtual.Advance(36 * time.Second)
	w.listen(t)
	w.at(t, 66*time.Second)
	var missed []ippm.HeardFlow
	for _, h := range w.Heard("fabric", simulation.Start.Add(50*time.Second)) {
		missed = append(missed, h.Flows[0])
	}
	none, all := ippm.HeardFlow{Port: 1001}, ippm.Missed(ippm.Unheard)
	if diff := cmp.Diff([]ippm.HeardFlow{all, all, all, all, none, none}, missed); diff != "" {
		t.Errorf("want - got +:\n%s", diff)
	}
}

// TestTheEnd: what was heard until then is told, and that nothing is from then on.
func TestTheEnd(t *testing.T) {
	w := virtual(t)
	w.Expect([]Expectation{w.expectation()})
	e := w.end(t, w.sender, 1001)
	for i, at := range []time.Duration{12 * time.Second, 15 * time.Second, 25 * time.Second} {
		w.at(t, at)
		e.tell(t, uint32(i), 1)
	}
	w.at(t, 26*time.Second)
	w.heard(0)
	w.port.Detach()
	w.virtual.Advance(time.Second)
	var got [][]ippm.HeardFlow
	for _, h := range w.Rest() {
		got = append(got, h.Flows[:2])
	}
	want := [][]ippm.HeardFlow{
		{{Port: 1001, Heard: 2, Answered: 2}, {Port: 1002}},
		{ippm.Missed(ippm.Unheard), {Port: 1001, Heard: 1, Answered: 1}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want - got +:\n%s", diff)
	}
	if again := w.Rest(); again != nil {
		t.Errorf("a second time: %+v", again)
	}
}

// TestNobodyWaitsForWhoIsTold: a packet is answered while trouble is told.
func TestNobodyWaitsForWhoIsTold(t *testing.T) {
	w := virtual(t)
	told, goOn := make(chan struct{}), make(chan struct{})
	w.host.Trouble = func(_, _ string) {
		close(told)
		<-goOn
	}
	e := w.end(t, w.sender, 1001)
	w.self.Refuse = refuseAll
	e.send(t, -1, packet(0, 1))
	w.self.Refuse = nil
	w.virtual.Advance(2 * turnEvery)
	done := make(chan error)
	go func() {
		_, err := w.port.Drain()
		done <- err
	}()
	<-told
	w.Stats() // needs the lock of the packets' path
	close(goOn)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// TestASmallReceiveBuffer: stamps of replies to who does not come back fill it, and
// must not keep packets out. It works on, whichever way packets are taken.
func TestASmallReceiveBuffer(t *testing.T) {
	for name, period := range map[string]time.Duration{"waiting": time.Nanosecond, "in periods": 100 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			w := newReal(t)
			open := w.host.Open
			w.host.Open = func(o timestamp.Options) (Socket, error) {
				o.Buffer = 8 << 10 // of which the kernel makes 16
				return open(o)
			}
			w.apply(t, Settings{Addresses: []netip.Addr{loopback4}, Rate: 1_000_000, Period: period}, loopback4)
			w.host.Open = open
			e := w.end(t, w.sender, 0)
			for round := range 30 {
				var burst [][]byte
				for i := range 10 {
					burst = append(burst, packet(0, uint16(1+round*10+i)))
				}
				before := w.Stats()
				e.send(t, -1, burst...)
				w.awaitStats(t, func(s Stats) bool {
					return s.Received+s.Dropped >= before.Received+before.Dropped+uint64(len(burst))
				})
				e.replies(t, int(w.Stats().Received-before.Received))
			}
			if s := w.Stats(); s.Received < 30 || s.Answered != s.Received {
				t.Errorf("%+v", s)
			}
		})
	}
}

// lateStamps gives no transmit stamps for a while, as where an address has yet to
// be resolved.
type lateStamps struct {
	Socket
	held  bool
	given int
}

func (s *lateStamps) Events() ([]timestamp.Event, error) {
	if s.held {
		return nil, nil
	}
	events, err := s.Socket.Events()
	s.given += len(events)
	return events, err
}

// TestStampsThatComeLate are taken although nothing else comes: else they fill the
// buffer, and nothing does.
func TestStampsThatComeLate(t *testing.T) {
	w := virtual(t)
	late := &lateStamps{Socket: w.port.socket, held: true}
	w.port.socket = late
	e := w.end(t, w.sender, 1001)
	e.send(t, -1, packet(0, 1), packet(1, 1))
	for range 2 * vain {
		w.pass(t, soon)
	}
	late.held = false
	w.pass(t, quiet)
	if late.given != 2 {
		t.Errorf("%d stamps are taken; want 2", late.given)
	}
}
