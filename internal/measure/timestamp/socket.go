package timestamp

import (
	"net/netip"
	"sync"
	"sync/atomic"
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
	// Buffer is the octets of receive buffer that are wanted; 0 for the
	// system's default. Transmit stamps stand in it too, and their loss raises
	// no counter. What was had of it is BufferSize.
	Buffer int
	// Batch is the most packets of one system call.
	Batch int
	// MaxPacket is the longest UDP payload that is received, in octets. Longer
	// packets are passed over.
	MaxPacket int
	// Identify finds in the front of a payload that was sent (all of it, or 128
	// octets and more) the ID that it was sent with. It is used only by kernels
	// before Linux 6.13, which cannot keep an ID with a packet and give the
	// packet back instead; without it there are no transmit stamps there.
	Identify func(payload []byte) (id uint32)
	// KeepProcessor makes Await block without telling Go's scheduler, which
	// halves what waking up costs. Other goroutines lose a processor to it for
	// as long as it waits, so GOMAXPROCS should have one more for every socket
	// that does this.
	KeepProcessor bool

	// most is the best kind of stamps that is asked of the kernel.
	most stamping
}

// Stamps tells which of the two kinds of kernel stamps there are.
type Stamps struct{ Receive, Transmit bool }

// Outgoing is a packet to send.
type Outgoing struct {
	To      netip.AddrPort
	Payload []byte
	// ID comes back with the packet's transmit stamp.
	ID uint32
	// TOS is the packet's TOS octet or traffic class: DSCP and ECN. -1 stands
	// for the socket's own.
	TOS int16
	// Err is why the kernel refused the packet; Send sets or clears it.
	Err error
}

// Incoming is a packet that was received.
type Incoming struct {
	// From bears no zone.
	From netip.AddrPort
	// Payload is valid until the next Receive or Await.
	Payload []byte
	// At is when it arrived, in nanoseconds of Unix time.
	At int64
	// Kernel says that At is the kernel's; otherwise it was read when the
	// packet was taken from the socket.
	Kernel bool
	TTL    uint8
	TOS    uint8
}

// Kind is what an Event tells.
type Kind uint8

// The kinds of events.
const (
	Sent        Kind = iota + 1 // a packet has left
	Unreachable                 // an ICMP error answered a packet
)

// Event is what the socket's error queue tells of a packet that was sent.
type Event struct {
	Kind Kind
	// ID is that of the packet that was Sent, and At when it left, in
	// nanoseconds of Unix time.
	ID uint32
	At int64
	// To is where the Unreachable packet was sent to, and ICMPType and ICMPCode
	// are what was said of it (of ICMPv6 on an IPv6 socket).
	To       netip.AddrPort
	ICMPType uint8
	ICMPCode uint8
	// Quoted is the front of the payload of the Unreachable packet, as far as
	// it was quoted, up to 256 octets. It is valid until the next Events.
	Quoted []byte
}

// Socket is a UDP socket. Receive and Await are one goroutine's at a time, Send
// is, and Events is; all else may be called from any.
type Socket struct {
	local         netip.AddrPort
	bufferSize    int
	stamps        Stamps
	doubt         string
	identify      func([]byte) uint32
	keepProcessor bool

	// mu is read-locked by whoever uses fd, so that it is closed under nobody.
	mu     sync.RWMutex
	fd     int
	closed atomic.Bool
	drops  atomic.Uint64
}

// Local gives the address and the port that the socket has.
func (s *Socket) Local() netip.AddrPort { return s.local }

// BufferSize gives the octets of receive buffer that were had, to be compared
// with those that were wanted.
func (s *Socket) BufferSize() int { return s.bufferSize }

// Kernel tells which stamps are the kernel's. Without those for receiving,
// Incoming.At is user space's; without those for transmitting there are no
// Sent events.
func (s *Socket) Kernel() Stamps { return s.stamps }

// Doubt says in a line why there are not all stamps; empty where there are.
func (s *Socket) Doubt() string { return s.doubt }

// Drops counts the packets that found the receive buffer full, as far as the
// packets received since then told (SO_RXQ_OVFL).
func (s *Socket) Drops() uint64 { return s.drops.Load() }
