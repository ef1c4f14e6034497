package ippm

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func delayOf(t *testing.T, samples ...float64) Delay {
	t.Helper()
	var d Delay
	for _, s := range samples {
		if err := d.Add(s); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func result(counts Counts, rtt Delay) Result {
	return Result{
		ID:   ID{Series: Series{Source: "p1", Target: "p2", Test: "ping", Family: 4}, Start: start},
		Kind: "icmp", Length: 10 * time.Second, Counts: counts, RTT: rtt,
	}
}

func TestTotalLossHasLossAndNoDelay(t *testing.T) {
	r := result(Counts{Sent: 10, Unplaced: 10}, Delay{})
	if err := r.Check(); err != nil {
		t.Fatal(err)
	}
	if ratio, ok := r.LossRatio(); !ok || ratio != 1 {
		t.Errorf("loss ratio = %v, %v; want 1", ratio, ok)
	}
	if _, ok := r.RTT.Quantile(0.5); ok {
		t.Error("total loss has a median")
	}
}

func TestNothingSentHasNoLossRatio(t *testing.T) {
	if ratio, ok := (Counts{Refused: 10}).LossRatio(); ok {
		t.Errorf("loss ratio = %v of nothing sent", ratio)
	}
}

func TestDuplicatesAndLateRepliesChangeNoLoss(t *testing.T) {
	r := result(Counts{Sent: 10, Received: 6, Late: 1, Forward: 1, Backward: 1, Unplaced: 1, Duplicates: 7, Reordered: 2}, delayOf(t, 1, 2, 3, 4, 5, 6))
	if err := r.Check(); err != nil {
		t.Fatal(err)
	}
	if ratio, _ := r.LossRatio(); ratio != 0.3 {
		t.Errorf("loss ratio = %v; want 0.3", ratio)
	}
}

// TestMergingEqualsAllSamples is the promise of the package.
func TestMergingEqualsAllSamples(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		var all []float64
		var parts []Result
		for i := range 1 + random.IntN(6) {
			samples := make([]float64, random.IntN(200))
			for j := range samples {
				samples[j] = math.Exp(random.NormFloat64()*2 + 6)
			}
			all = append(all, samples...)
			r := result(Counts{Sent: len(samples) + i, Received: len(samples), Unplaced: i}, delayOf(t, samples...))
			r.Start = start.Add(time.Duration(i) * r.Length)
			parts = append(parts, r)
		}
		random.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		merged, err := Merge(parts...)
		if err != nil {
			t.Fatal(err)
		}
		if err := merged.Check(); err != nil {
			t.Fatal(err)
		}
		checkSame(t, merged.RTT, delayOf(t, all...))
		if want := time.Duration(len(parts)) * parts[0].Length; merged.Length != want || !merged.Start.Equal(start) {
			t.Errorf("interval = %v for %v; want %v for %v", merged.Start, merged.Length, start, want)
		}
		if merged.Received != len(all) || merged.Sent != merged.Received+merged.Unplaced {
			t.Errorf("counts = %+v for %d samples", merged.Counts, len(all))
		}
	}
}

func checkSame(t *testing.T, got, want Delay) {
	t.Helper()
	if got.N != want.N {
		t.Fatalf("%d samples; want %d", got.N, want.N)
	}
	if got.N == 0 {
		return
	}
	if got.Min != want.Min || got.Max != want.Max {
		t.Errorf("min, max = %v, %v; want %v, %v", got.Min, got.Max, want.Min, want.Max)
	}
	near := func(what string, a, b float64) {
		if math.Abs(a-b) > 1e-9*math.Abs(b) {
			t.Errorf("%s = %v; want %v", what, a, b)
		}
	}
	near("mean", got.Mean, want.Mean)
	near("standard deviation", got.StdDev(), want.StdDev())
	if !bytes.Equal(got.Sketch.Encode(), want.Sketch.Encode()) {
		t.Error("the merged sketch is not the sketch of all samples")
	}
}

func TestQuantilesKeepTheirAccuracy(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	samples := make([]float64, 10_000)
	for i := range samples {
		samples[i] = 50 + random.ExpFloat64()*400
	}
	d := delayOf(t, samples...)
	slices.Sort(samples)
	for _, q := range []float64{0, 0.5, 0.95, 0.99, 1} {
		got, ok := d.Quantile(q)
		want := samples[max(int(math.Ceil(q*float64(len(samples))))-1, 0)]
		if !ok || math.Abs(got-want) > SketchAccuracy*want {
			t.Errorf("quantile %v = %v, %v; want %v within %v", q, got, ok, want, SketchAccuracy)
		}
	}
}

func TestQuantilesOfFewSamplesAreNearestRanks(t *testing.T) {
	d := delayOf(t, 500, 100, 300, 200, 400)
	for q, want := range map[float64]float64{0: 100, 0.2: 100, 0.21: 200, 0.5: 300, 0.8: 400, 0.81: 500, 0.95: 500, 1: 500} {
		if got, _ := d.Quantile(q); math.Abs(got-want) > SketchAccuracy*want {
			t.Errorf("quantile %v = %v; want %v", q, got, want)
		}
	}
	if got, _ := delayOf(t, 7).Quantile(0.01); got != 7 {
		t.Errorf("quantile of one sample = %v", got)
	}
}

func TestMergingSharesNothing(t *testing.T) {
	one := delayOf(t, 1, 2, 3)
	for _, sum := range []Delay{one.Merged(Delay{}), (Delay{}).Merged(one), one.Merged(delayOf(t, 4))} {
		if err := sum.Add(99); err != nil {
			t.Fatal(err)
		}
	}
	if one.Sketch.Count() != 3 {
		t.Errorf("adding to a sum changed a part: %d samples", one.Sketch.Count())
	}
}

func TestMergeKeepsTheEarliestFirst(t *testing.T) {
	ms := func(n int) *time.Duration { d := time.Duration(n) * time.Millisecond; return &d }
	at := func(i int, first *time.Duration) Result {
		r := result(Counts{}, Delay{})
		r.Start, r.First = start.Add(time.Duration(i)*r.Length), first
		return r
	}
	merged, err := Merge(at(2, ms(2)), at(0, nil), at(3, ms(3)), at(1, ms(1)))
	if err != nil {
		t.Fatal(err)
	}
	if merged.First == nil || *merged.First != time.Millisecond {
		t.Errorf("first = %v; want that of the earliest that has one, 1ms", merged.First)
	}
}

func TestMergeRefusesWhatDoesNotBelongTogether(t *testing.T) {
	other := result(Counts{}, Delay{})
	other.Target = "p3"
	if _, err := Merge(result(Counts{}, Delay{}), other); err == nil {
		t.Error("two series were merged")
	}
	if _, err := Merge(); err == nil {
		t.Error("nothing was merged")
	}
}

func TestCheckNamesWhatIsWrong(t *testing.T) {
	good := func() Result { return result(Counts{Sent: 3, Received: 3}, delayOf(t, 10, 20, 30)) }
	negative := -time.Second
	for want, breakIt := range map[string]func(*Result){
		`source "" is empty`:                                  func(r *Result) { r.Source = "" },
		`target "p2 " begins or ends with a space`:            func(r *Result) { r.Target = "p2 " },
		"test \"a\\\\\" ends with a backslash":                func(r *Result) { r.Test = `a\` },
		"kind \"\\n\" contains a control character":           func(r *Result) { r.Kind = "\n" },
		"has 64 bytes; a name has at most 63":                 func(r *Result) { r.Source = strings.Repeat("x", 64) },
		"is not valid UTF-8":                                  func(r *Result) { r.Source = "\xff" },
		"source and target are the same":                      func(r *Result) { r.Target = "p1" },
		"family is 5":                                         func(r *Result) { r.Family = 5 },
		"dscp is 64":                                          func(r *Result) { r.DSCP = 64 },
		"length is 0s":                                        func(r *Result) { r.Length = 0 },
		"length is 25h0m0s":                                   func(r *Result) { r.Length = 25 * time.Hour },
		"no time of a measurement":                            func(r *Result) { r.Start = time.Time{} },
		"lost_backward is -1; it cannot be negative":          func(r *Result) { r.Backward, r.Forward = -1, 1 },
		"received is 281474976710657; it is at most":          func(r *Result) { r.Received = 1<<48 + 1 },
		"sent is 4, but received 3, late 0 and lost 0 make 3": func(r *Result) { r.Sent = 4 },
		"3 round-trip times for 2 received packets":           func(r *Result) { r.Sent, r.Received = 2, 2 },
		"rtt_min_us is -1":                                    func(r *Result) { r.RTT.Min = -1 },
		"not finite":                                          func(r *Result) { r.RTT.Mean = math.NaN() },
		"not in order":                                        func(r *Result) { r.RTT.Mean = 31 },
		"rtt has a negative deviation":                        func(r *Result) { r.RTT.M2 = -1 },
		"3 samples but a sketch of 0":                         func(r *Result) { r.RTT.Sketch = Sketch{} },
		"rtt has a negative number of samples":                func(r *Result) { r.RTT.N = -3 },
		"first_rtt_us is -1s":                                 func(r *Result) { r.First = &negative },
		"flow 61000: it counts nothing":                       func(r *Result) { r.Flows = []Flow{{Port: 61000}} },
		"flow 61000 lost packets in seconds that": func(r *Result) {
			r.Flows = []Flow{{Port: 61000, Counts: r.Counts, LossyForward: 1 << 10}}
		},
		"length is 1m1s; with flows": func(r *Result) {
			r.Length, r.Flows = 61*time.Second, []Flow{{Port: 61000, Counts: r.Counts}}
		},
		"rtt has a value beyond all clocks": func(r *Result) { r.RTT.M2 = math.MaxFloat64 },
		"the flows' counts make {Sent:1":    func(r *Result) { r.Flows = []Flow{{Port: 61000, Counts: Counts{Sent: 1, Received: 1}}} },
	} {
		r := good()
		breakIt(&r)
		if err := r.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v; want one with %q", err, want)
		}
	}
	if err := good().Check(); err != nil {
		t.Errorf("a good result is refused: %v", err)
	}
}

func TestSamplesThatAreNoDelayAreRefused(t *testing.T) {
	d := delayOf(t, 5)
	for _, us := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if err := d.Add(us); err == nil {
			t.Errorf("%v was taken", us)
		}
	}
	if d.N != 1 || d.Sketch.Count() != 1 {
		t.Errorf("a refused sample changed the summary: %+v", d)
	}
}

func TestSketchComesBackAsItWas(t *testing.T) {
	for _, samples := range [][]float64{nil, {0}, {0, 0, 1}, {-3, -2, 0, 5}, {1e-3, 1e7}, {12.5, 12.5, 13, 900}} {
		encoded := delayOf(t, samples...).Sketch.Encode()
		decoded, err := DecodeSketch(encoded)
		if err != nil {
			t.Fatalf("%v: %v", samples, err)
		}
		if decoded.Count() != len(samples) || !bytes.Equal(decoded.Encode(), encoded) {
			t.Errorf("%v came back with %d samples", samples, decoded.Count())
		}
	}
}

// TestBrokenSketchIsRefused: the library drops errors within a store.
func TestBrokenSketchIsRefused(t *testing.T) {
	good := delayOf(t, 0, 1, 12.5, 900, 1e6).Sketch.Encode()
	for name, b := range map[string][]byte{
		"one byte":              {0xff},
		"an unknown flag":       {0x01},
		"an unknown encoding":   append([]byte{0xfd}, good...),
		"bins without a number": {0x05},
		"fewer bins than said":  {0x05, 0x03, 0x02, 0x02},
		"no bins":               {0x05, 0x00},
		"no zeros":              {0x04, 0x00},
		"rubbish behind":        append(good[:len(good):len(good)], 0xff),
	} {
		if s, err := DecodeSketch(b); err == nil || s.Count() != 0 {
			t.Errorf("%s: %d samples, %v", name, s.Count(), err)
		}
	}
	for n := 1; n < len(good); n++ {
		if s, err := DecodeSketch(good[:n]); err == nil && s.Count() == 5 {
			t.Errorf("%d of %d bytes give all samples", n, len(good))
		}
	}
}

// FuzzDecodeSketch sends any bytes: they may be refused, but what is accepted
// counts whole samples and gives finite quantiles, in bounded memory.
func FuzzDecodeSketch(f *testing.F) {
	var d Delay
	for _, us := range []float64{0, 1, 12.5, 900, 1e6} {
		if err := d.Add(us); err != nil {
			f.Fatal(err)
		}
	}
	good := d.Sketch.Encode()
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add([]byte{0x05, 0x02, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x02})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := DecodeSketch(b)
		if err != nil {
			return
		}
		if s.Count() < 0 || s.Count() == 0 && len(b) > 0 {
			t.Fatalf("%d samples", s.Count())
		}
		if us, ok := s.Quantile(0.5); ok && (math.IsNaN(us) || math.IsInf(us, 0)) {
			t.Fatalf("median %v", us)
		}
		if again, err := DecodeSketch(s.Encode()); err != nil || again.Count() != s.Count() {
			t.Fatalf("%d samples came back as %d (%v)", s.Count(), again.Count(), err)
		}
	})
}

func TestDelaysAreReadable(t *testing.T) {
	for us, want := range map[float64]string{0.46: "0.5 µs", 9.94: "9.9 µs", 9.96: "10 µs", 128.2: "128 µs", 999.6: "1.00 ms",
		12_345: "12.35 ms", 99_996: "100 ms", 2_000_000: "2000 ms"} {
		if got := DelayText(us); got != want {
			t.Errorf("%v µs reads %q; want %q", us, got, want)
		}
	}
}
