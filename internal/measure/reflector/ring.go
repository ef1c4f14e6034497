package reflector

import "ixpqos/internal/measure/stamp"

// ring remembers the newest replies, for kernels that give the packet back with
// its transmit stamp instead of its ID.
type ring struct {
	replies [1024]sentReply
	next    int // where the next reply goes
	expect  int // where the next stamp's reply is, most likely
}

// sentReply is a reply by what no two have in common, other than that they are
// for one packet twice.
type sentReply struct {
	received stamp.Timestamp
	sequence uint32
	id       uint32
}

func (r *ring) add(s sentReply) {
	r.replies[r.next] = s
	r.next = (r.next + 1) % len(r.replies)
}

// identify finds the ID of a reply in its payload. Stamps mostly come in the
// order of the replies.
func (r *ring) identify(payload []byte) (id uint32) {
	sent, err := stamp.ParseReply(payload)
	if err != nil {
		return nobody
	}
	for i := range r.replies {
		at := (r.expect + i) % len(r.replies)
		if s := &r.replies[at]; s.received == sent.Received && s.sequence == sent.Sequence {
			r.expect = at + 1
			return s.id
		}
	}
	return nobody
}
