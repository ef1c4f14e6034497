package stamp

import (
	"math"
	"math/bits"
	"time"
)

// ErrorEstimate says how far a timestamp may be wrong (RFC 8762 section 4.2.1,
// RFC 4656 section 4.1.2; Z from RFC 8186):
//
//	 0                   1
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|S|Z|   Scale   |   Multiplier  |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// The error is Multiplier * 2^Scale * 2^-32 seconds. S is set where the clock
// is synchronized to UTC from outside.
type ErrorEstimate uint16

const (
	synchronizedBit = 1 << 15
	formatShift     = 14
	scaleShift      = 8
	scaleMask       = 1<<6 - 1
	multiplierMask  = 1<<8 - 1
)

// NewErrorEstimate writes the smallest error that can be written and is not
// below bound.
func NewErrorEstimate(synchronized bool, f Format, bound time.Duration) ErrorEstimate {
	scale, multiplier := roundUp(max(bound, 0))
	e := ErrorEstimate(f&1)<<formatShift | ErrorEstimate(scale)<<scaleShift | ErrorEstimate(multiplier)
	if synchronized {
		e |= synchronizedBit
	}
	return e
}

// roundUp works on the error in units of 2^-32 seconds. The longest Duration has
// more of them than 64 bits can hold.
func roundUp(bound time.Duration) (scale, multiplier uint64) {
	high, low := bits.Mul64(uint64(bound), 1<<32)
	low, lost := bits.Div64(high%second, low, second)
	high /= second
	for ; high > 0 || low > multiplierMask; scale++ {
		lost |= low & 1
		low = low>>1 | high<<63
		high >>= 1
	}
	if lost > 0 {
		low++
	}
	if low > multiplierMask {
		return scale + 1, low / 2
	}
	// A Multiplier of zero is forbidden (RFC 4656 section 4.1.2).
	return scale, max(low, 1)
}

// Synchronized tells whether the clock is synchronized to UTC from outside.
func (e ErrorEstimate) Synchronized() bool { return e&synchronizedBit != 0 }

// Format is that of the timestamps beside the Error Estimate.
func (e ErrorEstimate) Format() Format { return Format(e >> formatShift & 1) }

// Bound is the error, rounded up to a nanosecond, and at most the longest
// Duration. That one is also the bound of a Multiplier of zero, which is as
// good as no estimate (RFC 4656 section 4.1.2).
func (e ErrorEstimate) Bound() time.Duration {
	scale := int(e >> scaleShift & scaleMask)
	nanoseconds := int64(e&multiplierMask) * second // at 2^0 seconds
	switch {
	case nanoseconds == 0:
		return math.MaxInt64
	case scale <= 32:
		return time.Duration((nanoseconds + 1<<(32-scale) - 1) >> (32 - scale))
	case nanoseconds > math.MaxInt64>>(scale-32):
		return math.MaxInt64
	}
	return time.Duration(nanoseconds << (scale - 32))
}
