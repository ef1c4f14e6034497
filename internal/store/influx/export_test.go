package influx

// Waiting is how many batches wait to go together to the bucket for raw results.
func (s *Store) Waiting() int {
	s.raw.join.mu.Lock()
	defer s.raw.join.mu.Unlock()
	return len(s.raw.join.waiting)
}
