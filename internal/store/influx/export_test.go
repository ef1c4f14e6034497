package influx

// Waiting is how many batches wait to go together.
func (s *Store) Waiting() int {
	s.join.mu.Lock()
	defer s.join.mu.Unlock()
	return len(s.join.waiting)
}
