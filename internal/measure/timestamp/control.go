package timestamp

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// controlSize holds all that the kernel says of a packet or of an entry of the
// error queue: a stamp of 64 octets, an error with an address of 64, and TTL,
// TOS and drops of 24 each.
const controlSize = 256

// controlSpace is what a control message takes that carries one 32-bit value.
var controlSpace = unix.CmsgSpace(4)

// control is one control message (cmsg(3)).
type control struct {
	level, kind int32
	data        []byte
}

// nextControl takes a control message off the front of others.
func nextControl(b []byte) (c control, rest []byte, ok bool) {
	if len(b) < unix.SizeofCmsghdr {
		return control{}, nil, false
	}
	h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
	start, end := unix.CmsgLen(0), int(h.Len)
	if end < start || end > len(b) {
		return control{}, nil, false
	}
	next := min(unix.CmsgSpace(end-start), len(b))
	return control{h.Level, h.Type, b[start:end]}, b[next:], true
}

// putControl writes the head of a control message for one 32-bit value.
func putControl(b []byte, level, kind int32) {
	h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
	h.Level, h.Type = level, kind
	h.SetLen(unix.CmsgLen(4))
}

// putValue writes the value of such a control message.
func putValue(b []byte, value uint32) {
	binary.NativeEndian.PutUint32(b[unix.CmsgLen(0):], value)
}

func (c control) is(level, kind int32) bool { return c.level == level && c.kind == kind }

// value reads an int, or the one octet that IPv4 gives for a TOS.
func (c control) value() uint32 {
	switch {
	case len(c.data) >= 4:
		return binary.NativeEndian.Uint32(c.data)
	case len(c.data) >= 1:
		return uint32(c.data[0])
	}
	return 0
}

// stamp reads the software stamp of struct scm_timestamping, 0 for none.
func (c control) stamp() (unixNanoseconds int64) {
	if len(c.data) < int(unsafe.Sizeof(unix.ScmTimestamping{})) {
		return 0
	}
	return (*unix.ScmTimestamping)(unsafe.Pointer(&c.data[0])).Ts[0].Nano()
}

// failure reads struct sock_extended_err (ip(7), IP_RECVERR).
func (c control) failure() (e unix.SockExtendedErr) {
	if len(c.data) >= int(unsafe.Sizeof(e)) {
		e = *(*unix.SockExtendedErr)(unsafe.Pointer(&c.data[0]))
	}
	return e
}

// offender reads the address behind it, of the host that said so (ip(7),
// SO_EE_OFFENDER).
func (c control) offender() netip.Addr {
	var from name
	at := int(unsafe.Sizeof(unix.SockExtendedErr{}))
	if len(c.data) <= at {
		return netip.Addr{}
	}
	length := copy((*[unsafe.Sizeof(from)]byte)(unsafe.Pointer(&from))[:], c.data[at:])
	return from.get(uint32(length)).Addr()
}
