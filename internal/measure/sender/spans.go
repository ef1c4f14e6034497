package sender

// spans are the newest few of some times, in nanoseconds.
type spans [4]struct{ from, to int64 }

// add adds the times after one and up to another, to the newest span where they
// touch it.
func (s *spans) add(from, to int64) {
	newest := &s[0]
	if from <= newest.to && to >= newest.from {
		newest.from, newest.to = min(newest.from, from), max(newest.to, to)
		return
	}
	copy(s[1:], s[:len(s)-1])
	newest.from, newest.to = from, to
}

func (s *spans) hold(at int64) bool {
	for _, span := range s {
		if at > span.from && at <= span.to {
			return true
		}
	}
	return false
}
