package timestamp_test

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"

	"ixpqos/internal/measure/timestamp"
)

// bound is how long a test waits for what is sure to come.
const bound = 20 * time.Second

var families = []struct{ name, loopback string }{
	{"IPv4", "127.0.0.1"},
	{"IPv6", "::1"},
}

// everyWay runs a test in both families, with stamps as this kernel gives them
// and as older ones do.
func everyWay(t *testing.T, test func(t *testing.T, o timestamp.Options)) {
	for _, family := range families {
		o := options(family.loopback)
		t.Run(family.name+"/by ID", func(t *testing.T) { test(t, o) })
		t.Run(family.name+"/by payload", func(t *testing.T) { test(t, o.ByPayload()) })
	}
}

func options(address string) timestamp.Options {
	return timestamp.Options{
		Local:     netip.AddrPortFrom(netip.MustParseAddr(address), 0),
		Batch:     16,
		MaxPacket: 1500,
		Identify:  binary.BigEndian.Uint32,
	}
}

func open(t testing.TB, o timestamp.Options) *timestamp.Socket {
	t.Helper()
	s, err := timestamp.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// pair opens two sockets. The kernel starts to stamp what comes in a moment
// after the first socket asks for it; pair returns when it does.
func pair(t testing.TB, o timestamp.Options) (near, far *timestamp.Socket) {
	t.Helper()
	near, far = open(t, o), open(t, o)
	warm(t, near, far)
	return near, far
}

func warm(t testing.TB, near, far *timestamp.Socket) {
	t.Helper()
	stamped := until(func() bool {
		near.Send([]timestamp.Outgoing{packet(0, far.Local())})
		in := receive(t, far, 1)
		return in[0].Kernel
	})
	if !stamped {
		t.Fatal("the kernel does not stamp what comes in")
	}
	drainEvents(t, near)
}

// packet has its ID as the front of its payload, and by it its length.
func packet(id uint32, to netip.AddrPort) timestamp.Outgoing {
	payload := binary.BigEndian.AppendUint32(nil, id)
	return timestamp.Outgoing{To: to, Payload: append(payload, make([]byte, id%1000)...), ID: id, TOS: -1}
}

// until polls until a condition holds, and says whether it came to that.
func until(holds func() bool) bool {
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	late := time.After(bound)
	for !holds() {
		select {
		case <-poll.C:
		case <-late:
			return false
		}
	}
	return true
}

// receive waits for that many packets, and gives copies.
func receive(t testing.TB, s *timestamp.Socket, n int) (all []timestamp.Incoming) {
	t.Helper()
	until(func() bool {
		in, err := s.Await(time.Second)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range in {
			p.Payload = slices.Clone(p.Payload)
			all = append(all, p)
		}
		return len(all) >= n
	})
	if len(all) != n {
		t.Fatalf("%d packets came; want %d", len(all), n)
	}
	return all
}

// await waits for that many events, and gives copies.
func await(t testing.TB, s *timestamp.Socket, n int) (all []timestamp.Event) {
	t.Helper()
	until(func() bool {
		all = append(all, drainEvents(t, s)...)
		return len(all) >= n
	})
	if len(all) != n {
		t.Fatalf("%d events came; want %d: %v", len(all), n, all)
	}
	return all
}

func drainEvents(t testing.TB, s *timestamp.Socket) (all []timestamp.Event) {
	t.Helper()
	for {
		events, err := s.Events()
		if err != nil {
			t.Fatal(err)
		}
		if len(events) == 0 {
			return all
		}
		for _, e := range events {
			e.Quoted = slices.Clone(e.Quoted)
			all = append(all, e)
		}
	}
}

func sentIDs(t testing.TB, events []timestamp.Event) (ids []uint32) {
	t.Helper()
	for _, e := range events {
		if e.Kind != timestamp.Sent {
			t.Fatalf("an event that is no stamp: %+v", e)
		}
		ids = append(ids, e.ID)
	}
	return ids
}

func receivedIDs(in []timestamp.Incoming) (ids []uint32) {
	for _, p := range in {
		ids = append(ids, binary.BigEndian.Uint32(p.Payload))
	}
	return ids
}

// closedPort is one of the address that nothing listens on.
func closedPort(t testing.TB, o timestamp.Options) netip.AddrPort {
	t.Helper()
	s, err := timestamp.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return s.Local()
}
