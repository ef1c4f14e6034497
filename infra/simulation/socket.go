package simulation

import (
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"ixpqos/internal/measure/timestamp"
)

// bufferSize is what BufferSize gives: enough for whatever is asked.
const bufferSize = 4 << 20

// Socket has the methods of a timestamp.Socket.
type Socket struct {
	host     *Host
	options  timestamp.Options
	buffered []timestamp.Incoming
	given    []timestamp.Incoming
	queued   []timestamp.Event
	drops    uint64
	waiting  int // packets, for a neighbour
	closed   bool
}

// Send sends packets.
func (s *Socket) Send(packets []timestamp.Outgoing) (taken int) {
	for i := range packets {
		if packets[i].Err = s.send(packets[i]); packets[i].Err == nil {
			taken++
		}
	}
	return taken
}

func (s *Socket) send(o timestamp.Outgoing) error {
	if s.closed {
		return net.ErrClosed
	}
	p := Packet{From: s.Local(), To: o.To, Payload: slices.Clone(o.Payload), TTL: TTL, TOS: s.options.DSCP << 2}
	if o.TOS >= 0 {
		p.TOS = uint8(o.TOS)
	}
	if s.host.Refuse != nil {
		if err := s.host.Refuse(p); err != nil {
			return err
		}
	}
	if s.host.unresolved(p.To.Addr()) {
		return s.wait(p, o.ID)
	}
	s.host.network.after(s.host.Queue, func() { s.leave(p, o.ID) })
	return nil
}

// tries is how often a neighbour is asked for before it is taken not to be there
// (kernel documentation, ip-sysctl: mcast_solicit).
const tries = 3

func (h *Host) unresolved(a netip.Addr) bool { return h.Unresolved != nil && h.Unresolved(a) }

func (s *Socket) wait(p Packet, id uint32) error {
	if s.host.SendBuffer > 0 && s.waiting >= s.host.SendBuffer {
		return syscall.EAGAIN
	}
	s.waiting++
	s.host.network.after(time.Second, func() { s.try(p, id, tries-1) })
	return nil
}

func (s *Socket) try(p Packet, id uint32, left int) {
	switch {
	case !s.host.unresolved(p.To.Addr()):
		s.waiting--
		s.leave(p, id)
	case left > 0:
		s.host.network.after(time.Second, func() { s.try(p, id, left-1) })
	default:
		s.waiting--
		e := timestamp.Event{Kind: timestamp.Unreachable, To: p.To, By: p.From.Addr(), ICMPType: icmp4Unreachable, ICMPCode: icmp4Host, Quoted: p.Payload}
		if p.To.Addr().Is6() {
			e.ICMPType, e.ICMPCode = icmp6Unreachable, icmp6Address
		}
		s.queued = append(s.queued, e)
	}
}

func (s *Socket) leave(p Packet, id uint32) {
	n := s.host.network
	if s.host.Stamps.Transmit && !n.chance(s.host.StampLoss) {
		s.queued = append(s.queued, timestamp.Event{Kind: timestamp.Sent, ID: id, At: s.host.Now()})
	}
	n.carry(p)
}

func (s *Socket) arrive(p Packet) {
	if s.host.Buffer > 0 && len(s.buffered) >= s.host.Buffer {
		s.drops++
		return
	}
	if len(p.Payload) > s.options.MaxPacket {
		if !s.options.CutLonger {
			return
		}
		p.Payload = p.Payload[:s.options.MaxPacket]
	}
	s.buffered = append(s.buffered, timestamp.Incoming{
		From: p.From, Payload: slices.Clone(p.Payload), At: s.host.Now(), Kernel: s.host.Stamps.Receive, TTL: p.TTL, TOS: p.TOS,
	})
}

// Codes of RFC 792 and RFC 4443 for "nothing listens on that port" and "there is no
// such neighbour".
const (
	icmp4Unreachable, icmp4Host, icmp4Port    = 3, 1, 3
	icmp6Unreachable, icmp6Address, icmp6Port = 1, 3, 4
)

func (s *Socket) unreachable(p Packet) {
	e := timestamp.Event{Kind: timestamp.Unreachable, To: p.To, By: p.To.Addr(), ICMPType: icmp4Unreachable, ICMPCode: icmp4Port, Quoted: p.Payload}
	if p.To.Addr().Is6() {
		e.ICMPType, e.ICMPCode = icmp6Unreachable, icmp6Port
	}
	s.queued = append(s.queued, e)
}

// Receive gives what has arrived. What it gave before is overwritten, as that of
// a real socket may be.
func (s *Socket) Receive() ([]timestamp.Incoming, error) {
	for _, p := range s.given {
		for i := range p.Payload {
			p.Payload[i] = 0xaa
		}
	}
	if s.closed {
		return nil, net.ErrClosed
	}
	count := min(s.options.Batch, len(s.buffered))
	s.given, s.buffered = s.buffered[:count:count], s.buffered[count:]
	for i := range s.given {
		if !s.given[i].Kernel {
			s.given[i].At = s.host.Now()
		}
	}
	return s.given, nil
}

// Await is Receive: only Advance waits.
func (s *Socket) Await(time.Duration) ([]timestamp.Incoming, error) { return s.Receive() }

// Events gives transmit stamps and ICMP errors.
func (s *Socket) Events() ([]timestamp.Event, error) {
	if s.closed {
		return nil, net.ErrClosed
	}
	count := min(s.options.Batch, len(s.queued))
	given := s.queued[:count:count]
	s.queued = s.queued[count:]
	return given, nil
}

// Close ends the socket. What is on its way to it finds nothing there.
func (s *Socket) Close() error {
	if s.closed {
		return net.ErrClosed
	}
	s.closed = true
	delete(s.host.sockets, s.Local())
	return nil
}

// Local gives the address and the port.
func (s *Socket) Local() netip.AddrPort { return s.options.Local }

// Drops counts the packets that found the receive buffer full.
func (s *Socket) Drops() uint64 { return s.drops }

// BufferSize gives the octets of receive buffer.
func (s *Socket) BufferSize() int { return bufferSize }

// SendBufferSize gives the octets of send buffer.
func (s *Socket) SendBufferSize() int { return bufferSize }

// Kernel tells which stamps are the kernel's.
func (s *Socket) Kernel() timestamp.Stamps { return s.host.Stamps }

// Doubt says in a line why there are not all stamps.
func (s *Socket) Doubt() string {
	if s.host.Stamps.Receive && s.host.Stamps.Transmit {
		return ""
	}
	return "the simulated kernel does not give all stamps"
}
