package sender

import "time"

// spans are the times, by the wall clock in nanoseconds, in which a target said
// that nothing reflects there: the newest few.
type spans [4]struct{ from, to int64 }

// A host says so once a second at most, whatever it is sent (kernel
// documentation, ip-sysctl: icmp_ratelimit). So much around each time it is
// taken to have meant.
const (
	unservedBefore = int64(time.Second)
	unservedAfter  = int64(3 * time.Second / 2)
)

// add takes the sending time of a packet that was answered so.
func (s *spans) add(sent int64) {
	from, to := sent-unservedBefore, sent+unservedAfter
	newest := &s[0]
	if from <= newest.to && to >= newest.from {
		newest.from, newest.to = min(newest.from, from), max(newest.to, to)
		return
	}
	copy(s[1:], s[:len(s)-1])
	newest.from, newest.to = from, to
}

// hold tells whether a packet that was sent then, and not answered, met nobody.
func (s *spans) hold(sent int64) bool {
	for _, span := range s {
		if sent >= span.from && sent <= span.to {
			return true
		}
	}
	return false
}
