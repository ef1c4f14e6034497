package sender

import (
	"fmt"
	"testing"
	"time"

	"ixpqos/internal/inventory"
	"ixpqos/internal/measure/stamp"
	"ixpqos/internal/measure/timestamp"
)

// mirror is a socket that answers every packet at once, and allocates nothing
// once it has its buffers.
type mirror struct {
	now      *int64
	events   []timestamp.Event
	incoming []timestamp.Incoming
	octets   [][]byte
	// told and given are how many of them were taken.
	told, given int
}

func (m *mirror) Send(packets []timestamp.Outgoing) int {
	m.events, m.incoming, m.told, m.given = m.events[:0], m.incoming[:0], 0, 0
	for i := range packets {
		p := &packets[i]
		p.Err = nil
		if i == len(m.octets) {
			m.octets = append(m.octets, make([]byte, 0, 256))
		}
		q, _ := stamp.ParseRequest(p.Payload)
		at := *m.now + 1000
		m.octets[i], _ = stamp.Reflect(m.octets[i][:0], p.Payload, stamp.Reflection{Sequence: q.Sequence, TTL: sentTTL,
			Received: stamp.TimestampOf(at, stamp.NTP), Sent: stamp.TimestampOf(at+1000, stamp.NTP)})
		m.events = append(m.events, timestamp.Event{Kind: timestamp.Sent, ID: p.ID, At: *m.now})
		m.incoming = append(m.incoming, timestamp.Incoming{From: p.To, Payload: m.octets[i], At: at + 2000, Kernel: true, TTL: sentTTL})
	}
	return len(packets)
}

func (m *mirror) Receive() (in []timestamp.Incoming, err error) {
	in = m.incoming[m.given:min(m.given+batch, len(m.incoming))]
	m.given += len(in)
	return in, nil
}

func (m *mirror) Events() (events []timestamp.Event, err error) {
	events = m.events[m.told:min(m.told+batch, len(m.events))]
	m.told += len(events)
	return events, nil
}

func (m *mirror) BufferSize() int { return wantedBuffer }

func (m *mirror) SendBufferSize() int { return wantedBuffer }

func (m *mirror) Kernel() timestamp.Stamps {
	return timestamp.Stamps{Receive: true, Transmit: true}
}

func (m *mirror) Doubt() string { return "" }
func (m *mirror) Drops() uint64 { return 0 }
func (m *mirror) Close() error  { return nil }

// mirrored is a sender with 16 flows to each of some targets, which are mirrors.
type mirrored struct {
	*Sender
	wall    int64
	began   int64
	packets int // a tick
}

func newMirrored(t testing.TB, targets int) *mirrored {
	m := &mirrored{began: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()}
	m.wall = m.began
	ssid := uint16(0)
	m.Sender = New(Settings{
		Name:    "p1",
		Open:    func(timestamp.Options) (Socket, error) { return &mirror{now: &m.wall}, nil },
		Clock:   func() (bool, time.Duration) { return true, time.Microsecond },
		Random:  func() uint16 { ssid++; return ssid },
		Trouble: func(string, string) {},
	})
	test := plan("flows")
	test.Flows, test.Every = 16, time.Minute
	part := inventory.Part{Probe: "p1", Addresses: addressesOf("p1"), Tests: []inventory.Test{test}}
	for i := range targets {
		part.Peers = append(part.Peers, inventory.Peer{Name: fmt.Sprintf("far%d", i), ReflectorPort: 862, Stateful: true,
			Addresses: []inventory.Address{{Family: 4, Host: fmt.Sprintf("198.18.1.%d", i+1)}}})
	}
	m.Apply(part)
	m.packets = targets * test.Flows / int(test.Spacing/Tick)
	return m
}

func (m *mirrored) tick(emit func(Interval)) {
	m.wall += int64(Tick)
	m.Tick(Moment{Wall: m.wall, Since: time.Duration(m.wall - m.began)}, emit)
}

func ignore(Interval) {}

// warm goes on until all buffers have grown and an interval is settled: what
// those cost is nothing that a packet costs. No interval ends soon.
func (m *mirrored) warm() {
	for range int((2*every + time.Minute) / Tick) {
		m.tick(ignore)
	}
}

func TestNothingIsAllocatedForAPacket(t *testing.T) {
	m := newMirrored(t, 20)
	m.warm()
	answered := m.tests[0].pairs[0].sessions[0].highest
	if n := testing.AllocsPerRun(200, func() { m.tick(ignore) }); n > 0 {
		t.Errorf("%g allocations a tick", n)
	}
	if now := m.tests[0].pairs[0].sessions[0].highest; now < answered+39 {
		t.Errorf("%d packets of a flow were answered meanwhile", now-answered)
	}
}

func BenchmarkTick(b *testing.B) {
	for _, targets := range []int{1, 20, 100} {
		b.Run(fmt.Sprintf("targets=%d", targets), func(b *testing.B) {
			m := newMirrored(b, targets)
			m.warm()
			results := 0
			emit := func(i Interval) { results += len(i.Results) }
			b.ReportAllocs()
			ticks := 0
			for b.Loop() {
				m.tick(emit)
				ticks++
			}
			packets := float64(ticks*m.packets) + 1e-9
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/packets, "ns/packet")
		})
	}
}
