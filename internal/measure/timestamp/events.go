package timestamp

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Kind is what an Event tells.
type Kind uint8

// The kinds of events.
const (
	Sent        Kind = iota + 1 // a packet has left
	Unreachable                 // an ICMP error answered a packet
)

// Event is what the socket's error queue tells of a packet that was sent.
type Event struct {
	Kind Kind
	// ID is that of the packet that was Sent, and At when it left, in
	// nanoseconds of Unix time.
	ID uint32
	At int64
	// To is where the Unreachable packet was sent to, and ICMPType and ICMPCode
	// are what was said of it (of ICMPv6 on an IPv6 socket), by a host. It is this
	// one where no neighbour answered ARP or neighbour discovery.
	To       netip.AddrPort
	By       netip.Addr
	ICMPType uint8
	ICMPCode uint8
	// Quoted is the front of the payload of the Unreachable packet, as far as
	// it was quoted, up to 256 octets. It is valid until the next Events.
	Quoted []byte
}

// quoteSize is how much is read of a packet in the error queue. Given back for
// its stamp it has its headers in front: link layer, IP and UDP.
const quoteSize = 256

// Events gives what the error queue holds, at most Batch events, and does not
// wait. They belong to the socket until the next Events. Entries that are
// neither a stamp nor an ICMP error are passed over: the kernel also puts the
// EMSGSIZE there that Send has told of. After Close the error is net.ErrClosed.
//
// Whoever wants T1 before the reply drains the events before receiving.
func (s *Socket) Events() ([]Event, error) {
	if err := s.hold(); err != nil {
		return nil, err
	}
	defer s.release()
	for {
		n, err := s.queued.drain(s.fd, unix.MSG_ERRQUEUE)
		if err != nil {
			return nil, fmt.Errorf("read the error queue of %s: %w", s.local, err)
		}
		if events := s.tell(n); len(events) > 0 || n == 0 {
			return events, nil
		}
	}
}

// tell reads n entries of the error queue.
func (s *Socket) tell(n int) []Event {
	s.events = s.events[:0]
	for i := range n {
		if e, ok := s.event(i); ok {
			s.events = append(s.events, e)
		}
	}
	return s.events
}

// event reads entry i of the error queue (networking/timestamping.rst, section
// 2.1; ip(7), IP_RECVERR).
func (s *Socket) event(i int) (e Event, ok bool) {
	at, failure, by := entry(s.queued.controls(i))
	switch failure.Origin {
	case unix.SO_EE_ORIGIN_TIMESTAMPING:
		if at == 0 || failure.Info != unix.SCM_TSTAMP_SND {
			return Event{}, false
		}
		id, ok := s.idOf(failure, s.queued.octets(i))
		return Event{Kind: Sent, ID: id, At: at}, ok
	case unix.SO_EE_ORIGIN_ICMP, unix.SO_EE_ORIGIN_ICMP6:
		return Event{
			Kind:     Unreachable,
			To:       s.queued.address(i).get(s.queued.messages[i].header.Namelen),
			By:       by,
			ICMPType: failure.Type,
			ICMPCode: failure.Code,
			Quoted:   s.queued.octets(i),
		}, true
	}
	return Event{}, false
}

func entry(controls []byte) (at int64, failure unix.SockExtendedErr, by netip.Addr) {
	for c, rest, ok := nextControl(controls); ok; c, rest, ok = nextControl(rest) {
		switch {
		case c.is(unix.SOL_SOCKET, unix.SO_TIMESTAMPING):
			at = c.stamp()
		case c.is(unix.SOL_IP, unix.IP_RECVERR), c.is(unix.SOL_IPV6, unix.IPV6_RECVERR):
			failure, by = c.failure(), c.offender()
		}
	}
	return at, failure, by
}

func (s *Socket) idOf(stamp unix.SockExtendedErr, packet []byte) (id uint32, ok bool) {
	if s.stamping == byID {
		return stamp.Data, true
	}
	payload, ok := payloadOf(packet, s.local)
	if !ok {
		return 0, false
	}
	return s.identify(payload), true
}

// payloadOf finds the UDP payload in the front of a packet that was sent from
// an address. Before it stand the headers of whatever link it left by, so the
// IP header is looked for.
func payloadOf(packet []byte, from netip.AddrPort) (payload []byte, ok bool) {
	header, isUDP := 40, isUDP6
	if from.Addr().Is4() {
		header, isUDP = 20, isUDP4
	}
	const udp = 8
	for len(packet) >= header+udp {
		datagram := packet[header:]
		length := binary.BigEndian.Uint16(datagram[4:])
		if length >= udp && isUDP(packet, length) && binary.BigEndian.Uint16(datagram) == from.Port() {
			return datagram[udp:min(int(length), len(datagram))], true
		}
		packet = packet[1:]
	}
	return nil, false
}

// isUDP4 tells whether this is an IPv4 header without options (RFC 791, section
// 3.1) before a UDP datagram of that length.
func isUDP4(header []byte, length uint16) bool {
	return header[0] == 0x45 && header[9] == unix.IPPROTO_UDP && binary.BigEndian.Uint16(header[2:]) == 20+length
}

// isUDP6 tells whether this is an IPv6 header (RFC 8200, section 3) before a UDP
// datagram of that length.
func isUDP6(header []byte, length uint16) bool {
	return header[0]>>4 == 6 && header[6] == unix.IPPROTO_UDP && binary.BigEndian.Uint16(header[4:]) == length
}
