package reflector

import "time"

// source is an address that is answered.
type source struct {
	sessions       int
	oldest, newest *session
	expected       []*expected
	// paid is until when its packets have used up its rate.
	paid time.Duration
}

// burst is how much of its rate a source may use up at once.
const burst = time.Second / 2

// allows tells whether a source may be answered once more, at a rate that leaves
// each packet so much time: a token bucket, counted in time.
func (s *source) allows(now, perPacket time.Duration) bool {
	paid := max(s.paid, now) + perPacket
	if paid-now > burst {
		return false
	}
	s.paid = paid
	return true
}

// append makes a session the newest.
func (s *source) append(n *session) {
	n.older, n.newer = s.newest, nil
	if s.newest != nil {
		s.newest.newer = n
	} else {
		s.oldest = n
	}
	s.newest = n
	s.sessions++
}

func (s *source) unlink(n *session) {
	if n.older != nil {
		n.older.newer = n.newer
	} else {
		s.oldest = n.newer
	}
	if n.newer != nil {
		n.newer.older = n.older
	} else {
		s.newest = n.older
	}
	s.sessions--
}
