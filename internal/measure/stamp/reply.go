package stamp

import (
	"encoding/binary"
	"fmt"
)

// The offsets in a Session-Reflector packet, after the SSID.
const (
	receivedAt       = 16
	senderSequenceAt = 24
	senderSentAt     = 28
	senderErrorAt    = 36
	senderZerosAt    = 38
	senderTTLAt      = 40
	replyRestAt      = 41
)

// lightReplySize is the size of the smallest reply that is read. TWAMP-Light's
// has 41 octets before its padding (RFC 8762 section 4.6), but there are
// reflectors that leave the TTL and the zeros around it away.
const lightReplySize = senderZerosAt

// Reply is a Session-Reflector packet as the Session-Sender reads it (RFC 8762
// section 4.3.1, with the SSID of RFC 8972 section 3):
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                        Sequence Number                        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                           Timestamp                           |
//	|                                                               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|        Error Estimate         |             SSID              |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                       Receive Timestamp                       |
//	|                                                               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                Session-Sender Sequence Number                 |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                   Session-Sender Timestamp                    |
//	|                                                               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	| Session-Sender Error Estimate |              MBZ              |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|Ses-Sender TTL |                      MBZ                      |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	~                             TLVs                              ~
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// TWAMP-Light's has zeros for the SSID, and padding after the TTL (RFC 5357
// section 4.2.1).
type Reply struct {
	Sequence uint32
	Sent     Timestamp // T3
	Error    ErrorEstimate
	// SSID is 0 where the reflector knows none (RFC 8972 section 3).
	SSID     uint16
	Received Timestamp // T2

	// What the reflector received.
	SenderSequence uint32
	SenderSent     Timestamp // T1
	SenderError    ErrorEstimate
	// NoTTL says that there is no SenderTTL: the reply has under 41 octets.
	SenderTTL uint8
	NoTTL     bool

	// From the Class of Service TLV, where HasClassOfService: what the
	// reflector received, and whether it refused to send the reply with the
	// DSCP that it was asked for.
	HasClassOfService bool
	DSCPReceived      uint8
	ECNReceived       uint8
	ReplyDSCPRefused  bool

	// FollowUp is about a reply before, where it is Present.
	FollowUp FollowUp

	// How T2 and T3 were taken, from the Timestamp Information TLV: zero where
	// the reflector does not say.
	ReceivedBy Method
	SentBy     Method

	// Zeros are the octets between the Session-Sender's Error Estimate and its
	// TTL, which must be zero, and Rest is the part of the packet after it. Without
	// a TTL Rest is all that follows the Error Estimate.
	Zeros uint16
	Rest  []byte
}

// ParseReply reads what a Session-Reflector of STAMP or TWAMP-Light sent. Rest
// is part of packet. The padding of the latter holds no TLV that counts: it is
// too short, or has the flags that the Session-Sender gave it.
func ParseReply(packet []byte) (Reply, error) {
	if len(packet) < lightReplySize {
		return Reply{}, fmt.Errorf("a STAMP or TWAMP-Light reply must have %d octets or more: this one has %d", lightReplySize, len(packet))
	}
	r := Reply{
		Sequence:       binary.BigEndian.Uint32(packet[sequenceAt:]),
		Sent:           Timestamp(binary.BigEndian.Uint64(packet[sentAt:])),
		Error:          ErrorEstimate(binary.BigEndian.Uint16(packet[errorAt:])),
		SSID:           binary.BigEndian.Uint16(packet[ssidAt:]),
		Received:       Timestamp(binary.BigEndian.Uint64(packet[receivedAt:])),
		SenderSequence: binary.BigEndian.Uint32(packet[senderSequenceAt:]),
		SenderSent:     Timestamp(binary.BigEndian.Uint64(packet[senderSentAt:])),
		SenderError:    ErrorEstimate(binary.BigEndian.Uint16(packet[senderErrorAt:])),
		Rest:           packet[senderZerosAt:],
	}
	if r.NoTTL = len(packet) < replyRestAt; !r.NoTTL {
		r.SenderTTL = packet[senderTTLAt]
		r.Zeros, r.Rest = binary.BigEndian.Uint16(packet[senderZerosAt:]), packet[replyRestAt:]
	}
	if len(packet) > BaseSize {
		r.parseTLVs(packet[BaseSize:])
	}
	return r, nil
}

// parseTLVs skips what the reflector did not know, and stops where it or this
// end finds something malformed (RFC 8972 section 4).
func (r *Reply) parseTLVs(octets []byte) {
	for len(octets) > 0 {
		t, rest, whole := nextTLV(octets)
		if !whole || t.flags()&(malformed|integrity) != 0 || !t.fits() {
			return
		}
		if t.flags()&unrecognized == 0 {
			r.parseTLV(t)
		}
		octets = rest
	}
}

func (r *Reply) parseTLV(t tlv) {
	switch t.kind() {
	case typeClassOfService:
		c := classOfService(t.value())
		r.HasClassOfService = true
		r.DSCPReceived, r.ECNReceived, r.ReplyDSCPRefused = c.dscp2(), c.ecn(), c.rp() != 0
	case typeFollowUpTelemetry:
		r.FollowUp = parseFollowUp(t.value())
	case typeTimestampInformation:
		i := timestampInformation(t.value())
		r.ReceivedBy, r.SentBy = i.in(), i.out()
	}
}

// Append appends a packet that ParseReply read, or one whose Rest is what is to
// follow. TLVs are in Rest: what was read from them adds none.
func (r Reply) Append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, r.Sequence)
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.Sent))
	dst = binary.BigEndian.AppendUint16(dst, uint16(r.Error))
	dst = binary.BigEndian.AppendUint16(dst, r.SSID)
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.Received))
	dst = binary.BigEndian.AppendUint32(dst, r.SenderSequence)
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.SenderSent))
	dst = binary.BigEndian.AppendUint16(dst, uint16(r.SenderError))
	if !r.NoTTL {
		dst = binary.BigEndian.AppendUint16(dst, r.Zeros)
		dst = append(dst, r.SenderTTL)
	}
	return append(dst, r.Rest...)
}
