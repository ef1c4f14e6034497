package stamp

import (
	"math/rand/v2"
	"testing"
	"time"
)

func unixNano(year int, month time.Month, day, hour, minute, second, nanosecond int) int64 {
	return time.Date(year, month, day, hour, minute, second, nanosecond, time.UTC).UnixNano()
}

func TestTimestampOf(t *testing.T) {
	for _, c := range []struct {
		name string
		at   int64
		f    Format
		want Timestamp
	}{
		// RFC 5905 figure 4 gives the seconds of these days.
		{"NTP at the Unix epoch", 0, NTP, 2_208_988_800 << 32},
		{"NTP at the end of its era", unixNano(2036, 2, 7, 6, 28, 15, 0), NTP, 0xFFFFFFFF << 32},
		{"NTP at the begin of the next", unixNano(2036, 2, 7, 6, 28, 16, 0), NTP, 0},
		{"NTP with half a second", second / 2, NTP, 2_208_988_800<<32 | 1<<31},
		{"NTP with the last nanosecond", second - 1, NTP, 2_208_988_800<<32 | 0xFFFFFFFC},
		{"NTP before the Unix epoch", -1, NTP, 2_208_988_799<<32 | 0xFFFFFFFC},
		{"PTP at the Unix epoch", 0, PTP, 0},
		{"PTP with the last nanosecond", 5*second + 999_999_999, PTP, 5<<32 | 999_999_999},
		{"PTP at the end of its era", unixNano(2106, 2, 7, 6, 28, 15, 0), PTP, 0xFFFFFFFF << 32},
		{"PTP at the begin of the next", unixNano(2106, 2, 7, 6, 28, 16, 7), PTP, 7},
	} {
		if got := TimestampOf(c.at, c.f); got != c.want {
			t.Errorf("%s: %#x, want %#x", c.name, uint64(got), uint64(c.want))
		}
	}
}

// TestTimestampsComeBack tries every kind of nanosecond: fractions of NTP are
// finer than a nanosecond, so what holds for the edges and a random sample of
// each second holds for all.
func TestTimestampsComeBack(t *testing.T) {
	random := rand.New(rand.NewPCG(8762, 8972))
	nanoseconds := []int64{0, 1, 2, 3, 499_999_999, 500_000_000, 500_000_001, 999_999_998, 999_999_999}
	for range 100_000 {
		nanoseconds = append(nanoseconds, random.Int64N(second))
	}
	for _, f := range []Format{NTP, PTP} {
		for _, start := range []int64{unixNano(1969, 12, 31, 23, 59, 59, 0), unixNano(2026, 3, 1, 12, 0, 0, 0), unixNano(2036, 2, 7, 6, 28, 15, 0)} {
			for _, nanosecond := range nanoseconds {
				at := start + nanosecond
				if got := TimestampOf(at, f).UnixNano(f, at); got != at {
					t.Fatalf("format %d: %d came back as %d", f, at, got)
				}
			}
		}
	}
}

// TestForeignFractions: others round a fraction of NTP down, up or to the
// nearest when they write it, and cut off when they read it.
func TestForeignFractions(t *testing.T) {
	random := rand.New(rand.NewPCG(5905, 1))
	for range 10_000 {
		at := random.Int64N(second)
		exact := uint64(at) << 32
		for _, fraction := range []uint64{exact / second, (exact + second/2) / second, (exact + second - 1) / second} {
			if got := Timestamp(ntpEpoch<<32|fraction).UnixNano(NTP, 0); got != at {
				t.Fatalf("fraction %#x is read as %d ns, want %d", fraction, got, at)
			}
		}
		if got := int64(uint64(uint32(TimestampOf(at, NTP))) * second >> 32); got != at {
			t.Fatalf("%d ns are read as %d by those who cut off", at, got)
		}
	}
}

func TestEras(t *testing.T) {
	ntpRoll, ptpRoll := unixNano(2036, 2, 7, 6, 28, 16, 0), unixNano(2106, 2, 7, 6, 28, 16, 0)
	const day = 24 * int64(time.Hour)
	for _, c := range []struct {
		name     string
		f        Format
		at, near int64
	}{
		{"before the roll, read after it", NTP, ntpRoll - 1, ntpRoll + 5},
		{"after the roll, read before it", NTP, ntpRoll + 5, ntpRoll - 1},
		{"68 years ahead", NTP, ntpRoll, ntpRoll - 68*365*day},
		{"68 years behind", NTP, ntpRoll - 68*365*day, ntpRoll},
		{"PTP before its roll, read after it", PTP, ptpRoll - 1, ptpRoll + 5},
		{"PTP after its roll, read before it", PTP, ptpRoll + 5, ptpRoll - 1},
		{"PTP does not roll in 2036", PTP, ntpRoll + 5, ntpRoll - 1},
	} {
		if got := TimestampOf(c.at, c.f).UnixNano(c.f, c.near); got != c.at {
			t.Errorf("%s: %s, want %s", c.name, time.Unix(0, got).UTC(), time.Unix(0, c.at).UTC())
		}
	}
}
