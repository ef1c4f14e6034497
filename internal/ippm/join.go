package ippm

import "slices"

// Join places the lost packets of a result that are not placed yet by what the
// target's Session-Reflector heard in the same interval, flow by flow, and sums
// the result's counts anew. What does not belong to it, or does not fit it,
// changes nothing.
func Join(r Result, h Heard) Result {
	if r.Series != h.Series || !r.Start.Equal(h.Start) || r.Length != h.Length || len(r.Flows) == 0 || sumOf(r.Flows) != r.Counts {
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
// forward, and what was heard backward. Of all that seems lost backward, so much
// met no reflector as was heard and not answered: a packet that is not answered
// has its number at the reflector too.
func (f *Flow) place(h HeardFlow) {
	if h.Heard < f.Received+f.Late+f.Backward || h.Heard > f.Sent+f.Unserved {
		return // the clocks are apart, or it is not this sender's that was heard
	}
	forward := min(max(f.Sent-h.Heard-f.Forward, 0), f.Unplaced)
	backward := f.Backward + f.Unplaced - forward
	unserved := min(backward, h.Heard-h.Answered)
	placed := f.Unplaced > forward
	f.Forward, f.Backward, f.Unplaced = f.Forward+forward, backward-unserved, 0
	f.Unserved, f.Sent = f.Unserved+unserved, f.Sent-unserved
	f.placeSeconds(forward > 0, placed)
}

// placeSeconds moves the seconds of unplaced losses to the directions that got any.
func (f *Flow) placeSeconds(forward, backward bool) {
	if forward {
		f.LossyForward |= f.LossyUnplaced
	}
	if backward {
		f.LossyBackward |= f.LossyUnplaced
	}
	if f.LossyUnplaced = 0; f.Backward == 0 {
		f.LossyBackward = 0
	}
}
