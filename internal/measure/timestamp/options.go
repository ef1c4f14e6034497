package timestamp

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Options say how a socket is opened.
type Options struct {
	// Local is the address and the port, which may be 0 for any. The address
	// says the family.
	Local netip.AddrPort
	// Interface is the only one that packets leave and come by; empty for any.
	Interface string
	// DSCP is that of every packet that does not say otherwise.
	DSCP uint8
	// DontFragment sets DF, and sends whatever the interface's MTU allows, no
	// matter what a router once said of the path. Without it packets may be
	// fragmented.
	DontFragment bool
	// Buffer is the octets of receive buffer that are wanted, and of send
	// buffer; 0 for the system's defaults. Transmit stamps stand in the receive
	// buffer too, and their loss raises no counter. What was had of it is
	// BufferSize.
	Buffer int
	// Batch is the most packets of one system call, 1 to 1024.
	Batch int
	// MaxPacket is the longest UDP payload that is received, in octets. Longer
	// packets are passed over, or with CutLonger their front is received.
	MaxPacket int
	CutLonger bool
	// Identify finds in the front of a payload that was sent (all of it, or 128
	// octets and more) the ID that it was sent with. It is used only by kernels
	// before Linux 6.13, which cannot keep an ID with a packet and give the
	// packet back instead; without it there are no transmit stamps there.
	Identify func(payload []byte) (id uint32)
	// KeepProcessor makes Await block without telling Go's scheduler, which
	// makes a packet that is awaited cost less than half. Other goroutines lose
	// a processor to it, so GOMAXPROCS should have one more for every socket
	// that does this. Where others need it all the same, such as the garbage
	// collector, the runtime's signals end the wait.
	KeepProcessor bool

	// most is the best stamping that is asked of the kernel.
	most stamping
}

// maxBatch is UIO_MAXIOV, beyond which the kernel cuts a batch (sendmmsg(2)).
const maxBatch = 1024

func (o Options) check() error {
	switch {
	case !o.Local.IsValid():
		return errors.New("open a UDP socket: it has no local address; 0.0.0.0 and :: stand for any")
	case o.DSCP > 63:
		return fmt.Errorf("open a UDP socket on %s: a DSCP is 0 to 63, not %d", o.Local, o.DSCP)
	case o.Batch < 1 || o.Batch > maxBatch:
		return fmt.Errorf("open a UDP socket on %s: a batch is 1 to %d packets, not %d", o.Local, maxBatch, o.Batch)
	case o.MaxPacket < 1:
		return fmt.Errorf("open a UDP socket on %s: the longest packet cannot be %d octets", o.Local, o.MaxPacket)
	}
	return nil
}

// setting is a socket option that a socket is worth nothing without.
type setting struct {
	name                 string
	level, option, value int
}

func (o Options) settings(family int) []setting {
	common := setting{"SO_RXQ_OVFL", unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1}
	if family == unix.AF_INET {
		return append(o.settings4(), common)
	}
	return append(o.settings6(), common)
}

// settings4 are those of ip(7).
func (o Options) settings4() []setting {
	discover := unix.IP_PMTUDISC_DONT
	if o.DontFragment {
		discover = unix.IP_PMTUDISC_PROBE
	}
	return []setting{
		{"IP_RECVERR", unix.SOL_IP, unix.IP_RECVERR, 1},
		{"IP_RECVTOS", unix.SOL_IP, unix.IP_RECVTOS, 1},
		{"IP_RECVTTL", unix.SOL_IP, unix.IP_RECVTTL, 1},
		{"IP_TTL", unix.SOL_IP, unix.IP_TTL, maxTTL},
		{"IP_TOS", unix.SOL_IP, unix.IP_TOS, int(o.DSCP) << 2},
		{"IP_MTU_DISCOVER", unix.SOL_IP, unix.IP_MTU_DISCOVER, discover},
	}
}

// settings6 are those of ipv6(7). Linux gives packets flow labels that differ
// after every boot, and a fabric that hashes on them would give a flow another
// path each time: there are none.
func (o Options) settings6() []setting {
	discover, dontFragment := unix.IPV6_PMTUDISC_DONT, 0
	if o.DontFragment {
		discover, dontFragment = unix.IPV6_PMTUDISC_PROBE, 1
	}
	return []setting{
		{"IPV6_V6ONLY", unix.SOL_IPV6, unix.IPV6_V6ONLY, 1},
		{"IPV6_AUTOFLOWLABEL", unix.SOL_IPV6, unix.IPV6_AUTOFLOWLABEL, 0},
		{"IPV6_RECVERR", unix.SOL_IPV6, unix.IPV6_RECVERR, 1},
		{"IPV6_RECVTCLASS", unix.SOL_IPV6, unix.IPV6_RECVTCLASS, 1},
		{"IPV6_RECVHOPLIMIT", unix.SOL_IPV6, unix.IPV6_RECVHOPLIMIT, 1},
		{"IPV6_UNICAST_HOPS", unix.SOL_IPV6, unix.IPV6_UNICAST_HOPS, maxTTL},
		{"IPV6_TCLASS", unix.SOL_IPV6, unix.IPV6_TCLASS, int(o.DSCP) << 2},
		{"IPV6_MTU_DISCOVER", unix.SOL_IPV6, unix.IPV6_MTU_DISCOVER, discover},
		{"IPV6_DONTFRAG", unix.SOL_IPV6, unix.IPV6_DONTFRAG, dontFragment},
	}
}

// maxTTL is what every packet leaves with, so that less on arrival shows that a
// router was on the way.
const maxTTL = 255
