package ping

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// way is how pings leave. From may be invalid: the kernel chooses then.
type way struct {
	from, to netip.Addr
	iface    string
	dscp     uint8
	size     int // of the IP packet
	raw      bool
}

// What an Echo message begins with (RFC 792, RFC 4443, section 4): type, code,
// checksum, identifier, sequence number. Then comes the cookie.
const (
	echoHeader = 8
	cookieSize = 8
)

// conn is an ICMP socket for the pings to one address, whose packets the kernel
// gives its own time, coming and going.
type conn struct {
	file   *os.File
	raw    syscall.RawConn
	to     unix.Sockaddr
	six    bool
	cookie []byte // by which it knows its own packets
	packet []byte
	data   []byte
	oob    []byte
}

// arrival is a reply, or the kernel's word that a ping has left.
type arrival struct {
	seq  int
	left bool
	at   int64 // Unix nanoseconds by the kernel's clock; 0 where it gave none
	from netip.Addr
}

func open(w way) (*conn, error) {
	c := &conn{six: w.to.Is6(), data: make([]byte, 256), oob: make([]byte, 512)}
	domain, protocol, kind := unix.AF_INET, unix.IPPROTO_ICMP, unix.SOCK_DGRAM
	if c.six {
		domain, protocol = unix.AF_INET6, unix.IPPROTO_ICMPV6
	}
	if w.raw {
		kind = unix.SOCK_RAW
	}
	fd, err := unix.Socket(domain, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return nil, fmt.Errorf("open an ICMP socket: %w", err)
	}
	c.fill(w)
	if err := c.prepare(fd, w); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	c.file = os.NewFile(uintptr(fd), "icmp")
	if c.raw, err = c.file.SyscallConn(); err != nil {
		return nil, errors.Join(err, c.file.Close())
	}
	return c, nil
}

func (c *conn) close() { _ = c.file.Close() } // nothing is lost by it

// fill makes the packet. Its end is ones, as pro-bing's.
func (c *conn) fill(w way) {
	family := uint8(4)
	if c.six {
		family = 6
	}
	c.packet = bytes.Repeat([]byte{1}, w.size-ipHeader(family))
	c.packet[0], c.packet[1] = c.request(), 0
	binary.NativeEndian.PutUint64(c.packet[echoHeader:], rand.Uint64())
	c.cookie = bytes.Clone(c.packet[echoHeader:][:cookieSize])
	copy(c.packet[4:6], c.cookie) // the identifier; the kernel gives a datagram socket one of its own
}

// The types of Echo messages.
func (c *conn) request() byte {
	if c.six {
		return 128
	}
	return 8
}

func (c *conn) reply() byte {
	if c.six {
		return 129
	}
	return 0
}

// option is a socket option and what it is for.
type option struct {
	level, name, value int
	what               string
}

func (c *conn) options(w way) []option {
	tos := int(w.dscp) << 2
	if c.six {
		return []option{
			{unix.IPPROTO_IPV6, unix.IPV6_TCLASS, tos, "the DSCP"},
			{unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, 255, "the hop limit"},
		}
	}
	return []option{
		{unix.IPPROTO_IP, unix.IP_TOS, tos, "the DSCP"},
		{unix.IPPROTO_IP, unix.IP_TTL, 255, "the TTL"}, // on a layer-2 fabric it stays
	}
}

// stampFlags ask for the kernel's time of what leaves and of what comes (kernel
// documentation, networking/timestamping).
const stampFlags = unix.SOF_TIMESTAMPING_SOFTWARE | unix.SOF_TIMESTAMPING_TX_SOFTWARE | unix.SOF_TIMESTAMPING_RX_SOFTWARE

func (c *conn) prepare(fd int, w way) error {
	for _, o := range c.options(w) {
		if err := unix.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
			return fmt.Errorf("set %s of pings: %w", o.what, err)
		}
	}
	if w.raw {
		if err := c.filter(fd); err != nil {
			return fmt.Errorf("filter what an ICMP socket hears: %w", err)
		}
	}
	if err := bindDevice(fd, w.iface); err != nil {
		return err
	}
	// Where a kernel gives no time, replies are timed here, which is told.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPING, stampFlags)
	var err error
	if c.to, err = sockaddr(w.to, w.iface); err != nil || !w.from.IsValid() {
		return err
	}
	from, err := sockaddr(w.from, w.iface)
	if err == nil {
		err = unix.Bind(fd, from)
	}
	return err
}

// keepStamping keeps the kernel stamping what comes, which it begins with a
// moment after a first socket asks for it, and ends with the last one: sockets
// that live for a round would miss the time of their first replies.
func keepStamping() (end func(), err error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open a socket: %w", err)
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPING, stampFlags)
	return func() { _ = unix.Close(fd) }, nil
}

