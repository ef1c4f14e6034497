package sender

// record is what is known of one packet.
type record struct {
	seq uint32
	// interval is the number of the interval that the packet belongs to.
	interval uint32
	// due is the tick that the packet was due at, and sent what it carries as its
	// timestamp, both by the wall clock; sentSince is by the clock that only goes on.
	// Nanoseconds, as all that follows.
	due, sent, sentSince int64
	// t1 to t4 are as in RFC 8762, t1 and t4 by this host's clock.
	t1, t2, t3, t4 int64
	// low and high are the first and the last of the numbers that the reflector
	// gave its replies to this packet.
	low, high uint32
	// bound is the sum of both ends' Error Estimates; 0 where an end is not
	// synchronized.
	bound int64

	steps      uint8 // of this host's clock, before the packet was sent
	life       uint8 // of the reflector, that answered
	duplicates uint8
	flags
}

type flags uint16

const (
	answered flags = 1 << iota
	late
	reordered
	stepped // a clock stepped while the packet was on its way: it has no times
	first   // after a silence
	kernelT1
	kernelT2
	kernelT3
	kernelT4
	notSent // no neighbour answered
	laterT3 // its reflector told T3 in a later reply
	remarkedForward
	remarkedBackward
	lowTTL
)

func (f flags) has(all flags) bool { return f&all == all }

// rtt is the round-trip time in nanoseconds (RFC 8762, section 4).
func (r *record) rtt() int64 { return (r.t4 - r.t1) - (r.t3 - r.t2) }

// timed tells whether the packet has four timestamps that make sense together:
// no clock stepped between two of them, as far as they show.
func (r *record) timed() bool { return r.comes() && r.t3 >= r.t2 && r.rtt() >= 0 }

// comes tells whether the packet should have a round-trip time.
func (r *record) comes() bool { return r.has(answered) && !r.has(late) && !r.has(stepped) }

// forward and backward are the one-way delays in nanoseconds, as the two clocks
// read.
func (r *record) forward() int64  { return r.t2 - r.t1 }
func (r *record) backward() int64 { return r.t4 - r.t3 }

// ring holds the records of a session's newest packets.
type ring []record

// ringSize is a power of two that holds so many records.
func ringSize(records int) int {
	size := 1
	for size < records {
		size *= 2
	}
	return size
}

func (r ring) at(seq uint32) *record { return &r[seq&uint32(len(r)-1)] }

// find is the record of a packet; nil where it is no longer or never was there.
func (r ring) find(seq uint32) *record {
	if rec := r.at(seq); rec.seq == seq && rec.sent != 0 {
		return rec
	}
	return nil
}
