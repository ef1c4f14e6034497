package reflector

// window knows the newest sequence numbers of a session, to tell the further
// copies of a packet.
type window struct {
	highest uint32
	seen    uint64 // bit n: highest - n
}

const windowSize = 64

// add tells whether a number is new. One that is further behind than the window
// reaches is of a sender that began anew without another SSID.
func (w *window) add(sequence uint32) bool {
	ahead := int32(sequence - w.highest)
	switch {
	case w.seen == 0, ahead >= windowSize, ahead <= -windowSize:
		*w = window{highest: sequence, seen: 1}
		return true
	case ahead > 0:
		*w = window{highest: sequence, seen: w.seen<<ahead | 1}
		return true
	}
	bit := uint64(1) << -ahead
	isNew := w.seen&bit == 0
	w.seen |= bit
	return isNew
}
