package timestamp

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Socket is a UDP socket. Receive and Await are one goroutine's at a time, Send
// is, and Events is; all else may be called from any.
type Socket struct {
	local          netip.AddrPort
	bufferSize     int
	sendBufferSize int
	stamping       stamping
	doubt          string
	identify       func([]byte) uint32
	keepProcessor  bool
	cutLonger      bool

	outgoing *batch
	incoming *batch
	queued   *batch // of the error queue
	received []Incoming
	events   []Event
	timeout  time.Duration // SO_RCVTIMEO as it stands

	// mu is read-locked by whoever uses fd, so that it is closed under nobody.
	mu     sync.RWMutex
	fd     int
	closed atomic.Bool
	drops  dropCount
}

// Close ends the socket, and an Await that waits on it.
func (s *Socket) Close() error {
	if s.closed.Swap(true) {
		return net.ErrClosed
	}
	// Linux says ENOTCONN of an unconnected socket, and wakes who waits all the
	// same (inet_shutdown in net/ipv4/af_inet.c).
	_ = unix.Shutdown(s.fd, unix.SHUT_RD)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := unix.Close(s.fd); err != nil {
		return fmt.Errorf("close the UDP socket on %s: %w", s.local, err)
	}
	return nil
}

// hold keeps the descriptor open until release.
func (s *Socket) hold() error {
	s.mu.RLock()
	if s.closed.Load() {
		s.mu.RUnlock()
		return net.ErrClosed
	}
	return nil
}

func (s *Socket) release() { s.mu.RUnlock() }

// Local gives the address and the port that the socket has.
func (s *Socket) Local() netip.AddrPort { return s.local }

// BufferSize gives the octets of receive buffer that were had, in the measure
// of Options.Buffer: the kernel keeps, and reports, twice that (socket(7)).
func (s *Socket) BufferSize() int { return s.bufferSize }

// SendBufferSize is the same of the send buffer, which what waits for a neighbour
// fills.
func (s *Socket) SendBufferSize() int { return s.sendBufferSize }

// Stamps tells which of the two kinds of kernel stamps there are.
type Stamps struct{ Receive, Transmit bool }

// Kernel tells which stamps are the kernel's. Without those for receiving,
// Incoming.At is user space's; without those for transmitting there are no
// Sent events.
func (s *Socket) Kernel() Stamps {
	return Stamps{Receive: s.stamping != unstamped, Transmit: s.stamping == byID || s.stamping == byPayload}
}

// Doubt says in a line why there are not all stamps; empty where there are.
func (s *Socket) Doubt() string { return s.doubt }
