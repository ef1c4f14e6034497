package stamp

import (
	"encoding/binary"
	"time"
)

// near is how old, or how far ahead, a timestamp in a reply may be: what waits for
// longer goes round no more.
const near = int64(time.Minute)

// MayBeReply tells whether a packet that arrived at a moment, in nanoseconds of
// Unix time, may be a reply: whether it has a time of just then where one has T2,
// or the T1 that it gives back. A Session-Sender's packet has zeros there, or
// padding. Who answers no such packet is in no endless round of replies to replies:
// of two reflectors the second gets the first one's own time of just before.
func MayBeReply(packet []byte, at int64) bool {
	if len(packet) < senderErrorAt {
		return false
	}
	return isNear(packet[receivedAt:], at) || isNear(packet[senderSentAt:], at)
}

func isNear(octets []byte, at int64) bool {
	t := Timestamp(binary.BigEndian.Uint64(octets))
	if t == 0 {
		return false // as NTP's it is a moment of the year 2036
	}
	for f := NTP; f <= PTP; f++ {
		if apart := t.UnixNano(f, at) - at; -near < apart && apart < near {
			return true
		}
	}
	return false
}
