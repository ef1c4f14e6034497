package simulation

import (
	"fmt"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"ixpqos/internal/measure/timestamp"
)

// Host has addresses, a clock and sockets. Its fields may be changed at any
// moment.
type Host struct {
	// Stamps tells which stamps its kernel gives: at first both.
	Stamps timestamp.Stamps
	// StampLoss is the probability that a transmit stamp gets lost.
	StampLoss float64
	// Queue is how long a packet waits between Send and its transmit stamp.
	Queue time.Duration
	// Buffer is how many packets a socket's receive buffer holds; 0 for any
	// number. Those that find it full are counted as drops.
	Buffer int
	// Unresolved tells which addresses do not answer ARP or neighbour discovery; nil
	// stands for none. What is sent there waits, a second for each of three tries,
	// and then is not sent, which the socket is told.
	Unresolved func(netip.Addr) bool
	// SendBuffer is how many packets of a socket may wait so; 0 for any number. More
	// are refused (EAGAIN).
	SendBuffer int
	// Refuse gives an error for what the kernel does not take; nil takes all.
	Refuse func(Packet) error

	network   *Network
	addresses []netip.Addr
	sockets   map[netip.AddrPort]*Socket

	offset   time.Duration // of the clock at the moment since
	since    time.Duration
	driftPPM float64 // parts per million
}

// Host adds a host, whose clock is right.
func (n *Network) Host(addresses ...netip.Addr) *Host {
	h := &Host{
		Stamps:    timestamp.Stamps{Receive: true, Transmit: true},
		network:   n,
		addresses: addresses,
		sockets:   map[netip.AddrPort]*Socket{},
	}
	for _, a := range addresses {
		n.hosts[a] = h
	}
	return h
}

// Now reads the host's clock, in nanoseconds of Unix time.
func (h *Host) Now() int64 {
	return Start.Add(h.network.elapsed + h.wrong()).UnixNano()
}

// wrong is how far the clock is ahead of the true time.
func (h *Host) wrong() time.Duration {
	return h.offset + time.Duration(float64(h.network.elapsed-h.since)*h.driftPPM/1e6)
}

// Step sets the clock ahead, or back.
func (h *Host) Step(d time.Duration) { h.offset += d }

// Drift makes the clock gain so many parts per million from now on.
func (h *Host) Drift(ppm float64) {
	h.offset, h.since, h.driftPPM = h.wrong(), h.network.elapsed, ppm
}

// Open opens a socket. Of the options Local, DSCP, Batch, MaxPacket and CutLonger count; the
// port may not be 0.
func (h *Host) Open(o timestamp.Options) (*Socket, error) {
	if !slices.Contains(h.addresses, o.Local.Addr()) {
		return nil, fmt.Errorf("open a simulated socket on %s: %w", o.Local, syscall.EADDRNOTAVAIL)
	}
	if h.sockets[o.Local] != nil {
		return nil, fmt.Errorf("open a simulated socket on %s: %w", o.Local, syscall.EADDRINUSE)
	}
	s := &Socket{host: h, options: o}
	h.sockets[o.Local] = s
	return s, nil
}
