package stamp

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	// BaseSize is how many octets a packet without TLVs has, both ways.
	BaseSize = 44

	// TLVSize is what the Class of Service, Follow-Up Telemetry and Timestamp
	// Information TLVs take.
	TLVSize = 3*tlvHeader + classOfServiceLength + followUpTelemetryLength + timestampInformationLength

	// MinRequestSize is the size of the smallest packet of AppendRequest.
	MinRequestSize = BaseSize + TLVSize - timestampInformationSize

	timestampInformationSize = tlvHeader + timestampInformationLength
)

// maxSize is the most that UDP carries (RFC 768).
const maxSize = 1<<16 - 1 - 8

// The offsets in a Session-Sender packet.
const (
	sequenceAt = 0
	sentAt     = 4
	errorAt    = 12
	ssidAt     = 14
	zerosAt    = 16 // MBZ, must be zero, up to the TLVs
)

// lightRequestSize is the size of the smallest TWAMP-Light packet: all before
// its padding.
const lightRequestSize = ssidAt

// Request is a Session-Sender packet (RFC 8762 section 4.2.1, with the SSID of
// RFC 8972 section 3):
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
//	|                        MBZ (28 octets)                        |
//	~                                                               ~
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	~                             TLVs                              ~
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// In a TWAMP-Light packet padding of any content follows the Error Estimate
// (RFC 5357 section 4.1.2), which is all that it must have. With less than BaseSize
// it is told from STAMP's; a longer one is read as STAMP's: what is in the octets
// that must be zero is ignored (RFC 8762 section 4.2.1), and what follows them are
// TLVs, whose flags a Session-Sender may have set to anything (RFC 8972 section 4).
type Request struct {
	Sequence uint32
	Sent     Timestamp // T1
	Error    ErrorEstimate
	SSID     uint16
	// ReplyDSCP is what the reply is to be sent with: DSCP1 of the Class of
	// Service TLV.
	ReplyDSCP uint8

	// The others are what ParseRequest found.

	// HasClassOfService tells whether there is a ReplyDSCP.
	HasClassOfService bool
	// Light is set for a packet that is too short for STAMP's: it has no SSID and no
	// TLVs, and the timestamps of its reply must be NTP's (RFC 8762 section 4.6).
	Light bool
	// Padded is set where octets that must be zero are not: most likely there is
	// padding, where the SSID stands too.
	Padded bool
	// Rest is the part of the packet after the SSID, or in a TWAMP-Light packet
	// after the Error Estimate.
	Rest []byte
}

// AppendRequest appends a UDP payload of size octets: the packet r with the
// TLVs Class of Service, Follow-Up Telemetry and Timestamp Information, and
// Extra Padding for what is left. Where the header of that no longer fits,
// Timestamp Information makes room; so every size from MinRequestSize on can be
// had but the three after it.
func AppendRequest(dst []byte, r Request, size int) ([]byte, error) {
	if r.ReplyDSCP > 63 {
		return dst, fmt.Errorf("a STAMP packet that asks for a reply with DSCP %d: a DSCP is 0 to 63", r.ReplyDSCP)
	}
	left := size - MinRequestSize
	if left < 0 || size > maxSize || left > 0 && left < tlvHeader {
		return dst, fmt.Errorf("a STAMP packet of %d octets of UDP payload: with its TLVs it can have %d, or %d to %d",
			size, MinRequestSize, MinRequestSize+tlvHeader, maxSize)
	}
	dst = r.appendHeader(dst)
	dst = appendZeros(dst, BaseSize-zerosAt)
	dst = appendTLV(dst, typeClassOfService, classOfServiceLength)
	classOfService(dst[len(dst)-classOfServiceLength:]).setDSCP1(r.ReplyDSCP)
	dst = appendTLV(dst, typeFollowUpTelemetry, followUpTelemetryLength)
	if after := left - timestampInformationSize; after == 0 || after >= tlvHeader {
		dst = appendTLV(dst, typeTimestampInformation, timestampInformationLength)
		left = after
	}
	if left > 0 {
		dst = appendTLV(dst, typeExtraPadding, left-tlvHeader)
	}
	return dst, nil
}

// SetRequest writes what changes from packet to packet into one that
// AppendRequest made.
func SetRequest(packet []byte, sequence uint32, sent Timestamp, e ErrorEstimate) {
	binary.BigEndian.PutUint32(packet[sequenceAt:], sequence)
	binary.BigEndian.PutUint64(packet[sentAt:], uint64(sent))
	binary.BigEndian.PutUint16(packet[errorAt:], uint16(e))
}

var errShortRequest = errors.New("a STAMP or TWAMP-Light request has 14 octets or more: this one is shorter")

// ParseRequest reads what a Session-Sender of STAMP or TWAMP-Light sent. Rest
// is part of packet.
func ParseRequest(packet []byte) (Request, error) {
	if len(packet) < lightRequestSize {
		return Request{}, errShortRequest
	}
	r := Request{
		Sequence: binary.BigEndian.Uint32(packet[sequenceAt:]),
		Sent:     Timestamp(binary.BigEndian.Uint64(packet[sentAt:])),
		Error:    ErrorEstimate(binary.BigEndian.Uint16(packet[errorAt:])),
		Light:    len(packet) < BaseSize,
		Rest:     packet[lightRequestSize:],
	}
	if r.Light {
		return r, nil
	}
	r.SSID = binary.BigEndian.Uint16(packet[ssidAt:])
	r.Padded = trailingZeros(packet[zerosAt:BaseSize]) < BaseSize-zerosAt
	r.Rest = packet[zerosAt:]
	r.parseTLVs(packet[BaseSize:])
	return r, nil
}

func (r *Request) parseTLVs(octets []byte) {
	for len(octets) > 0 {
		t, rest, whole := nextTLV(octets)
		if !whole || !t.fits() {
			return
		}
		if t.kind() == typeClassOfService {
			r.HasClassOfService = true
			r.ReplyDSCP = classOfService(t.value()).dscp1()
		}
		octets = rest
	}
}

// Append appends a packet that ParseRequest read, or one whose Rest is what is
// to follow. TLVs are in Rest: HasClassOfService and ReplyDSCP add none.
func (r Request) Append(dst []byte) []byte { return append(r.appendHeader(dst), r.Rest...) }

// appendHeader appends what stands before Rest.
func (r Request) appendHeader(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, r.Sequence)
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.Sent))
	dst = binary.BigEndian.AppendUint16(dst, uint16(r.Error))
	if r.Light {
		return dst
	}
	return binary.BigEndian.AppendUint16(dst, r.SSID)
}
