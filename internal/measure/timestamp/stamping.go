package timestamp

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// stamping is what is had of the kernel's stamps, from the best to none.
type stamping uint8

const (
	byID      stamping = iota // transmit stamps come with the ID of Outgoing
	byPayload                 // transmit stamps come with the packet
	receiving                 // there are none of transmission
	unstamped
)

// scmTSOptID is SCM_TS_OPT_ID, which sends a packet's ID along with it (Linux
// 6.13, include/uapi/asm-generic/socket.h). The kernel's own count of packets,
// which it replaces, cannot be followed: what a firewall refuses uses a number,
// what a route refuses does not.
const scmTSOptID = 81

// flags are those of networking/timestamping.rst. OPT_TSONLY gives stamps
// without their packets.
func (s stamping) flags() int {
	flags := unix.SOF_TIMESTAMPING_SOFTWARE | unix.SOF_TIMESTAMPING_RX_SOFTWARE
	switch s {
	case byID:
		flags |= unix.SOF_TIMESTAMPING_TX_SOFTWARE | unix.SOF_TIMESTAMPING_OPT_ID | unix.SOF_TIMESTAMPING_OPT_TSONLY
	case byPayload:
		flags |= unix.SOF_TIMESTAMPING_TX_SOFTWARE
	}
	return flags
}

// ask has the best stamping switched on that the kernel gives, and says what
// is missing.
func ask(fd, family int, o Options) (had stamping, doubt string) {
	best := o.most
	if best == byID && !takes(scmTSOptID, family) {
		best = byPayload
	}
	if best == byPayload && o.Identify == nil {
		best, doubt = receiving, "this kernel cannot tell which packet a transmit stamp belongs to (Linux 6.13 can): when packets left is user space's time"
	}
	if best == unstamped {
		return unstamped, "no kernel stamps were asked for: all times are user space's"
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPING, best.flags()); err != nil {
		return unstamped, fmt.Sprintf("the kernel gives no stamps (SO_TIMESTAMPING: %v): all times are user space's", err)
	}
	return best, doubt
}

// takes tries whether the kernel knows a kind of control message for IDs. They
// are looked at before the route is, and MSG_PROBE with MSG_CONFIRM and without
// octets sends nothing (udp_sendmsg in net/ipv4/udp.c). The socket is one of its
// own, since an address or an interface could raise EINVAL too.
func takes(kind int32, family int) bool {
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPING, byID.flags()) != nil {
		return false
	}
	to := netip.AddrPortFrom(netip.IPv6Loopback(), discard)
	if family == unix.AF_INET {
		to = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), discard)
	}
	control := make([]byte, controlSpace)
	putControl(control, unix.SOL_SOCKET, kind)
	err = unix.Sendmsg(fd, nil, control, sockaddr(to), msgProbe|unix.MSG_CONFIRM|unix.MSG_DONTWAIT)
	return err != unix.EINVAL
}

const (
	msgProbe = 0x10 // include/linux/socket.h
	discard  = 9    // the port of RFC 863
)
