package reflector

import (
	"fmt"
	"strings"
	"time"

	"ixpqos/internal/inventory"
)

// Stats counts packets since the Reflector was made.
type Stats struct {
	// Received are those of sessions. Answered were replied to, OverRate were not
	// because of the rate, and Refused because the kernel did not take the reply.
	Received, Answered, OverRate, Refused uint64
	// Kept were answered so late that it does not count as an answer.
	Kept uint64
	// NotAllowed came from addresses that are not answered, Malformed are no
	// requests, Replies may be another reflector's, and for NoRoom there was no
	// session.
	NotAllowed, Malformed, Replies, NoRoom uint64
	// Dropped found a receive buffer full.
	Dropped uint64
	// Sessions is how many there are now.
	Sessions int
}

// Stats gives what was counted.
func (r *Reflector) Stats() Stats {
	r.mu.Lock()
	defer r.unlock()
	s := r.stats
	s.Sessions = len(r.sessions.byKey)
	return s
}

// lookEvery is how often it is asked for what the kernel dropped.
const lookEvery = 100 * time.Millisecond

// countDrops takes account of what the kernel dropped since it was last asked:
// nobody knows of whom.
func (p *Port) countDrops(m moment) {
	passed := m.since - p.looked.since
	if passed < lookEvery {
		return
	}
	p.looked = m
	dropped := p.socket.Drops() - p.drops
	if dropped == 0 {
		return
	}
	p.drops += dropped
	r := p.reflector
	r.stats.Dropped += dropped
	for _, e := range r.expected {
		if e.Local == p.local.Addr() {
			e.miss(m.wall-int64(passed), m.wall, int(dropped))
		}
	}
}

// reasons is how many there are for trouble.
const reasons = 6

// reason is what may be wrong, by how many packets it has met.
type reason struct {
	packets  uint64
	sentence string
}

// since says up to which number of packets a reason has counted, and when it last
// did; the zero value, that it never did.
type since struct {
	packets uint64
	at      time.Duration
}

// tellFor is how long is told what was wrong: until it has come into a batch, of
// which there is one in the longest interval.
const tellFor = inventory.MaxInterval + turnEvery

func (r *Reflector) reasons() [reasons]reason {
	s := &r.stats
	return [...]reason{
		{s.NoRoom, "senders with too many sessions were not answered: see who sends from many ports"},
		{s.OverRate, "senders above the rate were not answered: see who sends so much"},
		{s.Dropped, "this host was too busy to take all packets from the receive buffer in time"},
		{s.Refused, fmt.Sprintf("the kernel refused replies (%v): see this host's firewall and routes", r.refused)},
		{s.Kept, fmt.Sprintf("this host kept packets for more than %v before they were answered, and what was sent to it then is unserved: see whether it stood still, for a snapshot of its machine or for want of memory or processor time", inventory.LossThreshold)},
		{s.Replies, fmt.Sprintf("what may be replies was not answered, since that might go round for ever: let who sends from %v, where a reflector listens, use another port", r.replier)},
	}
}

// tellTrouble tells what was wrong of late.
func (r *Reflector) tellTrouble(now time.Duration) {
	var wrong []string
	for i, x := range r.reasons() {
		last := &r.wrong[i]
		if x.packets > last.packets {
			*last = since{x.packets, now}
		}
		if last.packets > 0 && now-last.at < tellFor {
			wrong = append(wrong, x.sentence)
		}
	}
	sentence := ""
	if len(wrong) > 0 {
		sentence = "reflector: " + strings.Join(wrong, "; ")
	}
	if sentence != r.trouble {
		r.trouble = sentence
		r.notices = append(r.notices, notice{"reflector", sentence})
	}
}
