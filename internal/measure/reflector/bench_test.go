package reflector

import (
	"net/netip"
	"testing"
	"time"

	"ixpqos/internal/measure/timestamp"
)

// steady is a socket that gives the same packets again and again, takes every
// reply and stamps it.
type steady struct {
	local  netip.AddrPort
	in     []timestamp.Incoming
	events []timestamp.Event
}

func (s *steady) Receive() ([]timestamp.Incoming, error) { return s.in, nil }

func (s *steady) Await(time.Duration) ([]timestamp.Incoming, error) { return s.in, nil }

func (s *steady) Events() ([]timestamp.Event, error) {
	given := s.events
	s.events = s.events[:0]
	return given[:min(len(given), batch-1)], nil
}

func (s *steady) Send(packets []timestamp.Outgoing) int {
	for _, p := range packets {
		s.events = append(s.events, timestamp.Event{Kind: timestamp.Sent, ID: p.ID, At: 1})
	}
	return len(packets)
}

func (s *steady) Local() netip.AddrPort    { return s.local }
func (s *steady) Drops() uint64            { return 0 }
func (s *steady) Doubt() string            { return "" }
func (s *steady) Kernel() timestamp.Stamps { return timestamp.Stamps{Receive: true, Transmit: true} }
func (s *steady) Close() error             { return nil }

// steadyPort has a batch of packets of expected flows, from so many sessions in
// all.
func steadyPort(sessions int) (p *Port, next func() []timestamp.Incoming) {
	local, from := netip.MustParseAddr("198.18.0.1"), netip.MustParseAddr("198.18.0.2")
	s := &steady{local: netip.AddrPortFrom(local, 862), events: make([]timestamp.Event, 0, batch)}
	r := New(ThisHost("self", func(string, string) {}))
	r.perPacket = 0
	r.SetAllowed([]netip.Addr{from})
	p = r.Attach(s)
	r.Expect([]Expectation{{
		Test: "fabric", Interval: 10 * time.Second, Source: "far", Address: from, Local: local, FirstPort: 1000, Flows: sessions,
	}})
	s.in = make([]timestamp.Incoming, batch-1)
	n := 0
	return p, func() []timestamp.Incoming {
		now := timestamp.Now()
		for i := range s.in {
			in := &s.in[i]
			in.From = netip.AddrPortFrom(from, uint16(1000+n%sessions))
			if in.Payload == nil {
				in.Payload = packetAt(now, 0, 1)
			}
			setSequence(in.Payload, uint32(n/sessions))
			in.At, in.Kernel, in.TTL = now, true, 255
			n++
		}
		return s.in
	}
}

func setSequence(payload []byte, sequence uint32) {
	payload[0], payload[1], payload[2], payload[3] = byte(sequence>>24), byte(sequence>>16), byte(sequence>>8), byte(sequence)
}

func TestNothingIsAllocatedForAPacket(t *testing.T) {
	for _, sessions := range []int{1, 320} {
		p, next := steadyPort(sessions)
		warm(p, next)
		if n := testing.AllocsPerRun(1000, func() { p.answer(next()) }); n != 0 {
			t.Errorf("%d sessions: %v allocations a batch", sessions, n)
		}
		if s := p.reflector.Stats(); s.Answered != s.Received || s.Sessions != sessions {
			t.Errorf("%+v", s)
		}
	}
}

// warm answers until every session is there and all buffers have grown.
func warm(p *Port, next func() []timestamp.Incoming) {
	for range 100 {
		p.answer(next())
	}
}

// BenchmarkAnswer is all that is done for a packet of an expected flow, but for
// the system calls.
func BenchmarkAnswer(b *testing.B) {
	p, next := steadyPort(320)
	warm(p, next)
	b.ReportAllocs()
	for b.Loop() {
		p.answer(next())
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*(batch-1)), "ns/packet")
}
