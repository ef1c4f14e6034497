package timestamp

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// name is a socket address of either family as the kernel has it.
type name unix.RawSockaddrInet6

func familyOf(a netip.Addr) int {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// put writes an address, and gives the length of what it wrote.
func (n *name) put(a netip.AddrPort) (length uint32) {
	if addr := a.Addr().Unmap(); addr.Is4() {
		n4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(n))
		n4.Family, n4.Port, n4.Addr = unix.AF_INET, networkOrder(a.Port()), addr.As4()
		return unix.SizeofSockaddrInet4
	}
	n.Family, n.Port, n.Addr = unix.AF_INET6, networkOrder(a.Port()), a.Addr().As16()
	n.Flowinfo, n.Scope_id = 0, 0
	return unix.SizeofSockaddrInet6
}

// get reads an address of which the kernel wrote that length; the zero value
// where it wrote none.
func (n *name) get(length uint32) netip.AddrPort {
	switch {
	case length >= unix.SizeofSockaddrInet6 && n.Family == unix.AF_INET6:
		return netip.AddrPortFrom(netip.AddrFrom16(n.Addr), networkOrder(n.Port))
	case length >= unix.SizeofSockaddrInet4 && n.Family == unix.AF_INET:
		n4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(n))
		return netip.AddrPortFrom(netip.AddrFrom4(n4.Addr), networkOrder(n4.Port))
	}
	return netip.AddrPort{}
}

// networkOrder turns a port from the host's order of octets into that of the
// network, or back.
func networkOrder(port uint16) uint16 {
	var b [2]byte
	binary.NativeEndian.PutUint16(b[:], port)
	return binary.BigEndian.Uint16(b[:])
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

func localOf(fd int) (netip.AddrPort, error) {
	bound, err := unix.Getsockname(fd)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("read the own address: %w", err)
	}
	switch a := bound.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port)), nil
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr), uint16(a.Port)), nil
	}
	return netip.AddrPort{}, fmt.Errorf("read the own address: it is a %T", bound)
}
