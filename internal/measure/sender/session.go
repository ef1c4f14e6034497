package sender

import (
	"math/bits"
	"time"

	"ixpqos/internal/inventory"
	"ixpqos/internal/measure/stamp"
	"ixpqos/internal/measure/timestamp"
)

// session is one flow to one target.
type session struct {
	records ring
	packet  []byte // all but sequence number and timestamp is written once

	next      uint32 // sequence number of the next packet
	unsettled uint32 // of the first packet whose interval is not settled
	refused   unsent // by the kernel
	withheld  unsent // from a neighbour that is not there
	highest   uint32 // sequence number of the replies' newest packet

	// What is known of the reflector's count.
	heard    bool   // it has answered
	life     uint8  // grows with each restart that was seen
	last     uint32 // the largest number in this life
	stateful bool
	known    bool // that it is stateful, and tells sessions by their SSID
	ours     bool // it is a probe's: its times are the kernel's where it says so
	// When the reply with the largest number was taken, by the clock that only goes
	// on, and when the reflector received its packet.
	lastSince    int64
	lastReceived stamp.Timestamp
	// starts tells of the newest 32 answered packets which one was the first of a
	// life of the reflector, in bits.
	starts uint32

	// anchor is the newest answered packet of the intervals that are settled.
	anchor point
}

func newSession(records ring, packet []byte, stateful bool) *session {
	return &session{records: records, packet: packet, stateful: stateful, known: stateful, anchor: beginning}
}

// room tells whether a further packet can be kept account of.
func (s *session) room() bool { return int(s.next-s.unsettled) < len(s.records) }

// prepare writes the next packet. It is not sent before gone is called.
func (s *session) prepare(m Moment, due int64, interval uint32, clock stamp.ErrorEstimate) {
	*s.records.at(s.next) = record{seq: s.next, interval: interval, due: due, sent: m.Wall, sentSince: int64(m.Since), steps: m.steps}
	stamp.SetRequest(s.packet, s.next, stamp.TimestampOf(m.Wall, stamp.NTP), clock)
}

func (s *session) gone() { s.next++ }

// unsent counts packets without a number, by their interval: those of the newest,
// of which fewer are open at a time.
type unsent [8]struct {
	interval, count uint32
	seconds         uint64 // of the interval, in which they were due, in bits
}

func (u *unsent) add(interval uint32, second int64) {
	of := &u[interval%uint32(len(u))]
	if of.interval != interval {
		of.interval, of.count, of.seconds = interval, 0, 0
	}
	of.count++
	of.seconds |= 1 << uint(second)
}

func (u *unsent) in(interval uint32) (count int, seconds uint64) {
	if of := u[interval%uint32(len(u))]; of.interval == interval {
		return int(of.count), of.seconds
	}
	return 0, 0
}

// left takes the kernel's time of sending, and gives the record; nil where there is
// none any more.
func (s *session) left(lowSeq uint32, at int64) *record {
	seq := s.next - 1 - (s.next-1-lowSeq)&sequenceMask
	rec := s.records.find(seq)
	if rec != nil {
		rec.t1 = at
		rec.flags |= kernelT1
	}
	return rec
}

// sent is the packet with that number and timestamp; nil where none was sent, or
// its record is no longer there.
func (s *session) sent(number uint32, at stamp.Timestamp) *record {
	rec := s.records.find(number)
	if rec == nil || number == s.next || at != stamp.TimestampOf(rec.sent, stamp.NTP) {
		return nil
	}
	return rec
}

// open tells whether the interval of a packet is not settled yet.
func (s *session) open(rec *record) bool { return rec.seq-s.unsettled < s.next-s.unsettled }

// arrive takes a reply to a packet whose interval is open. It tells whether it is
// a first one.
func (s *session) arrive(rec *record, reply *stamp.Reply, in *timestamp.Incoming, m Moment, own stamp.ErrorEstimate) (isFirst bool) {
	s.count(reply, rec, m)
	s.followUp(reply, in.At)
	if rec.has(answered) {
		rec.duplicates = min(rec.duplicates, 254) + 1
		rec.high = max(rec.high, reply.Sequence)
		return false
	}
	rec.low, rec.high, rec.life = reply.Sequence, reply.Sequence, s.life
	s.take(rec, reply, in, m, own)
	return true
}

