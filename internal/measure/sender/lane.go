package sender

import (
	"net/netip"

	"ixpqos/internal/measure/stamp"
	"ixpqos/internal/measure/timestamp"
)

// Socket is what a lane needs of a timestamp.Socket.
type Socket interface {
	Send(packets []timestamp.Outgoing) int
	Receive() ([]timestamp.Incoming, error)
	Events() ([]timestamp.Event, error)
	BufferSize() int
	SendBufferSize() int
	Kernel() timestamp.Stamps
	Doubt() string
	Drops() uint64
	Close() error
}

const (
	// batch is the most packets of one system call.
	batch = 64
	// lasting is how often in a row nothing is sent before the socket is opened anew.
	lasting = 2
	// maxRounds bounds what is taken at once, whatever is sent here.
	maxRounds = 64
	// overhead is what a reply and a transmit stamp take of a receive buffer
	// besides the packet.
	overhead = 1 << 10
	// wantedBuffer is more than a tick needs: a host may be busy for longer.
	wantedBuffer = 4 << 20
)

// The ID of a packet in its transmit stamp is the slot of its pair and the lower
// bits of its sequence number.
const (
	sequenceBits = 20
	sequenceMask = 1<<sequenceBits - 1
)

// lane is one source port of one family, with its socket, shared by all targets.
type lane struct {
	family uint8
	flow   int
	port   uint16
	offset int64 // the tick of each period at which it sends

	socket Socket
	from   netip.Addr // its own
	// awaited is the number of packets without a reply; it may be too high where
	// replies were lost, which is set right when the lane is next due.
	awaited int
	out     []timestamp.Outgoing
	sent    []*pair // whose packets are in out
	drops   uint64  // of the socket, that were told of
	// refused is how often in a row nothing was sent that should have been. Where
	// that lasts it may be the socket's: the interface that it was bound to may be
	// another of the same name since, and its address have gone and come.
	refused int
	// leftSince is when the newest packet of those that left was sent, by the clock
	// that only goes on.
	leftSince int64
	// buffer is what one sending to all targets needs, in bytes.
	buffer int
}

func (t *test) openLane(l *lane, open func(timestamp.Options) (Socket, error)) error {
	from, err := t.from(l.family)
	if err != nil {
		return err
	}
	socket, err := open(timestamp.Options{
		Local:        netip.AddrPortFrom(from, l.port),
		Interface:    t.netif,
		DSCP:         t.DSCP,
		DontFragment: t.DontFragment,
		Buffer:       wantedBuffer,
		Batch:        batch,
		MaxPacket:    t.Size,
		CutLonger:    true, // the front of a reply says all that is needed
		Identify:     t.identify,
	})
	if err != nil {
		return err
	}
	l.socket, l.from, l.drops, l.leftSince = socket, from, 0, 0
	return nil
}

// nobody is the ID of no packet: there are fewer pairs.
const nobody = 1<<32 - 1

// identify finds the ID in a packet that the kernel gave back.
func (t *test) identify(payload []byte) uint32 {
	request, err := stamp.ParseRequest(payload)
	if err != nil {
		return nobody
	}
	p := t.bySSID[request.SSID]
	if p == nil {
		return nobody
	}
	return p.id(request.Sequence)
}

func (p *pair) id(sequence uint32) uint32 {
	return uint32(p.slot)<<sequenceBits | sequence&sequenceMask
}

// send sends to every target what is due in this tick.
func (l *lane) send(t *test, m Moment, due int64) {
	if l.socket == nil {
		return
	}
	l.awaited = 0
	l.out, l.sent = l.out[:0], l.sent[:0]
	for _, p := range t.pairs {
		if p == nil || p.left || p.Family != l.family {
			continue
		}
		s := p.sessions[l.flow]
		if !s.room() {
			t.interval.whole = false // it misses this packet
			continue
		}
		if p.waits(l, m) {
			p.withhold(l.flow, t, m)
			continue
		}
		s.prepare(m, due, t.interval.number, t.clock)
		l.out = append(l.out, timestamp.Outgoing{To: p.to, Payload: s.packet, ID: p.id(s.next), TOS: -1})
		l.sent = append(l.sent, p)
	}
	if len(l.out) == 0 {
		return
	}
	l.awaited = l.socket.Send(l.out)
	if l.refused++; l.awaited > 0 {
		l.refused = 0
	}
	for i, p := range l.sent {
		p.account(l.flow, t, m, l.out[i].Err)
	}
}

// account takes account of a packet that was given to the kernel.
func (p *pair) account(flow int, t *test, m Moment, refusal error) {
	s := p.sessions[flow]
	if refusal != nil {
		s.refused.add(t.interval.number, t.second(m))
		p.refusal = refusal
		return
	}
	s.gone()
}

