package show

// LimitSeries sets the number of results that one answer holds.
func (v *Viewer) LimitSeries(most int) { v.limit = most }