// count follows the reflector's own numbers.
func (s *session) count(reply *stamp.Reply, rec *record, m Moment) {
	s.stateful = s.stateful || s.heard && reply.Sequence != reply.SenderSequence
	anew := false
	if !rec.has(answered) {
		anew = s.heard && reply.Sequence <= s.last && s.isAnew(reply, rec)
		s.starts <<= 1
	}
	switch {
	case anew:
		s.life++
		s.starts |= 1
	case s.heard && reply.Sequence < s.last:
		return
	}
	s.heard, s.last = true, reply.Sequence
	s.lastSince, s.lastReceived = int64(m.Since), reply.Received
}

// isAnew tells a reflector that began anew, by a number that is not above the
// largest, from a reply that was merely overtaken: one that counts on gives a
// packet that came later a larger number. This one came later if it was not even
// sent when the reply with the largest was here, or if the reflector says so.
func (s *session) isAnew(reply *stamp.Reply, rec *record) bool {
	return rec.sentSince >= s.lastSince || reply.Received > s.lastReceived
}

// maxStarts is how often a reflector may begin anew within 32 answered packets:
// one that seems to do it more often does not count a session's packets.
const maxStarts = 2

// counts tells whether a reflector's numbers may be those of a session's packets
// (RFC 8762, section 4.3.1). Nothing follows from those of one that counts for all
// sessions of a port together, or backwards, or not at all.
func (s *session) counts(points []point, duplicates int64) bool {
	// A copy may have come there whose reply was lost, and a packet that overtook
	// the last may be lost since.
	const slack = 2
	return bits.OnesCount32(s.starts) <= maxStarts && excess(points) <= duplicates+slack
}

// followUp takes the kernel's T3 of the reply before (RFC 8972, section 4.7).
func (s *session) followUp(reply *stamp.Reply, near int64) {
	f := reply.FollowUp
	if !f.Present() {
		return
	}
	const reach = 4 // a reply before may have been lost or overtaken
	for seq := s.highest; s.highest-seq < reach; seq-- {
		rec := s.records.find(seq)
		if rec == nil {
			return
		}
		if rec.has(answered) && rec.life == s.life && rec.low == f.Sequence {
			rec.t3 = f.Timestamp.UnixNano(reply.Error.Format(), near)
			rec.flags |= laterT3
			if s.ofKernel(f.Mode) {
				rec.flags |= kernelT3
			}
			return
		}
	}
}

// ofKernel tells whether a time of the reflector is its kernel's, or better. Where
// software of another make says that a time is its own, it may be user space's.
func (s *session) ofKernel(by stamp.Method) bool {
	return by == stamp.HardwareAssisted || by == stamp.SoftwareLocal && s.ours
}

// take fills in what the first reply to a packet says.
func (s *session) take(rec *record, reply *stamp.Reply, in *timestamp.Incoming, m Moment, own stamp.ErrorEstimate) {
	format := reply.Error.Format()
	rec.t2, rec.t3, rec.t4 = reply.Received.UnixNano(format, in.At), reply.Sent.UnixNano(format, in.At), in.At
	rec.flags |= answered
	if !rec.has(kernelT1) {
		rec.t1 = rec.sent
	}
	if in.Kernel {
		rec.flags |= kernelT4
	}
	if s.ofKernel(reply.ReceivedBy) {
		rec.flags |= kernelT2
	}
	if reply.Error.Synchronized() && own.Synchronized() {
		rec.bound = saturatingSum(own.Bound(), reply.Error.Bound())
	}
	switch {
	case rec.steps != m.steps:
		rec.flags |= stepped
		if int64(m.Since)-rec.sentSince > int64(inventory.LossThreshold+Tick) {
			rec.flags |= late
		}
	// How long the reflector's host kept the packet is not the network's doing, if
	// its clock did not step meanwhile.
	case min(rec.t4-rec.t1, rec.rtt()) > int64(inventory.LossThreshold):
		rec.flags |= late
	}
	if rec.seq != s.highest && s.highest-rec.seq < uint32(len(s.records)) {
		rec.flags |= reordered
	} else {
		s.highest = rec.seq
	}
}

func saturatingSum(a, b time.Duration) int64 {
	if sum := a + b; sum >= 0 {
		return int64(sum)
	}
	return 1<<63 - 1
}
