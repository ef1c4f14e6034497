package simulation

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"ixpqos/internal/measure/timestamp"
)

// hosts are two ends with a socket each.
type hosts struct {
	*Network
	a, b      *Host
	near, far *Socket
	sentSoFar uint32
}

func address(n int) netip.Addr { return netip.AddrFrom4([4]byte{198, 18, 0, byte(n)}) }

func at(n int) timestamp.Options {
	return timestamp.Options{Local: netip.AddrPortFrom(address(n), 862), Batch: 64, MaxPacket: 1500}
}

func newHosts(t *testing.T, seed uint64) *hosts {
	t.Helper()
	n := New(seed)
	h := &hosts{Network: n, a: n.Host(address(1)), b: n.Host(address(2))}
	h.near, h.far = open(t, h.a, at(1)), open(t, h.b, at(2))
	return h
}

func open(t *testing.T, h *Host, o timestamp.Options) *Socket {
	t.Helper()
	s, err := h.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// send sends packets with numbers that go on, d apart.
func (h *hosts) send(count int, d time.Duration) {
	for range count {
		p := timestamp.Outgoing{To: h.far.Local(), Payload: []byte{byte(h.sentSoFar)}, ID: h.sentSoFar, TOS: -1}
		h.near.Send([]timestamp.Outgoing{p})
		h.sentSoFar++
		h.Advance(d)
	}
}

// all receives what is there, and gives the numbers.
func (h *hosts) all(t *testing.T) (numbers []byte) {
	t.Helper()
	for {
		in, err := h.far.Receive()
		if err != nil {
			t.Fatal(err)
		}
		if len(in) == 0 {
			return numbers
		}
		for _, p := range in {
			numbers = append(numbers, p.Payload[0])
		}
	}
}

func TestStampsAreOfTheHostsClock(t *testing.T) {
	h := newHosts(t, 1)
	h.Impair(Impairment{Delay: 3 * time.Millisecond})
	h.a.Queue = time.Millisecond
	h.b.Step(time.Hour)
	h.b.Drift(1000)
	h.Advance(time.Second)
	h.send(1, 10*time.Millisecond)
	events, _ := h.near.Events()
	in, _ := h.far.Receive()
	if len(events) != 1 || len(in) != 1 {
		t.Fatalf("%d stamps, %d packets; want 1 and 1", len(events), len(in))
	}
	left, came := time.Second+time.Millisecond, time.Second+4*time.Millisecond
	if want := Start.Add(left).UnixNano(); events[0].At != want || events[0].ID != 0 {
		t.Errorf("left at %d; want %d", events[0].At, want)
	}
	if want := Start.Add(came + time.Hour + came/1000).UnixNano(); in[0].At != want || !in[0].Kernel {
		t.Errorf("came at %d; want %d", in[0].At, want)
	}
}

func TestAStepBackAndTheEndOfADrift(t *testing.T) {
	n := New(1)
	h := n.Host(address(1))
	h.Drift(-500)
	n.Advance(10 * time.Second)
	h.Drift(0)
	h.Step(-time.Second)
	n.Advance(time.Minute)
	if want := Start.Add(70*time.Second - 5*time.Millisecond - time.Second).UnixNano(); h.Now() != want || n.Elapsed() != 70*time.Second {
		t.Errorf("%d after %v; want %d", h.Now(), n.Elapsed(), want)
	}
}

func TestImpairments(t *testing.T) {
	in := func(low, high int) func(int) bool { return func(n int) bool { return n >= low && n <= high } }
	for _, tc := range []struct {
		name      string
		i         Impairment
		count     func(int) bool
		inOrder   bool
		different bool
	}{
		{"none", Impairment{}, in(200, 200), true, true},
		{"loss", Impairment{Loss: 0.5}, in(70, 130), true, true},
		{"all lost", Impairment{Loss: 1}, in(0, 0), true, true},
		{"another's loss", Impairment{Loss: 1, Of: From(address(2))}, in(200, 200), true, true},
		{"duplication", Impairment{Duplication: 0.5}, in(270, 330), true, false},
		{"reordering", Impairment{Reordering: 0.1, Hold: 35 * time.Millisecond}, in(200, 200), false, true},
		{"jitter", Impairment{Jitter: func(r *rand.Rand) time.Duration { return time.Duration(r.IntN(100)) * time.Millisecond }}, in(200, 200), true, true},
		{"too many hops", Impairment{Hops: 255}, in(0, 0), true, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHosts(t, 7)
			h.Impair(tc.i)
			h.send(200, 10*time.Millisecond)
			h.Advance(time.Second)
			got := h.all(t)
			if !tc.count(len(got)) {
				t.Errorf("%d packets", len(got))
			}
			if slices.IsSorted(got) != tc.inOrder {
				t.Errorf("in order: %t; want %t", !tc.inOrder, tc.inOrder)
			}
			slices.Sort(got)
			if different := len(slices.Compact(slices.Clone(got))) == len(got); different != tc.different {
				t.Errorf("each once: %t; want %t", different, tc.different)
			}
		})
	}
}

