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
	count   *count // where it was heard; nil where it is not counted
}

// reply is one that is to be sent.
type reply struct {
	session  *session
	sequence uint32 // the session's own
	left     int64  // when the one before it left
	count    *count // where it counts as an answer
}

// answer takes a batch that was received, and replies. Sent (T3) is one reading
// for all of it: the system call that follows takes many times as long as the
// making of the replies, so that a reading for each would be no truer.
func (p *Port) answer(in []timestamp.Incoming) {
	r := p.reflector
	r.mu.Lock()
	defer r.unlock()
	m := moment{wall: r.host.Wall(), since: r.host.Since()}
	r.see(m)
	r.turn(m.since)
	p.countDrops(m)
	p.asked = false
	p.out, p.replies, p.octets = p.out[:0], p.replies[:0], p.octets[:0]
	for i := range in {
		if q, ok := p.take(&in[i], m); ok {
			p.reply(&q, m)
		}
	}
	p.send()
	// Stamps that were given up may come yet, as after address resolution, and fill
	// the buffer, so that no packet comes that would have them asked for.
	if p.unread > 0 || p.stamped && len(in) == 0 {
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
	switch {
	case err != nil:
		r.stats.Malformed++
		return q, false
	case p.goesRound(&q):
		r.stats.Replies++
		r.replier = q.From
		return q, false
	}
	q.session = r.sessions.find(p.keyOf(&q), from, m.since)
	if q.session == nil {
		r.stats.NoRoom++
		from.miss(q.At)
		return q, false
	}
	r.stats.Received++
	q.count = q.session.hear(&q)
	if !from.allows(m.since, r.perPacket) {
		r.stats.OverRate++
		return q, false
	}
	return q, true
}

// keyOf is the session's. What has padding where zeros must be has padding for an
// SSID too, and of some senders another one in every packet.
func (p *Port) keyOf(q *request) key {
	k := key{from: q.From, port: p, ssid: q.SSID}
	if q.Padded {
		k.ssid = 0
	}
	return k
}

// goesRound tells whether this may be a reply of another reflector, which would
// answer ours in its turn, and so on for ever: it comes from where one listens, and
// looks like a reply. TWAMP-Light's senders may have that port too.
func (p *Port) goesRound(q *request) bool {
	return (q.From.Port() == p.local.Port() || p.reflector.reflecting[q.From]) && stamp.MayBeReply(q.Payload, q.At)
}

// reply adds the reply to what is to be sent.
func (p *Port) reply(q *request, m moment) {
	s := q.session
	if p.stamped && p.unread > 0 && !p.asked && s.awaitsStamp() {
		p.ask()
	}
	x := reply{session: s, sequence: s.replies, left: s.left, count: p.answeredIn(q, m)}
	s.replies, s.left = s.replies+1, 0
	start := len(p.octets)
	reflection := p.reflection(q, &x, m)
	p.octets = q.Reflect(p.octets, q.Payload, reflection)
	id := s.id(x.sequence)
	p.out = append(p.out, timestamp.Outgoing{To: q.From, Payload: p.octets[start:], ID: id, TOS: int16(q.replyDSCP()) << 2})
	p.replies = append(p.replies, x)
	p.sent.add(sentReply{received: reflection.Received, sequence: reflection.Sequence, id: id})
}

// answeredIn is where the reply counts as an answer. One to a packet that this
// host kept for longer than the loss threshold comes after its sender may have
// given it up, which is not the network's doing.
func (p *Port) answeredIn(q *request, m moment) *count {
	if m.wall-q.At > int64(inventory.LossThreshold) {
		p.reflector.stats.Kept++
		return nil
	}
	return q.count
}

func (p *Port) reflection(q *request, own *reply, m moment) stamp.Reflection {
	r := p.reflector
	format := q.Error.Format()
	if q.Light {
		format = stamp.NTP
	}
	x := stamp.Reflection{
		Sequence:   own.sequence,
		Received:   stamp.TimestampOf(q.At, format),
		Sent:       stamp.TimestampOf(m.wall, format),
		Error:      r.clock[format],
		TTL:        q.TTL,
		DSCP:       q.TOS >> 2,
		ECN:        q.TOS & 3,
		ReceivedBy: stamp.ControlPlane,
		// Of user space: the kernel's follows (RFC 8972, section 4.7).
		SentBy: stamp.SoftwareLocal,
	}
	if q.Kernel {
		x.ReceivedBy = stamp.SoftwareLocal
	}
	switch {
	case r.stateless:
		x.Sequence = q.Sequence
	case own.left != 0:
		x.FollowUp = stamp.FollowUp{Sequence: own.sequence - 1, Timestamp: stamp.TimestampOf(own.left, format), Mode: stamp.SoftwareLocal}
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
	if p.stamped {
		p.unread, p.asks = p.unread+taken, 0
	}
	stats := &p.reflector.stats
	stats.Answered += uint64(taken)
	stats.Refused += uint64(len(p.out) - taken)
	for i := len(p.replies) - 1; i >= 0; i-- {
		p.replies[i].settle(p.out[i].Err)
		if err := p.out[i].Err; err != nil {
			p.reflector.refused = err
		}
	}
}

// settle counts an answer, or takes a number back that was not sent, unless one
// after it was: numbers count what is transmitted (RFC 8762, section 4.3.1).
func (x *reply) settle(refused error) {
	switch s := x.session; {
	case refused == nil && x.count != nil:
		x.count.answered++
	case refused != nil && s.replies == x.sequence+1:
		s.replies, s.left = x.sequence, x.left
	}
}
