package timestamp_test

import (
	"bytes"
	"errors"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ixpqos/internal/measure/timestamp"
)

func TestEveryPacketIsStamped(t *testing.T) {
	everyWay(t, func(t *testing.T, o timestamp.Options) {
		near, far := pair(t, o)
		if near.Kernel() != (timestamp.Stamps{Receive: true, Transmit: true}) || near.Doubt() != "" {
			t.Fatalf("kernel stamps %+v, doubt %q", near.Kernel(), near.Doubt())
		}
		// Fifty are more than a batch, and less than a buffer of the default size.
		for first := uint32(1); first < 1000; first += 50 {
			rally(t, near, far, first, 50)
		}
	})
}

// rally sends packets of every size, and looks at what comes of each.
func rally(t *testing.T, near, far *timestamp.Socket, first uint32, n int) {
	t.Helper()
	var packets []timestamp.Outgoing
	for id := first; len(packets) < n; id++ {
		p := packet(id, far.Local())
		if id%2 == 0 {
			p.TOS = int16(id % 256)
		}
		packets = append(packets, p)
	}
	if taken := near.Send(packets); taken != n {
		t.Fatalf("%d of %d packets were taken: %v", taken, n, packets)
	}
	events, in := await(t, near, n), receive(t, far, n)
	for i, p := range packets {
		e, got := events[i], in[i]
		if e.Kind != timestamp.Sent || e.ID != p.ID {
			t.Fatalf("event %+v; want that %d was sent", e, p.ID)
		}
		if got.From != near.Local() || !bytes.Equal(got.Payload, p.Payload) {
			t.Fatalf("packet %d came from %v with %d octets; want %v with %d", p.ID, got.From, len(got.Payload), near.Local(), len(p.Payload))
		}
		if !got.Kernel || e.At > got.At {
			t.Errorf("packet %d left at %d and came at %d (by the kernel: %v)", p.ID, e.At, got.At, got.Kernel)
		}
		if got.TTL != 255 || got.TOS != uint8(max(p.TOS, 0)) {
			t.Errorf("packet %d came with TTL %d and TOS %d; want 255 and %d", p.ID, got.TTL, got.TOS, p.TOS)
		}
	}
}

func TestTheSocketsOwnDSCP(t *testing.T) {
	everyWay(t, func(t *testing.T, o timestamp.Options) {
		o.DSCP = 46
		near, far := pair(t, o)
		other := packet(2, far.Local())
		other.TOS = 0
		near.Send([]timestamp.Outgoing{packet(1, far.Local()), other})
		if in := receive(t, far, 2); in[0].TOS != 46<<2 || in[1].TOS != 0 {
			t.Errorf("TOS %d and %d; want %d and 0", in[0].TOS, in[1].TOS, 46<<2)
		}
	})
}

func TestARefusedPacketHarmsNoOther(t *testing.T) {
	everyWay(t, func(t *testing.T, o timestamp.Options) {
		o.DontFragment = true
		near, far := pair(t, o)
		long := packet(2, far.Local())
		long.Payload = make([]byte, 65530)
		foreign := packet(4, netip.MustParseAddrPort("127.0.0.1:9"))
		if near.Local().Addr().Is4() {
			foreign.To = netip.MustParseAddrPort("[::1]:9")
		}
		packets := []timestamp.Outgoing{packet(1, far.Local()), long, packet(3, far.Local()), foreign, foreign, long, packet(7, far.Local())}
		packets[0].Err = errors.New("of the time before")
		if taken := near.Send(packets); taken != 3 {
			t.Errorf("%d were taken; want 3", taken)
		}
		for i, refused := range []bool{false, true, false, true, true, true, false} {
			if err := packets[i].Err; (err != nil) != refused {
				t.Errorf("error of packet %d: %v", i, err)
			}
		}
		if !errors.Is(packets[1].Err, unix.EMSGSIZE) || !errors.Is(packets[5].Err, unix.EMSGSIZE) {
			t.Errorf("errors of the long packets: %v, %v", packets[1].Err, packets[5].Err)
		}
		want := []uint32{1, 3, 7}
		if got := sentIDs(t, await(t, near, 3)); !slices.Equal(got, want) {
			t.Errorf("stamps of %v; want %v", got, want)
		}
		if got := receivedIDs(receive(t, far, 3)); !slices.Equal(got, want) {
			t.Errorf("received %v; want %v", got, want)
		}
	})
}

func TestAnUnreachablePortCostsNoPacket(t *testing.T) {
	everyWay(t, func(t *testing.T, o timestamp.Options) {
		near, far := pair(t, o)
		closed := closedPort(t, o)
		var packets []timestamp.Outgoing
		for id := range uint32(20) {
			packets = append(packets, packet(2*id, closed), packet(2*id+1, far.Local()))
		}
		if taken := near.Send(packets); taken != len(packets) {
			t.Fatalf("%d of %d packets were taken: %v", taken, len(packets), packets)
		}
		far.Send([]timestamp.Outgoing{packet(77, near.Local())})
		if got := receive(t, near, 1); got[0].From != far.Local() {
			t.Errorf("from %v", got[0].From)
		}
		for i, p := range receive(t, far, 20) {
			if !bytes.Equal(p.Payload, packets[2*i+1].Payload) {
				t.Errorf("packet %d is %v", i, p.Payload)
			}
		}
		unreachable(t, await(t, near, 60), packets, closed)
	})
}

