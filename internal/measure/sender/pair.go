package sender

import (
	"net/netip"
	"time"

	"ixpqos/internal/inventory"
)

// silence is how long nothing came from a target before the next reply counts as
// a first one, which may pay for address resolution.
const silence = 5 * time.Second

// pair is one target in one family.
type pair struct {
	inventory.Pair
	to    netip.AddrPort
	ssid  uint16
	slot  int
	lanes []*lane
	// sessions are one for each lane, in order; nil where the lane has no socket.
	sessions []*session
	// from is the first interval that is measured from its beginning.
	from uint32

	answeredSince time.Duration // when a reply last came; 0 for never
	unserved      spans
	refusal       error // of the newest packet that the kernel refused
	unreachable   bool  // it said so in the interval that is being measured
}

// reached notes a reply, and tells whether it is the first after a silence.
func (p *pair) reached(m Moment) (afterSilence bool) {
	afterSilence = p.answeredSince == 0 || m.Since-p.answeredSince > silence
	p.answeredSince = m.Since
	return afterSilence
}