// drain takes what the kernel has: transmit stamps first, for a reply says
// nothing without the time that its packet left.
func (l *lane) drain(t *test, m Moment) error {
	for range maxRounds {
		events, err := l.socket.Events()
		if err != nil {
			return err
		}
		for i := range events {
			l.event(t, &events[i])
		}
		if len(events) < batch {
			break
		}
	}
	for range maxRounds {
		arrived, err := l.socket.Receive()
		if err != nil {
			return err
		}
		for i := range arrived {
			l.reply(t, &arrived[i], m)
		}
		if len(arrived) < batch {
			break
		}
	}
	return nil
}

func (l *lane) event(t *test, e *timestamp.Event) {
	if e.Kind == timestamp.Unreachable {
		l.unreachable(t, e)
		return
	}
	if p := t.pairAt(int(e.ID >> sequenceBits)); p != nil && p.Family == l.family {
		if rec := p.sessions[l.flow].left(e.ID&sequenceMask, e.At); rec != nil {
			l.leftSince = max(l.leftSince, rec.sentSince)
			p.leaves = true
			p.isThere(rec)
		}
	}
}

// Codes of RFC 792 and RFC 4443 for "nothing listens on that port" and "there is no
// such neighbour".
const (
	icmp4Unreachable, icmp4Host, icmp4Port    = 3, 1, 3
	icmp6Unreachable, icmp6Address, icmp6Port = 1, 3, 4
)

// says tells whether an event is that ICMP message of the lane's family.
func (l *lane) says(e *timestamp.Event, code4, code6 uint8) bool {
	return l.family == 4 && e.ICMPType == icmp4Unreachable && e.ICMPCode == code4 ||
		l.family == 6 && e.ICMPType == icmp6Unreachable && e.ICMPCode == code6
}

// unreachable notes that a target has no reflector, or that it is no neighbour. All
// else that ICMP may say is of the network, and its packets are lost.
func (l *lane) unreachable(t *test, e *timestamp.Event) {
	port := l.says(e, icmp4Port, icmp6Port)
	neighbour := l.says(e, icmp4Host, icmp6Address) && e.By == l.from
	request, err := stamp.ParseRequest(e.Quoted)
	if !port && !neighbour || err != nil {
		return
	}
	p := t.pairTo(e.To)
	if p == nil || p.ssid != request.SSID {
		return
	}
	// Who has not received the packet cannot quote when it was sent (RFC 5927,
	// section 4.1, of the same in TCP).
	rec := p.sessions[l.flow].sent(request.Sequence, request.Sent)
	switch {
	case rec == nil:
	case neighbour:
		p.isAbsent(rec)
	default:
		p.unreachableAt(rec.sentSince, t)
	}
}

func (l *lane) reply(t *test, in *timestamp.Incoming, m Moment) {
	reply, err := stamp.ParseReply(in.Payload)
	if err != nil {
		t.unreadable(in.From, err)
		return
	}
	p := t.bySSID[reply.SSID]
	if p == nil && reply.SSID == 0 {
		p = t.pairTo(in.From)
	}
	if p == nil || p.to != in.From {
		l.misfit(t, p, &reply, in.From)
		return
	}
	s := p.sessions[l.flow]
	rec := s.sent(reply.SenderSequence, reply.SenderSent)
	switch {
	case rec == nil:
		p.misfit(notEchoed, "")
	case !s.open(rec):
		p.misfit(tooLate, "")
	case s.arrive(rec, &reply, in, m, t.clock):
		l.awaited--
		p.taken++
		p.isThere(rec)
		t.mark(rec, p, &reply, in, m)
	}
}

// mark notes what a packet and its reply look like on arrival.
func (t *test) mark(rec *record, p *pair, reply *stamp.Reply, in *timestamp.Incoming, m Moment) {
	if p.reached(m) {
		rec.flags |= first
	}
	if reply.HasClassOfService {
		note(rec, remarkedForward, &p.tellsDSCP, reply.DSCPReceived == t.DSCP)
	}
	if reply.HasClassOfService && !reply.ReplyDSCPRefused {
		note(rec, remarkedBackward, &p.obeysDSCP, in.TOS>>2 == t.DSCP)
	}
	note(rec, lowTTL, &p.sends255, in.TTL == sentTTL)
	if !reply.NoTTL {
		note(rec, lowTTL, &p.tells255, reply.SenderTTL == sentTTL)
	}
}

// note notes what is not as it was sent, where the reflector is known to have it
// right, which it is once it was.
func note(rec *record, harm flags, known *bool, right bool) {
	if right {
		*known = true
	} else if *known {
		rec.flags |= harm
	}
}

// sentTTL is what packets are sent with, both ways (RFC 5881 does it for the
// same reason): on one layer 2 it arrives as it was sent.
const sentTTL = 255
