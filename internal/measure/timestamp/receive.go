package timestamp

import (
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// Incoming is a packet that was received.
type Incoming struct {
	// From bears no zone.
	From netip.AddrPort
	// Payload is valid until the next Receive or Await.
	Payload []byte
	// At is when it arrived, in nanoseconds of Unix time.
	At int64
	// Kernel says that At is the kernel's; otherwise it was read when the
	// packet was taken from the socket. Linux starts to stamp a moment after
	// the first socket of the host asks for it.
	Kernel bool
	TTL    uint8
	TOS    uint8
}

// Receive gives what has arrived, in order and at most Batch packets, and does
// not wait. They belong to the socket until the next Receive or Await. After
// Close the error is net.ErrClosed.
func (s *Socket) Receive() ([]Incoming, error) {
	if err := s.hold(); err != nil {
		return nil, err
	}
	defer s.release()
	return s.receive()
}

// receive gives none only where nothing is left.
func (s *Socket) receive() ([]Incoming, error) {
	for {
		n, err := s.incoming.drain(s.fd, 0)
		if err != nil {
			return nil, fmt.Errorf("receive on %s: %w", s.local, err)
		}
		if in := s.take(n); len(in) > 0 || n == 0 {
			return in, nil
		}
	}
}

// Await is a Receive that waits for a packet if none is there. It may return
// none before the timeout: when a signal breaks the wait, which with
// KeepProcessor is every 10 ms or so, or an ICMP error. Transmit stamps do not.
// The timeout is rounded up to the kernel's tick (4 ms
// at 250 Hz), and changing it from call to call costs a system call.
//
// It is a blocking recvmmsg, the cheapest way to be woken: polling first would
// be woken by every transmit stamp.
func (s *Socket) Await(timeout time.Duration) ([]Incoming, error) {
	if timeout <= 0 {
		return s.Receive()
	}
	if err := s.hold(); err != nil {
		return nil, err
	}
	defer s.release()
	if err := s.setTimeout(timeout); err != nil {
		return nil, err
	}
	n, err := s.incoming.await(s.fd, s.keepProcessor)
	switch {
	case s.closed.Load():
		return nil, net.ErrClosed
	case err == nil || err == unix.EAGAIN:
		return s.take(n), nil
	}
	// A signal, or the error of an earlier packet. One that lasts is met again.
	return s.receive()
}

func (s *Socket) setTimeout(timeout time.Duration) error {
	if timeout == s.timeout {
		return nil
	}
	// Zero would be for ever (socket(7), SO_RCVTIMEO).
	limit := unix.NsecToTimeval(max(timeout, time.Microsecond).Nanoseconds())
	if err := unix.SetsockoptTimeval(s.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
		return fmt.Errorf("set SO_RCVTIMEO on %s: %w", s.local, err)
	}
	s.timeout = timeout
	return nil
}

// drain receives what is there. What ICMP said of a packet that was sent is
// given to the next system call, instead of packets (ip(7), IP_RECVERR): it is
// passed over, and stands in the error queue.
func (b *batch) drain(fd, flags int) (n int, err error) {
	for range 100 {
		n, err = b.receive(fd, flags)
		if err == nil || err == unix.EAGAIN {
			return n, nil
		}
	}
	return 0, err
}

// take reads what the kernel wrote of n packets.
func (s *Socket) take(n int) []Incoming {
	s.received = s.received[:0]
	now := Now()
	for i := range n {
		if !s.cutLonger && s.incoming.cut(i) {
			continue
		}
		p := Incoming{
			From:    s.incoming.address(i).get(s.incoming.messages[i].header.Namelen),
			Payload: s.incoming.octets(i),
			At:      now,
		}
		s.annotate(&p, s.incoming.controls(i))
		s.received = append(s.received, p)
	}
	return s.received
}

// annotate adds what control messages say of a packet.
func (s *Socket) annotate(p *Incoming, controls []byte) {
	for c, rest, ok := nextControl(controls); ok; c, rest, ok = nextControl(rest) {
		switch {
		case c.is(unix.SOL_SOCKET, unix.SO_TIMESTAMPING):
			if at := c.stamp(); at != 0 {
				p.At, p.Kernel = at, true
			}
		case c.is(unix.SOL_SOCKET, unix.SO_RXQ_OVFL):
			s.drops.saw(c.value())
		case c.is(unix.SOL_IP, unix.IP_TTL), c.is(unix.SOL_IPV6, unix.IPV6_HOPLIMIT):
			p.TTL = uint8(c.value())
		case c.is(unix.SOL_IP, unix.IP_TOS), c.is(unix.SOL_IPV6, unix.IPV6_TCLASS):
			p.TOS = uint8(c.value())
		}
	}
}
