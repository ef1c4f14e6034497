package timestamp

import (
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Outgoing is a packet to send.
type Outgoing struct {
	To      netip.AddrPort
	Payload []byte
	// ID comes back with the packet's transmit stamp.
	ID uint32
	// TOS is the packet's TOS octet or traffic class: DSCP and ECN. -1 stands
	// for the socket's own.
	TOS int16
	// Err is why the packet was refused, a unix.Errno or net.ErrClosed. Send
	// sets or clears it.
	Err error
}

// Send sends the packets in order, and returns how many the kernel took. It sets
// Err of each that it refused, and goes on with the next. It does not wait: a
// full send buffer is a refusal (EAGAIN).
func (s *Socket) Send(packets []Outgoing) (taken int) {
	if err := s.hold(); err != nil {
		for i := range packets {
			packets[i].Err = err
		}
		return 0
	}
	defer s.release()
	for len(packets) > 0 {
		now := packets[:min(len(packets), len(s.outgoing.messages))]
		for i := range now {
			s.outgoing.load(i, &now[i], s.stamping == byID)
		}
		taken += s.flush(now)
		packets = packets[len(now):]
	}
	return taken
}

// flush sends what was loaded. sendmmsg stops short before a packet that is
// refused, and gives its error when called again from there (sendmmsg(2)).
func (s *Socket) flush(packets []Outgoing) (taken int) {
	tries := 0
	for i := 0; i < len(packets); {
		n, errno := s.outgoing.send(s.fd, i, len(packets))
		switch {
		case n > 0:
			clearErrors(packets[i : i+n])
			taken, i, tries = taken+n, i+n, 0
		case tries < patience(errno):
			tries++
		default:
			packets[i].Err = errno
			i, tries = i+1, 0
		}
	}
	return taken
}

func clearErrors(packets []Outgoing) {
	for i := range packets {
		packets[i].Err = nil
	}
}

// patience is how often a packet is tried again that was refused so. What ICMP
// said of an earlier packet is given once to whoever uses the socket next, and
// that packet is not sent (ip(7), IP_RECVERR; icmp_err_convert in
// net/ipv4/icmp.c and icmpv6_err_convert in net/ipv6/icmp.c). Some of these
// errors can be nothing else, others may be the packet's own and then remain.
func patience(errno unix.Errno) int {
	switch errno {
	case unix.ECONNREFUSED, unix.ENOPROTOOPT, unix.EOPNOTSUPP, unix.EPROTO, unix.EHOSTDOWN, unix.ENONET, unix.EINTR:
		return 100
	case unix.ENETUNREACH, unix.EHOSTUNREACH, unix.EMSGSIZE, unix.EACCES:
		return 3
	}
	return 0
}

// newSendBatch makes a batch whose messages point to the payloads of packets.
// Each has two control messages: its ID, which stampings without IDs pass over,
// and its TOS, which is left away where it is the socket's.
func newSendBatch(size, family int, has stamping) *batch {
	b := newBatch(size, 2*controlSpace, 0)
	level, kind := int32(unix.SOL_IP), int32(unix.IP_TOS)
	if family == unix.AF_INET6 {
		level, kind = unix.SOL_IPV6, unix.IPV6_TCLASS
	}
	for i := range size {
		id, tos := b.sendControls(i)
		putControl(id, unix.SOL_SOCKET, scmTSOptID)
		putControl(tos, level, kind)
		if has != byID {
			b.messages[i].header.Control = &tos[0]
		}
	}
	return b
}

func (b *batch) sendControls(i int) (id, tos []byte) {
	both := b.control[i*b.controlSize:][:b.controlSize]
	return both[:controlSpace], both[controlSpace:]
}

// load makes message i the packet.
func (b *batch) load(i int, p *Outgoing, withID bool) {
	h := &b.messages[i].header
	h.Namelen = b.names[i].put(p.To)
	b.vectors[i].Base = unsafe.SliceData(p.Payload)
	b.vectors[i].SetLen(len(p.Payload))
	id, tos := b.sendControls(i)
	length := 0
	if withID {
		putValue(id, p.ID)
		length += controlSpace
	}
	if p.TOS >= 0 {
		putValue(tos, uint32(p.TOS))
		length += controlSpace
	}
	h.SetControllen(length)
}
