package sender

import "time"

// Moment is one reading of two clocks: the wall clock in nanoseconds of Unix
// time, which may step, and one that only goes on.
type Moment struct {
	Wall  int64
	Since time.Duration

	steps uint8 // of the wall clock, that were seen until then
}

// stepAt is what the two clocks must differ by to be a step. They are slewed
// alike; what lies between the two readings of one moment is no step.
const stepAt = 5 * time.Millisecond

// steps tells the steps of a wall clock.
type steps struct {
	before Moment
	count  uint8
}

// see gives the moment with the number of steps, and whether there was one just
// before it.
func (s *steps) see(m Moment) (seen Moment, stepped bool) {
	difference := time.Duration(m.Wall-s.before.Wall) - (m.Since - s.before.Since)
	if s.before.Wall != 0 && (difference > stepAt || difference < -stepAt) {
		s.count++
		stepped = true
	}
	m.steps = s.count
	s.before = m
	return m, stepped
}
