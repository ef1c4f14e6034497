package reflector

import (
	"time"

	"ixpqos/internal/inventory"
	"ixpqos/internal/measure/stamp"
	"ixpqos/internal/measure/timestamp"
)

// moment is one reading of both clocks.
type moment struct {
	wall  int64
	since time.Duration
}

// request is a packet with what its reply is made of.
type request struct {
	stamp.Request
	*timestamp.Incoming
	session *session
	// sequence is that of the reply, and left when the one before it left.
	sequence uint32
	left     int64
	count    *count // where it was heard; nil where it is not counted
}

// answer takes a batch that was received, and replies. Sent (T3) is one reading
// for all of it: the system call that follows takes many times as long as the
// making of the replies, so that a reading for each would be no truer.
func (p *Port) answer(in []timestamp.Incoming) {
	r := p.reflector
	r.mu.Lock()
	defer r.mu.Unlock()
	m := moment{wall: r.host.Wall(), since: r.host.Since()}
	r.see(m)
	r.turn(m.since)
	p.countDrops(m)
	p.asked = false
	p.out, p.counts, p.octets = p.out[:0], p.counts[:0], p.octets[:0]
	for i := range in {
		if q, ok := p.take(&in[i], m); ok {
			p.reply(&q, m)
		}
	}
	p.send()
	if p.unread > maxUnread {
		p.ask()
	}
}

// take takes account of a packet, and tells whether it is to be answered.
func (p *Port) take(in *timestamp.Incoming, m moment) (q request, ok bool) {
	r := p.reflector
	from := r.sources[in.From.Addr()]
	if from == nil {
		r.stats.NotAllowed++
		return q, false
	}
	parsed, err := stamp.ParseRequest(in.Payload)
	q = request{Request: parsed, Incoming: in}
	if err != nil || p.isReply(&q) {
		r.stats.Malformed++
		return q, false
	}
	q.session = r.sessions.find(key{from: in.From, port: p, ssid: q.SSID}, from, m.since)
	if q.session == nil {
		r.stats.NoRoom++
		from.spoil(m, "it has more sessions than there is room for")
		return q, false
	}
	p.receive(&q)
	if !from.allows(m.since, r.perPacket) {
		r.stats.OverRate++
		return q, false
	}
	return q, true
}

// isReply tells whether this may be a reply of another reflector, which would
// answer ours in its turn, and so on for ever: such a packet comes from a port at
// which one listens, and never passes for STAMP's, but for TWAMP-Light's.
func (p *Port) isReply(q *request) bool {
	return q.Light && (q.From.Port() == p.local.Port() || p.reflector.reflecting[q.From])
}

// receive counts a packet of a session.
func (p *Port) receive(q *request) {
	s := q.session
	if p.stamped && !p.asked && s.awaitsStamp() {
		p.ask()
	}
	p.reflector.stats.Received++
	q.count = s.hear(q)
	q.sequence, q.left = s.received, s.left
	s.received, s.left = s.received+1, 0
}

// reply adds the reply to what is to be sent.
func (p *Port) reply(q *request, m moment) {
	reflection := p.reflection(q, m)
	start := len(p.octets)
	p.octets = q.Reflect(p.octets, q.Payload, reflection)
	id := q.session.id(q.sequence)
	p.out = append(p.out, timestamp.Outgoing{To: q.From, Payload: p.octets[start:], ID: id, TOS: int16(q.replyDSCP()) << 2})
	p.counts = append(p.counts, q.answeredIn(m))
	p.sent.add(sentReply{received: reflection.Received, sequence: reflection.Sequence, id: id})
}

// answeredIn is where the reply counts as an answer. One to a packet that this
// host kept for longer than the loss threshold comes after its sender may have
// given it up, which is not the network's doing.
func (q *request) answeredIn(m moment) *count {
	if m.wall-q.At > int64(inventory.LossThreshold) {
		return nil
	}
	return q.count
}

func (p *Port) reflection(q *request, m moment) stamp.Reflection {
	r := p.reflector
	format := q.Error.Format()
	if q.Light {
		format = stamp.NTP
	}
	x := stamp.Reflection{
		Sequence:   q.sequence,
		Received:   stamp.TimestampOf(q.At, format),
		Sent:       stamp.TimestampOf(m.wall, format),
		Error:      r.clock[format],
		TTL:        q.TTL,
		DSCP:       q.TOS >> 2,
		ECN:        q.TOS & 3,
		ReceivedBy: stamp.ControlPlane,
		SentBy:     stamp.ControlPlane,
	}
	if q.Kernel {
		x.ReceivedBy = stamp.SoftwareLocal
	}
	switch {
	case r.stateless:
		x.Sequence = q.Sequence
	case q.left != 0:
		x.FollowUp = stamp.FollowUp{Sequence: q.sequence - 1, Timestamp: stamp.TimestampOf(q.left, format), Mode: stamp.SoftwareLocal}
	}
	return x
}

// replyDSCP is that of the Class of Service TLV (RFC 8972, section 4.4), and
// otherwise that of the request (RFC 8762, section 4.3).
func (q *request) replyDSCP() uint8 {
	if q.HasClassOfService {
		return q.ReplyDSCP
	}
	return q.TOS >> 2
}

func (p *Port) send() {
	if len(p.out) == 0 {
		return
	}
	taken := p.socket.Send(p.out)
	p.unread += taken
	stats := &p.reflector.stats
	stats.Answered += uint64(taken)
	stats.Refused += uint64(len(p.out) - taken)
	for i, c := range p.counts {
		if c != nil && p.out[i].Err == nil {
			c.answered++
		}
	}
}
