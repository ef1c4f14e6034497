package stamp

import (
	"math"
	"math/big"
	"testing"
	"time"
)

func TestErrorEstimateLayout(t *testing.T) {
	for _, c := range []struct {
		synchronized bool
		f            Format
		bound        time.Duration
		want         ErrorEstimate
	}{
		{false, NTP, 0, 0x0001}, // a Multiplier is never zero
		{false, NTP, -time.Second, 0x0001},
		{true, NTP, 0, 0x8001},
		{false, PTP, 0, 0x4001},
		{true, PTP, time.Second, 0x8000 | 0x4000 | 25<<8 | 128},
		{false, NTP, 2 * time.Second, 26<<8 | 128},
		{false, NTP, 255 * time.Second, 32<<8 | 255},
		{false, NTP, 255*time.Second + 1, 33<<8 | 128},
		{false, NTP, 257 * time.Second, 33<<8 | 129},
		{false, NTP, 59 * time.Nanosecond, 254},
		{false, NTP, 60 * time.Nanosecond, 1<<8 | 129},
	} {
		got := NewErrorEstimate(c.synchronized, c.f, c.bound)
		if got != c.want {
			t.Errorf("%v, %d, %v: %#04x, want %#04x", c.synchronized, c.f, c.bound, uint16(got), uint16(c.want))
		}
		if got.Synchronized() != c.synchronized || got.Format() != c.f {
			t.Errorf("%#04x is read as %v and %d", uint16(got), got.Synchronized(), got.Format())
		}
	}
}

// exactly is the error of e in nanoseconds, as RFC 4656 section 4.1.2 defines it.
func exactly(e ErrorEstimate) *big.Rat {
	nanoseconds := new(big.Int).Lsh(big.NewInt(int64(e&0xFF)*second), uint(e>>8&0x3F))
	return new(big.Rat).SetFrac(nanoseconds, new(big.Int).Lsh(big.NewInt(1), 32))
}

// TestBound compares every Error Estimate there is.
func TestBound(t *testing.T) {
	longest := new(big.Rat).SetInt64(math.MaxInt64)
	for all := range 1 << 16 {
		e := ErrorEstimate(all)
		exact, bound := exactly(e), new(big.Rat).SetInt64(int64(e.Bound()))
		if e&0xFF == 0 || exact.Cmp(longest) > 0 {
			exact = longest
		}
		above := new(big.Rat).Sub(bound, exact)
		if above.Sign() < 0 || above.Cmp(big.NewRat(1, 1)) >= 0 {
			t.Fatalf("%#04x: bound %v, exactly %s ns", all, e.Bound(), exact.FloatString(3))
		}
	}
}

// TestNewErrorEstimateIsTheSmallest looks for a better one among all.
func TestNewErrorEstimateIsTheSmallest(t *testing.T) {
	bounds := []time.Duration{1, 58, 59, 60, 118, 119, 120, time.Microsecond, 123_456_789, time.Second - 1, time.Second, time.Second + 1,
		time.Hour, 1 << 32 * time.Second, math.MaxInt64 - 1, math.MaxInt64}
	for _, bound := range bounds {
		want := new(big.Rat).SetInt64(int64(bound))
		got := exactly(NewErrorEstimate(false, NTP, bound))
		if got.Cmp(want) < 0 {
			t.Errorf("%v: %s ns are below it", bound, got.FloatString(3))
		}
		for other := range ErrorEstimate(1 << 14) {
			if exact := exactly(other); exact.Cmp(want) >= 0 && exact.Cmp(got) < 0 {
				t.Fatalf("%v: %s ns, but %s would do", bound, got.FloatString(3), exact.FloatString(3))
			}
		}
	}
}
