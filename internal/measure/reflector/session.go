package reflector

import (
	"math"
	"net/netip"
	"time"

	"ixpqos/internal/ippm"
	"ixpqos/internal/measure/stamp"
)

const (
	// maxSessions is one less than a stamp's ID can tell apart: the last slot is
	// nobody's.
	maxSessions         = ippm.MaxSessions
	maxSessionsOfSource = ippm.MaxSessionsPerSource
	// maxAge is the silence after which a session ends: longer than networks are
	// broken, since a session that ended in an outage would count anew after it.
	maxAge = 24 * time.Hour
	// idle is the silence after which a session makes room for another.
	idle = time.Minute

	forever = time.Duration(math.MaxInt64)
)

// key is what makes a session (RFC 8972, section 3). The port stands for the own
// address and port.
type key struct {
	from netip.AddrPort
	port *Port
	ssid uint16
}

// session is what must be known of one to answer its next packet.
type session struct {
	key
	source *source
	slot   uint16
	// replies counts them, and is the sequence number of the next one (RFC 8762,
	// section 4.3.1).
	replies uint32
	// left is when the reply before left, in nanoseconds of Unix time; 0 where
	// nobody knows.
	left   int64
	seen   time.Duration
	window window
	// sent is the T1 of the packet with the highest number.
	sent stamp.Timestamp
	// expected and flow are nil where nobody asks what was heard of it.
	expected *expected
	flow     *flow
	// older and newer are its neighbours in the order of seen among those of the
	// source.
	older, newer *session
}

// sessions are all of them.
type sessions struct {
	byKey  map[key]*session
	bySlot []*session
	free   []uint16
}

func newSessions() sessions { return sessions{byKey: map[key]*session{}} }

// find gives a session, a new one where need be, or nil where there is no room.
func (t *sessions) find(k key, from *source, now time.Duration) *session {
	s := t.byKey[k]
	switch {
	case s == nil:
		if !t.room(from, now) {
			return nil
		}
		s = t.begin(k, from)
	case s != from.newest:
		from.unlink(s)
		from.append(s)
	}
	s.seen = now
	return s
}

func (t *sessions) room(from *source, now time.Duration) bool {
	if len(t.byKey) < maxSessions && from.sessions < maxSessionsOfSource {
		return true
	}
	if from.oldest == nil || now-from.oldest.seen <= idle {
		return false
	}
	t.end(from.oldest)
	return true
}

func (t *sessions) begin(k key, from *source) *session {
	s := &session{key: k, source: from}
	if last := len(t.free) - 1; last >= 0 {
		s.slot, t.free = t.free[last], t.free[:last]
		t.bySlot[s.slot] = s
	} else {
		s.slot = uint16(len(t.bySlot))
		t.bySlot = append(t.bySlot, s)
	}
	t.byKey[k] = s
	from.append(s)
	s.expected, s.flow = from.flowOf(k)
	return s
}

func (t *sessions) end(s *session) {
	s.source.unlink(s)
	delete(t.byKey, s.key)
	t.bySlot[s.slot] = nil
	t.free = append(t.free, s.slot)
}

// endOlder ends the sessions of a source that were last seen before a moment.
func (t *sessions) endOlder(of *source, moment time.Duration) {
	for of.oldest != nil && of.oldest.seen < moment {
		t.end(of.oldest)
	}
}

// The ID of a reply in its transmit stamp is the slot of its session and the
// lower bits of its sequence number.
const (
	slotBits = 16
	nobody   = ^uint32(0)
)

func (s *session) id(sequence uint32) uint32 {
	return uint32(s.slot)<<slotBits | uint32(uint16(sequence))
}

// left notes when a reply left, where it is the newest of its session: a
// Follow-Up Telemetry TLV tells of no other (RFC 8972, section 4.7).
func (t *sessions) left(id uint32, at int64) {
	slot := int(id >> slotBits)
	if slot >= len(t.bySlot) || t.bySlot[slot] == nil {
		return
	}
	if s := t.bySlot[slot]; uint16(s.replies-1) == uint16(id) {
		s.left = at
	}
}

// awaitsStamp tells whether a reply left of which it is not known when.
func (s *session) awaitsStamp() bool { return s.replies > 0 && s.left == 0 }

// follow takes account of a packet's number, and tells whether it is new. A sender
// that begins anew without an SSID is another session on the same ports, which
// counts from 0 (RFC 8762, sections 4.2.1 and 4.3.1).
func (s *session) follow(sequence uint32, sent stamp.Timestamp) (isNew bool) {
	if s.ssid == 0 && s.beginsAnew(sequence, sent) {
		s.window, s.replies, s.left = window{}, 0, 0
	}
	isNew = s.window.add(sequence)
	if s.window.highest == sequence {
		s.sent = sent
	}
	return isNew
}

// beginsAnew tells a packet of a new beginning from one that is a copy or was
// overtaken: it is further behind than those are, or it was sent after the one that
// it is behind. Of a sender without a clock, 0 is the beginning.
func (s *session) beginsAnew(sequence uint32, sent stamp.Timestamp) bool {
	behind := int32(s.window.highest - sequence)
	switch {
	case s.window.seen == 0 || behind < 0:
		return false
	case behind >= windowSize:
		return true
	case sent == s.sent:
		return sequence == 0 && behind > 0
	}
	return int64(sent-s.sent) > 0
}