func bindDevice(fd int, iface string) error {
	if iface == "" {
		return nil
	}
	if err := unix.BindToDevice(fd, iface); err != nil {
		return fmt.Errorf("bind pings to interface %q (%w): correct the inventory's interface, or grant CAP_NET_RAW", iface, err)
	}
	return nil
}

// filter leaves a raw socket its own replies of all that come to this host.
func (c *conn) filter(fd int) error {
	head := unix.SockFilter{Code: unix.BPF_LDX | unix.BPF_W | unix.BPF_IMM} // an IPv6 socket sees no IP header
	if !c.six {
		head.Code = unix.BPF_LDX | unix.BPF_B | unix.BPF_MSH
	}
	code := []unix.SockFilter{
		head,
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_IND, K: 0},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(c.reply()), Jf: 3},
		{Code: unix.BPF_LD | unix.BPF_H | unix.BPF_IND, K: 4},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(binary.BigEndian.Uint16(c.cookie)), Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: 1<<32 - 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
	}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]})
}

// sockaddr: a link-local address says by which interface, or is of the one that
// is bound to (RFC 4007, section 11).
func sockaddr(ip netip.Addr, iface string) (unix.Sockaddr, error) {
	if ip.Is4() {
		return &unix.SockaddrInet4{Addr: ip.As4()}, nil
	}
	a := &unix.SockaddrInet6{Addr: ip.As16()}
	zone := ip.Zone()
	if zone == "" && ip.IsLinkLocalUnicast() {
		zone = iface
	}
	if zone == "" {
		return a, nil
	}
	i, err := net.InterfaceByName(zone)
	if err != nil {
		return nil, fmt.Errorf("there is no interface %q for %s: correct the name", zone, ip)
	}
	a.ZoneId = uint32(i.Index)
	return a, nil
}

func (c *conn) send(seq int) (err error) {
	binary.BigEndian.PutUint16(c.packet[6:], uint16(seq))
	if !c.six { // the kernel sums ICMPv6 (RFC 3542, section 3.1)
		c.packet[2], c.packet[3] = 0, 0
		binary.BigEndian.PutUint16(c.packet[2:], checksum(c.packet))
	}
	if ctlErr := c.raw.Control(func(fd uintptr) { err = unix.Sendto(int(fd), c.packet, 0, c.to) }); ctlErr != nil {
		return ctlErr
	}
	return err
}

// checksum is that of RFC 1071.
func checksum(b []byte) uint16 {
	sum := uint32(0)
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// poll hands on what has come.
func (c *conn) poll(take func(arrival)) (took bool, err error) {
	err = c.raw.Control(func(fd uintptr) { took = c.drain(int(fd), take) })
	return took, err
}

// read hands on what has come or, where nothing has, waits for it until then.
func (c *conn) read(until time.Time, take func(arrival)) error {
	if took, err := c.poll(take); err != nil || took {
		return err
	}
	if err := c.file.SetReadDeadline(until); err != nil {
		return err
	}
	err := c.raw.Read(func(fd uintptr) bool { return c.drain(int(fd), take) })
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

// drain takes the stamps of what has left first: a reply needs them.
func (c *conn) drain(fd int, take func(arrival)) (took bool) {
	for _, flags := range []int{unix.MSG_ERRQUEUE, 0} {
		for {
			n, oobn, _, from, err := unix.Recvmsg(fd, c.data, c.oob, flags)
			if errors.Is(err, unix.EINTR) {
				continue
			}
			if err != nil {
				break // mostly EAGAIN; an error of the network's is told by what is not answered
			}
			if a, ok := c.parse(c.data[:n], flags != 0); ok {
				a.at, a.from, took = stampOf(c.oob[:oobn]), addressOf(from), true
				take(a)
			}
		}
	}
	return took
}

// parse finds an Echo message by its cookie, whatever stands before it: a raw
// socket gives the IP header too, and a stamp comes with what was sent.
func (c *conn) parse(packet []byte, left bool) (a arrival, ok bool) {
	i := bytes.Index(packet, c.cookie) - echoHeader
	if i < 0 {
		return a, false
	}
	kind := c.reply()
	if left {
		kind = c.request()
	}
	return arrival{seq: int(binary.BigEndian.Uint16(packet[i+6:])), left: left}, packet[i] == kind
}

// stampOf is the software stamp of struct scm_timestamping, 0 for none.
func stampOf(oob []byte) (unixNanoseconds int64) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return 0
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_TIMESTAMPING && len(m.Data) >= int(unsafe.Sizeof(unix.ScmTimestamping{})) {
			return (*unix.ScmTimestamping)(unsafe.Pointer(&m.Data[0])).Ts[0].Nano()
		}
	}
	return 0
}

func addressOf(from unix.Sockaddr) netip.Addr {
	switch a := from.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrFrom4(a.Addr)
	case *unix.SockaddrInet6:
		return netip.AddrFrom16(a.Addr)
	}
	return netip.Addr{}
}
