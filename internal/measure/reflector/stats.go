package reflector

import "strings"

// Stats counts packets since the Reflector was made.
type Stats struct {
	// Received are those of sessions. Answered were replied to, OverRate were not
	// because of the rate, and Refused because the kernel did not take the reply.
	Received, Answered, OverRate, Refused uint64
	// NotAllowed came from addresses that are not answered, Malformed are no
	// requests, and for NoRoom there was no session.
	NotAllowed, Malformed, NoRoom uint64
	// Dropped found a receive buffer full.
	Dropped uint64
	// Sessions is how many there are now.
	Sessions int
}

// Stats gives what was counted.
func (r *Reflector) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stats
	s.Sessions = len(r.sessions.byKey)
	return s
}

// countDrops takes account of what the kernel dropped: nobody knows of whom.
func (p *Port) countDrops(m moment) {
	dropped := p.socket.Drops() - p.drops
	if dropped == 0 {
		return
	}
	p.drops += dropped
	r := p.reflector
	r.stats.Dropped += dropped
	for _, e := range r.expected {
		if e.Local == p.local.Addr() {
			e.spoilAround(m.wall, "this host was too busy to take all packets from the receive buffer in time")
		}
	}
}

// tellTrouble tells what was wrong since it was last called.
func (r *Reflector) tellTrouble() {
	before := r.told
	r.told = r.stats
	var wrong []string
	if r.stats.NoRoom > before.NoRoom {
		wrong = append(wrong, "senders with too many sessions were not answered: see who sends from many ports")
	}
	if r.stats.OverRate > before.OverRate {
		wrong = append(wrong, "senders above the rate were not answered: see who sends so much")
	}
	if r.stats.Dropped > before.Dropped {
		wrong = append(wrong, "this host was too busy to take all packets from the receive buffer in time")
	}
	sentence := ""
	if len(wrong) > 0 {
		sentence = "reflector: " + strings.Join(wrong, "; ")
	}
	if sentence != r.trouble {
		r.trouble = sentence
		r.host.Trouble("reflector", sentence)
	}
}
