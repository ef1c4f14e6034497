package deliver

import "time"

const (
	firstPatience = time.Minute
	maxPatience   = 30 * time.Minute
)

// putOff is why a batch is passed over, and until when.
type putOff struct {
	due   time.Time
	pause time.Duration
	why   string
}

// putOff passes a batch over for a while, longer each time. Batches behind it do
// not wait for it.
func (s *Spool) putOff(e Entry, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, waits := s.waiting.find(e.Name); !waits {
		return
	}
	if len(s.putOffs) == 0 {
		s.log.Warn("a batch waits for another try; those behind it do not wait for it", "file", s.path(e), "reason", why)
	}
	pause := min(max(firstPatience, 2*s.putOffs[e.Name].pause), maxPatience)
	s.putOffs[e.Name] = putOff{due: s.opts.Clock.Now().Add(pause), pause: pause, why: why}
}

// ready is the oldest batch that is not put off now.
func (s *Spool) ready() (Entry, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.opts.Clock.Now()
	for _, e := range s.waiting.entries {
		if off, ok := s.putOffs[e.Name]; !ok || !now.Before(off.due) {
			return e, true
		}
	}
	return Entry{}, false
}

// due is how long it takes until a batch that was put off is tried again; false
// where none is put off.
func (s *Spool) due() (wait time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.opts.Clock.Now()
	for _, off := range s.putOffs {
		if until := off.due.Sub(now); !ok || until < wait {
			wait, ok = until, true
		}
	}
	return max(wait, 0), ok
}

// firstPutOff is the oldest batch that is put off; mu must be held.
func (s *Spool) firstPutOff() (putOff, bool) {
	if len(s.putOffs) == 0 {
		return putOff{}, false
	}
	for _, e := range s.waiting.entries {
		if off, ok := s.putOffs[e.Name]; ok {
			return off, true
		}
	}
	return putOff{}, false
}