func TestRemarkedAndRouted(t *testing.T) {
	h := newHosts(t, 1)
	heal := h.Impair(Impairment{Remark: func(tos uint8) uint8 { return tos | 0xb8 }, Hops: 2})
	h.send(1, 0)
	heal()
	h.send(1, 0)
	in, _ := h.far.Receive()
	if len(in) != 2 || in[0].TOS != 0xb8 || in[0].TTL != 253 || in[1].TOS != 0 || in[1].TTL != 255 {
		t.Errorf("%+v", in)
	}
}

func TestASeedRepeatsARun(t *testing.T) {
	run := func(seed uint64) string {
		h := newHosts(t, seed)
		h.Impair(Impairment{Loss: 0.2, Duplication: 0.2, Reordering: 0.2, Hold: 30 * time.Millisecond})
		h.send(100, 10*time.Millisecond)
		h.Advance(time.Second)
		return fmt.Sprint(h.all(t))
	}
	first, again, other := run(1), run(1), run(2)
	if first != again {
		t.Error("one seed gave two runs")
	}
	if first == other {
		t.Error("two seeds gave one run")
	}
}

func TestNothingListens(t *testing.T) {
	h := newHosts(t, 1)
	h.Impair(Impairment{Delay: 5 * time.Millisecond})
	h.send(1, 0)
	if err := h.far.Close(); err != nil {
		t.Fatal(err)
	}
	h.Advance(9 * time.Millisecond)
	if events, _ := h.near.Events(); len(events) != 1 || events[0].Kind != timestamp.Sent {
		t.Fatalf("before the answer is there: %+v", events)
	}
	h.Advance(time.Millisecond)
	events, _ := h.near.Events()
	if len(events) != 1 || events[0].Kind != timestamp.Unreachable || events[0].To != h.far.Local() ||
		events[0].ICMPType != 3 || events[0].ICMPCode != 3 || !slices.Equal(events[0].Quoted, []byte{0}) {
		t.Errorf("%+v", events)
	}
	if _, err := h.far.Receive(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a closed socket: %v", err)
	}
	open(t, h.b, at(2))
}

func TestWhatAHostWithholds(t *testing.T) {
	h := newHosts(t, 1)
	h.a.StampLoss = 0.5
	h.b.Buffer = 10
	h.b.Stamps.Receive = false
	h.a.Refuse = func(p Packet) error {
		if p.Payload[0] == 3 {
			return syscall.EPERM
		}
		return nil
	}
	h.send(40, time.Millisecond)
	if got := h.all(t); len(got) != 10 || h.far.Drops() != 29 || slices.Contains(got, 3) {
		t.Errorf("received %v, dropped %d", got, h.far.Drops())
	}
	if events, _ := h.near.Events(); len(events) < 8 || len(events) > 31 {
		t.Errorf("%d of 39 stamps", len(events))
	}
	h.send(1, time.Second)
	if in, _ := h.far.Receive(); len(in) != 1 || in[0].Kernel || in[0].At != h.b.Now() {
		t.Errorf("without kernel stamps: %+v", in)
	}
}

func TestASocketOpensOnce(t *testing.T) {
	h := newHosts(t, 1)
	if _, err := h.a.Open(at(1)); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a second socket: %v", err)
	}
	if _, err := h.a.Open(at(2)); !errors.Is(err, syscall.EADDRNOTAVAIL) {
		t.Errorf("another's address: %v", err)
	}
}

// TestTheSocketsMemory has a batch that is kept too long turn into other octets.
func TestTheSocketsMemory(t *testing.T) {
	h := newHosts(t, 1)
	h.send(1, 0)
	in, _ := h.far.Receive()
	_, _ = h.far.Receive()
	if in[0].Payload[0] == 0 {
		t.Error("a payload is valid for longer than that of a real socket")
	}
}
