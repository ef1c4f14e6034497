package ippm

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/encoding"
	"github.com/DataDog/sketches-go/ddsketch/store"
)

// libraryOf is the library's own sketch of the samples, as earlier versions had it.
func libraryOf(t *testing.T, samples []float64) *ddsketch.DDSketch {
	t.Helper()
	lib := ddsketch.NewDDSketchFromStoreProvider(sketchMapping, func() store.Store { return store.NewCollapsingLowestDenseStore(sketchBins) })
	for _, us := range samples {
		if err := lib.Add(us); err != nil {
			t.Fatal(err)
		}
	}
	return lib
}

// draws are samples as delays are, of few and of many orders, and of both signs.
func draws(r *rand.Rand) (samples []float64) {
	spread := []float64{0.1, 2, 14}[r.IntN(3)]
	for range 1 + r.IntN(700) {
		us := math.Exp(r.NormFloat64() * spread)
		switch r.IntN(40) {
		case 0:
			us = 0
		case 1:
			us = -us
		}
		samples = append(samples, us)
	}
	return samples
}

// TestSketchIsTheLibrarys: what is stored or sent by earlier versions is read as
// they meant it, and they read ours, collapsed bins too.
func TestSketchIsTheLibrarys(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		samples := draws(r)
		lib, ours := libraryOf(t, samples), delayOf(t, samples...).Sketch
		var theirs []byte
		lib.Encode(&theirs, true)
		read, err := DecodeSketch(theirs)
		if err != nil {
			t.Fatal(err)
		}
		back := libraryOf(t, nil)
		if err := back.DecodeAndMergeWith(ours.Encode()); err != nil || back.GetCount() != float64(len(samples)) {
			t.Fatalf("the library reads ours as %v samples, %v", back.GetCount(), err)
		}
		half := len(samples) / 2
		merged := delayOf(t, samples[:half]...).Merged(delayOf(t, samples[half:]...)).Sketch
		if string(merged.Encode()) != string(ours.Encode()) || string(read.Encode()) != string(ours.Encode()) {
			t.Fatal("merged, or read from the library's octets, the sketch is another")
		}
		slices.Sort(samples)
		for _, q := range []float64{0, 0.5, 0.95, 0.99, 1} {
			rank := max(math.Ceil(q*float64(len(samples)))-1, 0)
			got, ok := ours.Quantile(q)
			theirs, err := back.GetValueAtQuantile(min((rank+0.5)/max(float64(len(samples)-1), 1), 1))
			if err != nil || !ok || theirs > 0 && got != theirs {
				t.Fatalf("quantile %v of %d samples = %v, %v; the library's is %v, %v", q, len(samples), got, ok, theirs, err)
			}
			want := samples[int(rank)]
			if _, _, wide := ours.bounds(); !wide && math.Abs(got-want) > 1.0001*SketchAccuracy*math.Abs(want) {
				t.Fatalf("quantile %v of %d samples = %v; want %v", q, len(samples), got, want)
			}
		}
	}
}

// octets is what a sketch holds in memory, but for a fixed part.
func (s Sketch) octets() int {
	const perBin = 16
	return (cap(s.of.positive) + cap(s.of.negative)) * perBin
}

// TestSketchStaysSmall, whatever is in it: 60 octets were 32 kB, and a post of
// 2.6 MB was a gigabyte.
func TestSketchStaysSmall(t *testing.T) {
	var far []byte
	for _, half := range []encoding.FlagType{encoding.FlagTypePositiveStore, encoding.FlagTypeNegativeStore} {
		encoding.EncodeFlag(&far, encoding.NewFlag(half, encoding.BinEncodingIndexDeltas))
		encoding.EncodeUvarint64(&far, 3)
		for _, delta := range []int64{-1000, 1000, 1000} {
			encoding.EncodeVarint64(&far, delta)
		}
	}
	s, err := DecodeSketch(far)
	if err != nil || s.Count() != 6 {
		t.Fatal(s.Count(), err)
	}
	if got := s.octets(); got > 16*len(far) {
		t.Errorf("%d octets take %d", len(far), got)
	}
	if merged := s.Merged(s); merged.octets() > 2*s.octets() {
		t.Errorf("merged with itself it takes %d octets, alone %d", merged.octets(), s.octets())
	}
	var wide []byte
	encoding.EncodeFlag(&wide, encoding.NewFlag(encoding.FlagTypePositiveStore, encoding.BinEncodingIndexDeltas))
	encoding.EncodeUvarint64(&wide, 2*maxSketchIndex+1)
	encoding.EncodeVarint64(&wide, -maxSketchIndex)
	for range 2 * maxSketchIndex {
		encoding.EncodeVarint64(&wide, 1)
	}
	if s, err = DecodeSketch(wide); err != nil || s.Count() != 2*maxSketchIndex+1 || len(s.of.positive) != sketchBins {
		t.Errorf("all indices make %d samples in %d bins, %v; at most %d", s.Count(), len(s.of.positive), err, sketchBins)
	}
}

// TestSketchFitsItsSamples: minimum and maximum are exact, and a sketch that does
// not fit them was not made of the same samples.
func TestSketchFitsItsSamples(t *testing.T) {
	result := func(min, max float64, samples ...float64) Result {
		r := Result{ID: ID{Series: Series{Source: "p1", Target: "p2", Test: "ping", Family: 4}, Start: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)},
			Kind: "icmp", Length: time.Second, RTT: delayOf(t, samples...)}
		r.Sent, r.Received = len(samples), len(samples)
		r.RTT.Min, r.RTT.Max, r.RTT.Mean, r.RTT.M2 = min, max, (min+max)/2, 1
		return r
	}
	for _, c := range []struct {
		name   string
		result Result
		want   string
	}{
		{"its own", result(100, 300, 100, 200, 300), ""},
		{"rounded to nanoseconds", result(0.001, 300, 0.0014, 200, 300), ""},
		{"one that is 0", result(0, 300, 0, 300), ""},
		{"too wide for the bins", result(1e-12, 1e9, 1e-12, 1, 1e9), ""},
		{"a lower one", result(100, 300, 1, 200, 300), "but a sketch from 1.0"},
		{"a higher one", result(100, 300, 100, 200, 1e9), "but a sketch from "},
		{"a negative one", result(100, 300, -100, 200, 300), "but a sketch from -"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.result.Check()
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v; want %q", err, c.want)
			}
		})
	}
}
