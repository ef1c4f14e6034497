package stamp

import "testing"

// work is everything that is done once a packet, on buffers that are there.
func work(tb testing.TB) map[string]func() {
	packet := mustAppendRequest(tb, sample, 100)
	answer := mustReflect(tb, packet, sampleReflection)
	buffer := make([]byte, 0, len(packet))
	bound := NewErrorEstimate(true, NTP, 1000)
	return map[string]func(){
		"AppendRequest": func() {
			if _, err := AppendRequest(buffer, sample, 100); err != nil {
				tb.Fatal(err)
			}
		},
		"SetRequest": func() { SetRequest(packet, 7, TimestampOf(8, NTP), bound) },
		"ParseRequest": func() {
			if _, err := ParseRequest(packet); err != nil {
				tb.Fatal(err)
			}
		},
		"Reflect": func() {
			if _, err := Reflect(buffer, packet, sampleReflection); err != nil {
				tb.Fatal(err)
			}
		},
		"ParseReply": func() {
			if _, err := ParseReply(answer); err != nil {
				tb.Fatal(err)
			}
		},
		"RefuseRequest": func() {
			if _, err := Reflect(buffer, packet[:13], sampleReflection); err == nil {
				tb.Fatal("13 octets got a reply")
			}
		},
		"UnixNano":         func() { sink = Timestamp(0x1112131415161718).UnixNano(NTP, 0) },
		"NewErrorEstimate": func() { sink = int64(NewErrorEstimate(true, NTP, 123_456_789)) },
		"Bound":            func() { sink = int64(bound.Bound()) },
	}
}

// sink keeps the compiler from leaving out what nobody looks at.
var sink int64

func TestNothingAllocates(t *testing.T) {
	for name, do := range work(t) {
		if n := testing.AllocsPerRun(100, do); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

func BenchmarkCodec(b *testing.B) {
	for name, do := range work(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				do()
			}
		})
	}
}
