package show

// Limit sets the number of results, or of flows, that one answer holds.
func (v *Viewer) Limit(most int) { v.limit = most }

// Waiting is how many wait for a matrix that is computed for another.
func (v *Viewer) Waiting() (n int) {
	v.matrices.mu.Lock()
	defer v.matrices.mu.Unlock()
	for _, one := range v.matrices.running {
		n += one.waiting
	}
	return n
}
