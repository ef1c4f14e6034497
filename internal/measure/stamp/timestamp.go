package stamp

// Format is how a timestamp is written: the Z bit of the Error Estimate that
// stands beside it (RFC 8186).
type Format uint8

const (
	// NTP counts seconds since 1900 and their 2^32nd parts (RFC 5905 section 6).
	NTP Format = 0
	// PTP counts seconds and nanoseconds, the seconds cut to 32 bits (the
	// truncated timestamp of IEEE 1588v2). Which time scale they are of, UTC or
	// TAI, is a matter of the clock that they were read from.
	PTP Format = 1
)

// Timestamp is a timestamp as on the wire, in either Format:
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                            Seconds                            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|              Fraction (NTP) or Nanoseconds (PTP)              |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type Timestamp uint64

const (
	// ntpEpoch is how many seconds 1900 lies before 1970 (RFC 5905 figure 4).
	ntpEpoch = 2_208_988_800

	second = 1_000_000_000 // nanoseconds
)

// TimestampOf writes a time, in nanoseconds since 1970. Fractions of NTP are
// rounded up: so those who round when they read, as UnixNano does, and those
// who cut off get the same nanosecond back.
func TimestampOf(unixNano int64, f Format) Timestamp {
	seconds, nanoseconds := split(unixNano)
	if f == PTP {
		return Timestamp(uint64(uint32(seconds))<<32 | nanoseconds)
	}
	fraction := (nanoseconds<<32 + second - 1) / second
	return Timestamp(uint64(uint32(seconds+ntpEpoch))<<32 | fraction)
}

// UnixNano reads a timestamp, to the nearest nanosecond: whichever way its
// writer rounded, it is the one that was written. The seconds wrap
// around every 136 years, NTP's in 2036 and PTP's in 2106: the result is the
// one that lies nearest to near, both in nanoseconds since 1970.
func (t Timestamp) UnixNano(f Format, near int64) int64 {
	seconds, nanoseconds := uint32(t>>32), int64(uint32(t))
	if f == NTP {
		seconds -= ntpEpoch
		nanoseconds = (nanoseconds*second + 1<<31) >> 32
	}
	nearSeconds, _ := split(near)
	ahead := int32(seconds - uint32(nearSeconds))
	return (nearSeconds+int64(ahead))*second + nanoseconds
}

// split gives the whole seconds before a time, and the nanoseconds since then.
func split(unixNano int64) (seconds int64, nanoseconds uint64) {
	seconds, rest := unixNano/second, unixNano%second
	if rest < 0 {
		seconds, rest = seconds-1, rest+second
	}
	return seconds, uint64(rest)
}
