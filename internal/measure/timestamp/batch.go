package timestamp

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// message is struct mmsghdr (recvmmsg(2)).
type message struct {
	header unix.Msghdr
	length uint32
}

// batch is the memory of one system call for many packets, made once.
type batch struct {
	messages []message
	vectors  []unix.Iovec
	names    []name
	control  []byte
	data     []byte

	controlSize int
	dataSize    int
	used        int // messages that the kernel has written to
}

func newBatch(size, controlSize, dataSize int) *batch {
	b := &batch{
		messages:    make([]message, size),
		vectors:     make([]unix.Iovec, size),
		names:       make([]name, size),
		control:     make([]byte, size*controlSize),
		data:        make([]byte, size*dataSize),
		controlSize: controlSize,
		dataSize:    dataSize,
		used:        size,
	}
	for i := range b.messages {
		h := &b.messages[i].header
		h.Name = (*byte)(unsafe.Pointer(&b.names[i]))
		h.Iov = &b.vectors[i]
		h.SetIovlen(1)
		h.Control = &b.control[i*controlSize]
		if dataSize > 0 {
			b.vectors[i].Base = &b.data[i*dataSize]
			b.vectors[i].SetLen(dataSize)
		}
	}
	return b
}

// reset gives the messages that were written to their room back.
func (b *batch) reset() {
	for i := range b.messages[:b.used] {
		h := &b.messages[i].header
		h.Namelen = unix.SizeofSockaddrInet6
		h.SetControllen(b.controlSize)
	}
	b.used = 0
}

// receive takes what is there, and never waits.
//
// It and send are raw system calls: they take well under a millisecond, and
// telling Go's scheduler of each costs more than they do when it then takes
// the processor away.
func (b *batch) receive(fd, flags int) (int, error) {
	b.reset()
	return b.wrote(unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.messages[0])),
		uintptr(len(b.messages)), uintptr(flags|unix.MSG_DONTWAIT), 0, 0))
}

// await waits for the first, as long as SO_RCVTIMEO says, and takes what is
// there by then. The time limit of recvmmsg itself is looked at only when a
// packet comes in (recvmmsg(2), BUGS).
func (b *batch) await(fd int, keepProcessor bool) (int, error) {
	b.reset()
	if keepProcessor {
		return b.wrote(unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.messages[0])),
			uintptr(len(b.messages)), unix.MSG_WAITFORONE, 0, 0))
	}
	return b.wrote(unix.Syscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.messages[0])),
		uintptr(len(b.messages)), unix.MSG_WAITFORONE, 0, 0))
}

// wrote notes how many messages the kernel has written to, from what the system
// call returned.
func (b *batch) wrote(n, _ uintptr, errno unix.Errno) (int, error) {
	if errno != 0 {
		return 0, errno
	}
	b.used = int(n)
	return b.used, nil
}

// send sends messages from the first up to the end, and returns how many the
// kernel took before it refused one; the error is that of the first.
func (b *batch) send(fd, first, end int) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.messages[first])),
		uintptr(end-first), unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// controls are the control messages of message i.
func (b *batch) controls(i int) []byte {
	return b.control[i*b.controlSize:][:min(int(b.messages[i].header.Controllen), b.controlSize)]
}

// octets are the data of message i.
func (b *batch) octets(i int) []byte {
	return b.data[i*b.dataSize:][:min(int(b.messages[i].length), b.dataSize)]
}

// cut says that message i did not find the room that it needed.
func (b *batch) cut(i int) bool { return b.messages[i].header.Flags&unix.MSG_TRUNC != 0 }

// address is the address of message i.
func (b *batch) address(i int) *name { return &b.names[i] }
