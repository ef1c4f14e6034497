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
	to       netip.AddrPort
	ssid     uint16
	slot     int
	sessions []*session // by flow
	// from is the first interval that is measured from its beginning.
	from uint32
	// left: it is in the test no more, and nothing is sent to it. Its intervals
	// before until are given still.
	left  bool
	until uint32

	answeredSince time.Duration // when a reply last came; 0 for never
	// unserved is when the target said that nothing reflects there, by the clock
	// that only goes on: what was sent then, and not answered, met nobody.
	unserved spans
	told
	refusal     error // of the newest packet that the kernel refused
	unreachable bool  // it said so for long enough to be told, and nobody was yet
	// absent: the target is a neighbour that does not answer ARP or ND, which was said
	// of a packet sent then and of none since.
	absent      bool
	absentSince int64
	leaves      bool // the kernel has said of a packet that it left
	// What the reflector is known to do, since it is a probe's, or did once: replies
	// with a TTL of 255, the TTL that it received, the DSCP that it received, in its
	// place, and replies with the one that it was asked for. Where one does not, it
	// says nothing of the network.
	sends255, tells255, tellsDSCP, obeysDSCP bool
	// When the packets were sent of which it said so first and last, again and again.
	firstUnserved, lastUnserved int64
}

// Patience is for how long a target may say that nothing reflects there before
// anybody need be told: a probe that is restarted, or started a little later than
// others, is away for less.
const Patience = 10 * time.Second

// A host says so once a second at most, whatever it is sent (kernel
// documentation, ip-sysctl: icmp_ratelimit). So much around each time it is
// taken to have meant.
const (
	unservedBefore = int64(time.Second)
	unservedAfter  = int64(3 * time.Second / 2)
)

// unreachableAt notes that the target said so of a packet that was sent then.
// Some flows or moments that are answered meanwhile make it no better: a host may
// refuse a part of what is sent, or its probe start again and again.
func (p *pair) unreachableAt(since int64, t *test) {
	p.unserved.add(since-unservedBefore, since+unservedAfter)
	if again := int64(max(silence, 2*t.Spacing)); p.lastUnserved == 0 || since-p.lastUnserved > again {
		p.firstUnserved = since
	}
	p.lastUnserved = since
	p.unreachable = p.unreachable || since-p.firstUnserved >= int64(t.patience)
}

// reached notes a reply, and tells whether it is the first after a silence.
func (p *pair) reached(m Moment) (afterSilence bool) {
	afterSilence = p.answeredSince == 0 || m.Since-p.answeredSince > silence
	p.answeredSince = m.Since
	return afterSilence
}

// isProbe says whether the target is one of the exchange's own probes.
func (p *pair) isProbe(is bool) {
	p.sends255, p.tells255, p.tellsDSCP, p.obeysDSCP = p.sends255 || is, p.tells255 || is, p.tellsDSCP || is, p.obeysDSCP || is
	for _, s := range p.sessions {
		s.ours = is
	}
}
