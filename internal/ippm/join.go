package ippm

import "slices"

// Join places the lost packets of a result that are not placed yet by what the
// target's Session-Reflector heard in the same interval, flow by flow, and sums
// the result's counts anew. What the target's host did not answer, or may have
// missed, is unserved and not lost. What does not belong to it, or does not fit
// it, changes nothing.
func Join(r Result, h Heard) Result {
	if r.Series != h.Series || !r.Start.Equal(h.Start) || r.Length != h.Length || len(r.Flows) == 0 || sumOf(r.Flows) != r.Counts {
		return r
	}
	heard := make(map[uint16]HeardFlow, len(h.Flows))
	for _, f := range h.Flows {
		heard[f.Port] = f
	}
	missed := 0
	if r.Flows[0].Port != 0 { // else it is a flow's own count
		missed = heard[0].Heard
	}
	r.Flows = slices.Clone(r.Flows)
	for i := range r.Flows {
		missed -= r.Flows[i].place(heard[r.Flows[i].Port], missed)
	}
	r.Counts = sumOf(r.Flows)
	return r
}

// place finds what became of the packets that seem lost: what was not heard was
// lost forward, what was heard and answered backward, and what was heard and not
// answered met no reflector. The last may seem lost in either direction, as the
// reflector's numbers count what it received or only what it answered. Of what was
// not heard, the host may have missed some: they are taken to be this flow's, and
// place gives how many.
func (f *Flow) place(h HeardFlow, missed int) int {
	back := f.Received + f.Late + f.Backward
	if h.Heard > f.Sent+f.Unserved || h.Heard < back && missed == 0 {
		return 0 // the clocks are apart, or it is not this sender's that was heard
	}
	unanswered := h.Heard - h.Answered
	lost := f.Forward + f.Backward + f.Unplaced
	forward := min(max(f.Sent-max(h.Heard, back), f.Forward-unanswered, 0), f.Forward+f.Unplaced)
	unserved := min(lost-forward, unanswered)
	backward := lost - forward - unserved
	f.placeSeconds(forward > f.Forward, f.Unplaced > max(forward-f.Forward, 0))
	gone := min(forward, missed)
	f.Forward, f.Backward, f.Unplaced = forward-gone, backward, 0
	f.Unserved, f.Sent = f.Unserved+unserved+gone, f.Sent-unserved-gone
	f.clearSeconds()
	return gone
}

// placeSeconds moves the seconds of unplaced losses to the directions that got any.
func (f *Flow) placeSeconds(forward, backward bool) {
	if forward {
		f.LossyForward |= f.LossyUnplaced
	}
	if backward {
		f.LossyBackward |= f.LossyUnplaced
	}
	f.LossyUnplaced = 0
}

// clearSeconds takes the seconds from a direction in which nothing is lost.
func (f *Flow) clearSeconds() {
	if f.Forward == 0 {
		f.LossyForward = 0
	}
	if f.Backward == 0 {
		f.LossyBackward = 0
	}
}