// unreachable looks for a stamp of every packet, and for an ICMP error for
// every one to the closed port.
func unreachable(t *testing.T, events []timestamp.Event, packets []timestamp.Outgoing, closed netip.AddrPort) {
	t.Helper()
	kind, code := uint8(3), uint8(3) // RFC 792
	if closed.Addr().Is6() {
		kind, code = 1, 4 // RFC 4443, section 3.1
	}
	sent, refused := 0, 0
	for _, e := range events {
		switch e.Kind {
		case timestamp.Sent:
			if e.ID != packets[sent].ID {
				t.Errorf("stamp of %d; want that of %d", e.ID, packets[sent].ID)
			}
			sent++
		case timestamp.Unreachable:
			payload := packets[2*refused].Payload
			if e.To != closed || e.ICMPType != kind || e.ICMPCode != code || !bytes.Equal(e.Quoted, payload) {
				t.Errorf("%+v; want %d/%d of %v, %v", e, kind, code, closed, payload)
			}
			refused++
		}
	}
	if sent != len(packets) || refused != len(packets)/2 {
		t.Errorf("%d stamps and %d errors of %d packets", sent, refused, len(packets))
	}
}

// TestAnErrorThatWaitsIsPassedOver: what ICMP said of one packet is given to the
// next system call, whatever that is for.
func TestAnErrorThatWaitsIsPassedOver(t *testing.T) {
	everyWay(t, func(t *testing.T, o timestamp.Options) {
		near, far := pair(t, o)
		lost := []timestamp.Outgoing{packet(1, closedPort(t, o))}
		there, back := []timestamp.Outgoing{packet(2, far.Local())}, []timestamp.Outgoing{packet(3, near.Local())}

		near.Send(lost)
		if taken := near.Send(there); taken != 1 {
			t.Errorf("Send: %v", there[0].Err)
		}
		far.Send(back)
		near.Send(lost)
		if in, err := near.Receive(); len(in) != 1 || err != nil {
			t.Errorf("Receive gave %v, %v", in, err)
		}
		far.Send(back)
		near.Send(lost)
		if in, err := near.Await(bound); len(in) != 1 || err != nil {
			t.Errorf("Await gave %v, %v", in, err)
		}
	})
}

func TestPacketsOfEveryLength(t *testing.T) {
	everyWay(t, func(t *testing.T, o timestamp.Options) {
		near := open(t, o)
		o.MaxPacket = 100
		far := open(t, o)
		var packets []timestamp.Outgoing
		for _, length := range []int{100, 101, 4, 1400} {
			packets = append(packets, timestamp.Outgoing{To: far.Local(), Payload: make([]byte, length), TOS: -1})
		}
		near.Send(packets)
		in := receive(t, far, 2)
		if len(in[0].Payload) != 100 || len(in[1].Payload) != 4 {
			t.Errorf("%d and %d octets; want those that are not too long, 100 and 4", len(in[0].Payload), len(in[1].Payload))
		}
	})
}

func TestAnEmptyPacket(t *testing.T) {
	for _, family := range families {
		near, far := pair(t, options(family.loopback))
		near.Send([]timestamp.Outgoing{{To: far.Local(), ID: 5, TOS: -1}})
		if in := receive(t, far, 1); len(in[0].Payload) != 0 {
			t.Errorf("%s: %d octets", family.name, len(in[0].Payload))
		}
		if got := sentIDs(t, await(t, near, 1)); got[0] != 5 {
			t.Errorf("%s: stamp of %d; want 5", family.name, got[0])
		}
	}
}

func TestDropsAreCounted(t *testing.T) {
	everyWay(t, func(t *testing.T, o timestamp.Options) {
		near := open(t, o)
		o.Buffer = 8192
		far := open(t, o)
		for id := range uint32(100) {
			near.Send([]timestamp.Outgoing{packet(id, far.Local())})
		}
		arrived := uint64(0)
		for {
			in, err := far.Receive()
			if err != nil {
				t.Fatal(err)
			}
			if len(in) == 0 {
				break
			}
			arrived += uint64(len(in))
		}
		near.Send([]timestamp.Outgoing{packet(100, far.Local())})
		receive(t, far, 1)
		if far.Drops() != 100-arrived || far.Drops() == 0 {
			t.Errorf("%d drops; %d of 100 arrived", far.Drops(), arrived)
		}
	})
}

// TestDropsAreFoundWithoutALaterPacket: what fills a buffer may be stamps, and then
// no packet comes any more.
func TestDropsAreFoundWithoutALaterPacket(t *testing.T) {
	everyWay(t, func(t *testing.T, o timestamp.Options) {
		near := open(t, o)
		o.Buffer = 8192
		far := open(t, o)
		for id := range uint32(100) {
			near.Send([]timestamp.Outgoing{packet(id, far.Local())})
		}
		for late := time.Now().Add(bound); far.Drops() == 0; runtime.Gosched() {
			if time.Now().After(late) {
				t.Fatal("no drops are found")
			}
		}
		for arrived := 0; far.Drops()+uint64(arrived) != 100; {
			in, err := far.Await(bound)
			if err != nil || len(in) == 0 {
				t.Fatalf("%d drops; %d of 100 arrived, and no more: %v", far.Drops(), arrived, err)
			}
			arrived += len(in)
		}
	})
}

func TestTheDropCounterGoesRound(t *testing.T) {
	s := open(t, options("127.0.0.1"))
	for _, seen := range []uint32{1 << 31, 1<<32 - 2, 3} {
		s.Saw(seen)
	}
	if s.Drops() != 1<<32+3 {
		t.Errorf("%d drops; want %d", s.Drops(), uint64(1<<32+3))
	}
}
