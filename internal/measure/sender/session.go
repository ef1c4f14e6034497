package sender

import (
	"time"

	"ixpqos/internal/inventory"
	"ixpqos/internal/measure/stamp"
	"ixpqos/internal/measure/timestamp"
)

// restartDistance is how far a reflector's number must fall back to be taken for
// a new count rather than for a reply that was overtaken.
const restartDistance = 64

// session is one flow to one target.
type session struct {
	records ring
	packet  []byte // all but sequence number and timestamp is written once

	next      uint32 // sequence number of the next packet
	unsettled uint32 // of the first packet whose interval is not settled
	refused   refusals
	highest   uint32 // sequence number of the replies' newest packet

	// What is known of the reflector's count.
	heard    bool   // it has answered
	life     uint8  // grows with each restart that was seen
	last     uint32 // the largest number in this life
	stateful bool
	known    bool // that it is stateful, and tells sessions by their SSID

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

// refusals count the packets that the kernel refused, by their interval: those of
// the newest, of which fewer are open at a time.
type refusals [8]struct{ interval, count uint32 }

func (r *refusals) add(interval uint32) {
	of := &r[interval%uint32(len(r))]
	if of.interval != interval {
		of.interval, of.count = interval, 0
	}
	of.count++
}

func (r *refusals) in(interval uint32) int {
	if of := r[interval%uint32(len(r))]; of.interval == interval {
		return int(of.count)
	}
	return 0
}

// left takes the kernel's time of sending.
func (s *session) left(lowSeq uint32, at int64) {
	seq := s.next - 1 - (s.next-1-lowSeq)&sequenceMask
	if rec := s.records.find(seq); rec != nil {
		rec.t1 = at
		rec.flags |= kernelT1
	}
}

// arrive takes a reply. It tells whether it is a first one to a packet that is
// kept account of.
func (s *session) arrive(reply *stamp.Reply, in *timestamp.Incoming, m Moment, own stamp.ErrorEstimate) *record {
	rec := s.records.find(reply.SenderSequence)
	if rec == nil || rec.seq-s.unsettled >= s.next-s.unsettled || reply.SenderSent != stamp.TimestampOf(rec.sent, stamp.NTP) {
		return nil // it is settled, or nobody's reply who received the packet
	}
	s.count(reply, rec)
	s.followUp(reply, in.At)
	if rec.has(answered) {
		rec.duplicates = min(rec.duplicates, 254) + 1
		rec.high = max(rec.high, reply.Sequence)
		return nil
	}
	rec.low, rec.high, rec.life = reply.Sequence, reply.Sequence, s.life
	s.take(rec, reply, in, m, own)
	return rec
}

// count follows the reflector's own numbers. One that falls back is of a
// reflector that began anew, unless its packet was merely overtaken.
func (s *session) count(reply *stamp.Reply, rec *record) {
	s.stateful = s.stateful || s.heard && reply.Sequence != reply.SenderSequence
	fell := s.heard && reply.Sequence <= s.last && !rec.has(answered)
	if fell && (s.last-reply.Sequence > restartDistance || s.given(reply.Sequence)) {
		s.life++
		s.last = reply.Sequence
		return
	}
	if !s.heard || reply.Sequence >= s.last {
		s.heard, s.last = true, reply.Sequence
	}
}

// given tells whether the reflector gave that number to another packet already.
func (s *session) given(number uint32) bool {
	for seq := s.highest; s.highest-seq <= restartDistance; seq-- {
		rec := s.records.find(seq)
		if rec == nil {
			return false
		}
		if rec.has(answered) && rec.life == s.life && rec.low <= number && number <= rec.high {
			return true
		}
	}
	return false
}

// followUp takes the kernel's T3 of the reply before (RFC 8972, section 4.7).
func (s *session) followUp(reply *stamp.Reply, near int64) {
	f := reply.FollowUp
	if !f.Present() || f.Mode == stamp.ControlPlane {
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
			rec.flags |= kernelT3
			return
		}
	}
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
	if reply.ReceivedBy == stamp.SoftwareLocal || reply.ReceivedBy == stamp.HardwareAssisted {
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
