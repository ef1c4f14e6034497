package ippm

import "slices"

// Join places the lost packets of a result that are not placed yet by what the
// target's Session-Reflector heard in the same interval, flow by flow, and sums
// the result's counts anew. What does not belong to it, or does not fit it,
// changes nothing.
func Join(r Result, h Heard) Result {
	if r.Series != h.Series || !r.Start.Equal(h.Start) || r.Length != h.Length || len(r.Flows) == 0 {
		return r
	}
	heard := make(map[uint16]HeardFlow, len(h.Flows))
	for _, f := range h.Flows {
		heard[f.Port] = f
	}
	r.Flows = slices.Clone(r.Flows)
	for i := range r.Flows {
		r.Flows[i].place(heard[r.Flows[i].Port])
	}
	r.Counts = sumOf(r.Flows)
	return r
}

// place finds what became of the unplaced packets: what was not heard was lost
// forward; what was heard but not answered met no reflector; the rest was lost
// backward.
func (f *Flow) place(h HeardFlow) {
	if h.Heard < f.Received+f.Late+f.Backward {
		return // the clocks are apart, or the reflector's socket overflowed
	}
	forward := min(max(f.Sent-h.Heard-f.Forward, 0), f.Unplaced)
	unserved := min(f.Unplaced-forward, h.Heard-h.Answered)
	backward := f.Unplaced - forward - unserved
	f.Forward, f.Backward, f.Unplaced = f.Forward+forward, f.Backward+backward, 0
	f.Unserved, f.Sent = f.Unserved+unserved, f.Sent-unserved
	if forward > 0 {
		f.LossyForward |= f.LossyUnplaced
	}
	if backward > 0 {
		f.LossyBackward |= f.LossyUnplaced
	}
	f.LossyUnplaced = 0
}
