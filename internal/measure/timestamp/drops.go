package timestamp

import (
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Drops counts the packets that found the receive buffer full. It asks the kernel:
// a socket whose buffer stays full is told of its drops by no later packet.
func (s *Socket) Drops() uint64 {
	if s.hold() == nil {
		if now, ok := dropsOf(s.fd); ok {
			s.drops.saw(now)
		}
		s.release()
	}
	return s.drops.count()
}

// The index of the drops in what SO_MEMINFO gives, and how many values there are
// (include/uapi/linux/sock_diag.h; Linux 4.12).
const (
	memDrops  = 8
	memValues = 9
)

func dropsOf(fd int) (drops uint32, ok bool) {
	var values [memValues]uint32
	size := uint32(unsafe.Sizeof(values))
	_, _, errno := unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&values)), uintptr(unsafe.Pointer(&size)), 0)
	return values[memDrops], errno == 0 && size == uint32(unsafe.Sizeof(values))
}

// dropCount makes one count of the kernel's, which is 32 bits wide and goes round.
// It comes with packets (SO_RXQ_OVFL), as it was when they were put into the
// buffer, and from SO_MEMINFO, as it is.
type dropCount struct {
	mu    sync.Mutex
	last  uint32
	total uint64
}

// stale is how far behind a packet's count may be.
const stale = 1 << 24

func (d *dropCount) saw(now uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last-now < stale {
		return
	}
	d.total += uint64(now - d.last)
	d.last = now
}

func (d *dropCount) count() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.total
}
