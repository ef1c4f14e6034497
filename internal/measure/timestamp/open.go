package timestamp

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Open opens a socket. The error says in one line what to do.
func Open(o Options) (*Socket, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	o.Local = netip.AddrPortFrom(o.Local.Addr().Unmap(), o.Local.Port())
	s := &Socket{identify: o.Identify, keepProcessor: o.KeepProcessor, cutLonger: o.CutLonger}
	family := familyOf(o.Local.Addr())
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
	if err != nil {
		return nil, openError(o, err)
	}
	s.fd = fd
	if err := s.prepare(o, family); err != nil {
		return nil, errors.Join(openError(o, err), unix.Close(fd))
	}
	s.outgoing = newSendBatch(o.Batch, family, s.stamping)
	s.incoming = newBatch(o.Batch, controlSize, o.MaxPacket)
	s.queued = newBatch(o.Batch, controlSize, quoteSize)
	s.received = make([]Incoming, 0, o.Batch)
	s.events = make([]Event, 0, o.Batch)
	return s, nil
}

// prepare sets what is to be set before packets can come in, and binds.
func (s *Socket) prepare(o Options, family int) (err error) {
	for _, set := range o.settings(family) {
		if err := unix.SetsockoptInt(s.fd, set.level, set.option, set.value); err != nil {
			return fmt.Errorf("set %s: %w", set.name, err)
		}
	}
	if o.Interface != "" {
		if err := unix.BindToDevice(s.fd, o.Interface); err != nil {
			return deviceError(o, err)
		}
	}
	if s.bufferSize, s.sendBufferSize, err = enlarge(s.fd, o.Buffer); err != nil {
		return err
	}
	s.stamping, s.doubt = ask(s.fd, family, o)
	if err := unix.Bind(s.fd, sockaddr(o.Local)); err != nil {
		return bindError(o, err)
	}
	s.local, err = localOf(s.fd)
	return err
}

// enlarge makes the buffers as large as is wanted, or as the system allows
// (net.core.rmem_max and wmem_max bind those without CAP_NET_ADMIN), and reads
// back what was had. The one for sending holds a burst until the
// link has taken it, and what waits for a neighbour that does not answer.
func enlarge(fd, want int) (receive, send int, err error) {
	if want > 0 {
		if err := force(fd, unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, want); err != nil {
			return 0, 0, fmt.Errorf("set SO_RCVBUF: %w", err)
		}
		if err := force(fd, unix.SO_SNDBUFFORCE, unix.SO_SNDBUF, want); err != nil {
			return 0, 0, fmt.Errorf("set SO_SNDBUF: %w", err)
		}
	}
	if receive, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF); err != nil {
		return 0, 0, fmt.Errorf("read SO_RCVBUF: %w", err)
	}
	if send, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF); err != nil {
		return 0, 0, fmt.Errorf("read SO_SNDBUF: %w", err)
	}
	return receive / 2, send / 2, nil
}

func force(fd, privileged, plain, value int) error {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, privileged, value) == nil {
		return nil
	}
	return unix.SetsockoptInt(fd, unix.SOL_SOCKET, plain, value)
}

func openError(o Options, err error) error {
	if errors.Is(err, unix.EAFNOSUPPORT) {
		return fmt.Errorf("open a UDP socket on %s: this host does not have that address family (%w)", o.Local, err)
	}
	return fmt.Errorf("open a UDP socket on %s: %w", o.Local, err)
}

func deviceError(o Options, err error) error {
	switch {
	case errors.Is(err, unix.ENODEV):
		return fmt.Errorf("there is no interface %q here (%w): correct the name", o.Interface, err)
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("binding to interface %q is not permitted (%w): grant CAP_NET_RAW, or leave the interface to the routes", o.Interface, err)
	}
	return fmt.Errorf("bind to interface %q: %w", o.Interface, err)
}

func bindError(o Options, err error) error {
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return fmt.Errorf("port %d is taken (%w): end what holds it (ss -lunp shows it), or set another port", o.Local.Port(), err)
	case errors.Is(err, unix.EACCES):
		return fmt.Errorf("port %d is not permitted (%w): grant CAP_NET_BIND_SERVICE, or `sysctl -w net.ipv4.ip_unprivileged_port_start=%d`, or set a higher port",
			o.Local.Port(), err, o.Local.Port())
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return fmt.Errorf("the address is not configured here (%w): add it to an interface, or correct the inventory", err)
	}
	return fmt.Errorf("bind: %w", err)
}
