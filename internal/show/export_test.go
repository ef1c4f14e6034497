package show

// Limit sets the number of results, or of flows, that one answer holds.
func (v *Viewer) Limit(most int) { v.limit = most }
