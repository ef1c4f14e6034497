package exchange

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ixpqos/infra/lab/netns"
)

// holder holds packets back in one multiplexer: what comes out of the device
// held goes on to the uplink after as many microseconds as the packet's mark
// says. The kernel's netem would do this, but not every kernel has it, and tbf
// delays only what is more than its rate.
type holder struct {
	file   *os.File // a packet socket (packet(7))
	conn   syscall.RawConn
	uplink int

	stop    context.CancelFunc
	running sync.WaitGroup
}

// most frames that wait for the same time; what is more is lost, as in a queue.
const mostHeld = 1 << 14

// mostFrame is the largest frame with its virtio header: veth may hand on what
// the sender has not cut into segments yet.
const mostFrame = 1<<16 + 1<<8

// coarse is how much later than asked a timer of Go may fire: it waits in whole
// milliseconds (epoll_wait(2)). The rest is slept by the kernel's clock.
const coarse = 2 * time.Millisecond

// frame is one with its virtio header, and when it is due.
type frame struct {
	bytes []byte
	due   time.Time
}

func newHolder(network *netns.Network, name string) (*holder, error) {
	h := &holder{}
	if err := network.Inside(name, h.open); err != nil {
		return nil, fmt.Errorf("hold packets back in %s: %w", network.Namespace(name), err)
	}
	ctx, stop := context.WithCancel(context.Background())
	h.stop = stop
	h.running.Go(func() { h.receive(ctx) })
	return h, nil
}

func (h *holder) close() {
	h.stop()
	_ = h.file.Close() // nothing was written to it that could be lost
	h.running.Wait()
}

func (h *holder) open() error {
	uplink, err := net.InterfaceByName("uplink")
	if err != nil {
		return err
	}
	held, err := net.InterfaceByName("held")
	if err != nil {
		return err
	}
	h.uplink = uplink.Index
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	h.file = os.NewFile(uintptr(fd), "held")
	err = errors.Join(
		// The virtio header carries checksums that are not calculated yet.
		os.NewSyscallError("PACKET_VNET_HDR", unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1)),
		os.NewSyscallError("SO_RCVMARK", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVMARK, 1)),
		os.NewSyscallError("bind", unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: everything, Ifindex: held.Index})),
	)
	if err == nil {
		h.conn, err = h.file.SyscallConn()
	}
	if err != nil {
		return errors.Join(err, h.file.Close())
	}
	return nil
}

// everything is ETH_P_ALL, which packet(7) wants in the order of the network.
var everything = binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL))

// receive reads frames until the socket is closed. Those that wait as long wait
// in one line, so that none overtakes.
func (h *holder) receive(ctx context.Context) {
	lines := map[time.Duration]chan frame{}
	buffer, control := make([]byte, mostFrame), make([]byte, unix.CmsgSpace(4))
	for {
		n, wait, err := h.read(buffer, control)
		if err != nil {
			break
		}
		f := frame{append([]byte(nil), buffer[:n]...), time.Now().Add(wait)}
		line, ok := lines[wait]
		if !ok {
			line = make(chan frame, mostHeld)
			lines[wait] = line
			h.running.Go(func() { h.release(ctx, line) })
		}
		select {
		case line <- f:
		default:
		}
	}
}

func (h *holder) read(buffer, control []byte) (n int, wait time.Duration, err error) {
	var controls int
	readErr := h.conn.Read(func(fd uintptr) bool {
		n, controls, _, _, err = unix.Recvmsg(int(fd), buffer, control, 0)
		return err != unix.EAGAIN
	})
	if err = errors.Join(readErr, err); err != nil {
		return 0, 0, err
	}
	messages, err := unix.ParseSocketControlMessage(control[:controls])
	if err != nil {
		return 0, 0, err
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_MARK {
			wait = time.Duration(binary.NativeEndian.Uint32(m.Data)) * time.Microsecond
		}
	}
	return n, wait, nil
}

// release sends the frames of a line when they are due.
func (h *holder) release(ctx context.Context, line <-chan frame) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case f := <-line:
			timer.Reset(time.Until(f.due) - coarse)
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			}
			if rest := time.Until(f.due); rest > 0 {
				precise := unix.NsecToTimespec(rest.Nanoseconds())
				_ = unix.Nanosleep(&precise, nil) // a signal may end it early
			}
			h.send(f)
		}
	}
}

// send passes a frame on. Where the uplink is full or down it is lost, as on
// any link.
func (h *holder) send(f frame) {
	_ = h.conn.Write(func(fd uintptr) bool {
		return unix.Sendto(int(fd), f.bytes, 0, &unix.SockaddrLinklayer{Ifindex: h.uplink}) != unix.EAGAIN
	})
}
