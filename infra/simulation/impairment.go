package simulation

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"
)

// TTL is what every packet is sent with.
const TTL = 255

// Packet is one on its way.
type Packet struct {
	From, To netip.AddrPort
	Payload  []byte
	TTL, TOS uint8
}

// Impairment is what befalls packets on their way. Where several match a packet,
// all of them befall it, in the order in which they came.
type Impairment struct {
	// Of tells which packets; nil stands for all. A direction is told by an
	// address, a flow by a port, and anything else by the payload.
	Of func(Packet) bool
	// Loss, Duplication and Reordering are probabilities.
	Loss, Duplication, Reordering float64
	// Delay is how long the way takes, and Jitter what one packet takes on top.
	// Packets of one flow queue: they do not overtake each other but by
	// Reordering.
	Delay  time.Duration
	Jitter func(*rand.Rand) time.Duration
	// Hold is how long a reordered packet is held back.
	Hold time.Duration
	// Remark gives a packet another TOS octet; nil leaves it.
	Remark func(tos uint8) uint8
	// Hops is how many routers the packet passes.
	Hops uint8
}

// Impair impairs packets that are sent from now on, until heal is called.
func (n *Network) Impair(i Impairment) (heal func()) {
	n.impairments = append(n.impairments, &i)
	return func() {
		n.impairments = slices.DeleteFunc(n.impairments, func(other *Impairment) bool { return other == &i })
	}
}

// From matches the packets that an address sends.
func From(a netip.Addr) func(Packet) bool {
	return func(p Packet) bool { return p.From.Addr() == a }
}

// flow is what keeps its order.
type flow struct{ from, to netip.AddrPort }

// fate is what becomes of a packet.
type fate struct {
	lost      bool
	copies    int
	delay     time.Duration
	overtaken bool
}

func (n *Network) fate(p *Packet) fate {
	f := fate{copies: 1}
	for _, i := range n.impairments {
		if i.Of == nil || i.Of(*p) {
			n.befall(p, i, &f)
		}
	}
	return f
}

func (n *Network) befall(p *Packet, i *Impairment, f *fate) {
	f.lost = n.chance(i.Loss) || f.lost
	if n.chance(i.Duplication) {
		f.copies++
	}
	f.delay += i.Delay
	if i.Jitter != nil {
		f.delay += i.Jitter(n.random)
	}
	if n.chance(i.Reordering) {
		f.delay += i.Hold
		f.overtaken = true
	}
	if i.Remark != nil {
		p.TOS = i.Remark(p.TOS)
	}
	p.TTL -= min(p.TTL, i.Hops)
}

// carry takes a packet to where it is sent to, in what it comes to.
func (n *Network) carry(p Packet) {
	f := n.fate(&p)
	if f.lost || p.TTL == 0 {
		return
	}
	arrival := n.elapsed + f.delay
	if between := (flow{p.From, p.To}); !f.overtaken {
		arrival = max(arrival, n.arrivals[between])
		n.arrivals[between] = arrival
	}
	for range f.copies {
		n.after(arrival-n.elapsed, func() { n.arrive(p, f.delay) })
	}
}

// arrive hands a packet to its socket. A host that has none says so, which takes
// as long as the packet did.
func (n *Network) arrive(p Packet, took time.Duration) {
	h := n.hosts[p.To.Addr()]
	if h == nil {
		return
	}
	if s := h.sockets[p.To]; s != nil {
		s.arrive(p)
		return
	}
	n.after(took, func() { n.unreachable(p) })
}

func (n *Network) unreachable(p Packet) {
	if h := n.hosts[p.From.Addr()]; h != nil {
		if s := h.sockets[p.From]; s != nil {
			s.unreachable(p)
		}
	}
}
