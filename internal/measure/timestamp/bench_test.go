package timestamp_test

import (
	"testing"

	"ixpqos/internal/measure/timestamp"
)

// round sends packets, and takes their stamps and the packets.
func round(t testing.TB, near, far *timestamp.Socket, packets []timestamp.Outgoing) {
	if taken := near.Send(packets); taken != len(packets) {
		t.Fatalf("%d of %d packets were taken", taken, len(packets))
	}
	events, received := 0, 0
	for range 1_000_000 {
		e, _ := near.Events()
		in, _ := far.Receive()
		events, received = events+len(e), received+len(in)
		if events == len(packets) && received == len(packets) {
			return
		}
	}
	t.Fatalf("%d events and %d packets of %d", events, received, len(packets))
}

func packetsTo(far *timestamp.Socket, n int) (packets []timestamp.Outgoing) {
	for id := range uint32(n) {
		p := timestamp.Outgoing{To: far.Local(), Payload: make([]byte, 72), ID: id, TOS: -1}
		packets = append(packets, p)
	}
	return packets
}

func TestNothingIsAllocatedForAPacket(t *testing.T) {
	everyWay(t, func(t *testing.T, o timestamp.Options) {
		near, far := pair(t, o)
		packets := packetsTo(far, 40)
		if n := testing.AllocsPerRun(100, func() { round(t, near, far, packets) }); n != 0 {
			t.Errorf("%v allocations for 40 packets", n)
		}
		if n := testing.AllocsPerRun(100, func() { turn(t, near, far, packets[:1]) }); n != 0 {
			t.Errorf("%v allocations to await a packet", n)
		}
	})
}

// turn is a round of packets that are awaited.
func turn(t testing.TB, near, far *timestamp.Socket, packets []timestamp.Outgoing) {
	near.Send(packets)
	for received := 0; received < len(packets); {
		in, err := far.Await(bound)
		if err != nil {
			t.Fatal(err)
		}
		received += len(in)
	}
	if _, err := near.Events(); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkRound is what a packet costs over loopback, from Send to its stamp
// and its arrival, kernel included.
func BenchmarkRound(b *testing.B) {
	for _, family := range families {
		o := options(family.loopback)
		o.Batch = 64
		for _, way := range []struct {
			name string
			o    timestamp.Options
		}{{"by ID", o}, {"by payload", o.ByPayload()}} {
			b.Run(family.name+"/"+way.name, func(b *testing.B) {
				near, far := pair(b, way.o)
				packets := packetsTo(far, 50)
				round(b, near, far, packets) // to grow all buffers
				b.ReportAllocs()
				for b.Loop() {
					round(b, near, far, packets)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(packets)), "ns/packet")
			})
		}
	}
}
