package stamp

import "encoding/binary"

// A tlv is one TLV, header and value (RFC 8972 section 4):
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|U|M|I|Reserved |     Type      |            Length             |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	~                             Value                             ~
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// Length counts the octets of the value.
type tlv []byte

const tlvHeader = 4

// The flags (RFC 8972 section 4). A Session-Sender sets U and clears the
// others; a Session-Reflector writes all of them anew.
const (
	unrecognized = 1 << 7
	malformed    = 1 << 6
	// integrity says that the HMAC did not fit, which only authenticated
	// reflectors find out.
	integrity = 1 << 5
)

// The types that are known here (RFC 8972 section 5). The HMAC TLV is not
// among them: packets are unauthenticated.
const (
	typeExtraPadding         = 1
	typeTimestampInformation = 3
	typeClassOfService       = 4
	typeFollowUpTelemetry    = 7
)

// The lengths of the values.
const (
	timestampInformationLength = 4
	classOfServiceLength       = 4
	followUpTelemetryLength    = 16
)

// nextTLV cuts off the first TLV. It is not whole where what is left is shorter
// than its header or its Length says; it is all that is left then.
func nextTLV(octets []byte) (t tlv, rest []byte, whole bool) {
	if len(octets) < tlvHeader {
		return octets, nil, false
	}
	end := tlvHeader + int(binary.BigEndian.Uint16(octets[2:]))
	if end > len(octets) {
		return octets, nil, false
	}
	return octets[:end], octets[end:], true
}

// appendTLV appends the TLV of a Session-Sender, its value zeroed.
func appendTLV(dst []byte, kind byte, length int) []byte {
	dst = append(dst, unrecognized, kind)
	dst = binary.BigEndian.AppendUint16(dst, uint16(length))
	return appendZeros(dst, length)
}

func appendZeros(dst []byte, n int) []byte {
	for ; n > 0; n-- {
		dst = append(dst, 0)
	}
	return dst
}

// trailingZeros counts the zeros at the end.
func trailingZeros(octets []byte) (n int) {
	for n < len(octets) && octets[len(octets)-1-n] == 0 {
		n++
	}
	return n
}

// refuse marks a TLV that is malformed. Of a Follow-Up Telemetry TLV nothing may be
// left that looks like an answer (RFC 8972 section 4.7).
func (t tlv) refuse(flags byte, whole bool) {
	t[0] = flags
	if whole && t.kind() == typeFollowUpTelemetry {
		clear(t.value())
	}
}

// refuseAll marks sub-TLVs as unrecognized, as all are here.
func refuseAll(subs []byte) {
	for len(subs) > 0 {
		t, rest, _ := nextTLV(subs)
		t[0] = unrecognized
		subs = rest
	}
}

// allWhole tells whether octets are TLVs and nothing else.
func allWhole(octets []byte) bool {
	for len(octets) > 0 {
		_, rest, whole := nextTLV(octets)
		if !whole {
			return false
		}
		octets = rest
	}
	return true
}

func (t tlv) flags() byte { return t[0] }

func (t tlv) kind() byte { return t[1] }

func (t tlv) value() []byte { return t[tlvHeader:] }

// known is false for what is too short to have a type.
func (t tlv) known() bool {
	if len(t) < tlvHeader {
		return false
	}
	switch t.kind() {
	case typeExtraPadding, typeTimestampInformation, typeClassOfService, typeFollowUpTelemetry:
		return true
	}
	return false
}

// fits tells whether the value is as long as its type wants. Of an unknown type
// nobody can tell.
func (t tlv) fits() bool {
	switch t.kind() {
	case typeTimestampInformation:
		// Sub-TLVs may follow (RFC 8972 section 4.3).
		return len(t.value()) >= timestampInformationLength && allWhole(t.value()[timestampInformationLength:])
	case typeClassOfService:
		return len(t.value()) == classOfServiceLength
	case typeFollowUpTelemetry:
		return len(t.value()) == followUpTelemetryLength
	}
	return true
}

// classOfService is the value of the Class of Service TLV (RFC 8972 section
// 4.4):
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|   DSCP1   |   DSCP2   |ECN|RP |           Reserved            |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// DSCP1 is what the Session-Sender wants the reply to be sent with; DSCP2 and
// ECN are what the Session-Reflector received; RP is 1 where it did not grant
// DSCP1.
type classOfService []byte

func (c classOfService) dscp1() uint8 { return c[0] >> 2 }

func (c classOfService) dscp2() uint8 { return c[0]<<4&0x30 | c[1]>>4 }

func (c classOfService) ecn() uint8 { return c[1] >> 2 & 3 }

func (c classOfService) rp() uint8 { return c[1] & 3 }

func (c classOfService) setDSCP1(dscp uint8) { c[0] = dscp << 2 }

// setReceived keeps DSCP1 and the reserved octets.
func (c classOfService) setReceived(dscp2, ecn, rp uint8) {
	c[0] = c[0]&^3 | dscp2>>4&3
	c[1] = dscp2<<4 | ecn&3<<2 | rp&3
}

// Method is how a timestamp was taken, by the registry of timestamping methods
// (RFC 8972 section 5). Zero says nothing.
type Method uint8

const (
	// HardwareAssisted is a timestamp of the network interface.
	HardwareAssisted Method = 1
	// SoftwareLocal is one of this host's software, of its kernel or not.
	SoftwareLocal Method = 2
	// ControlPlane is one that came about outside of the packet's way.
	ControlPlane Method = 3
)

// timestampInformation is the value of the Timestamp Information TLV (RFC 8972
// section 4.3). "In" is where a Session-Reflector receives, "Out" where it
// sends:
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  Sync Src In  | Timestamp In  |  Sync Src Out | Timestamp Out |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// What a clock is synchronized by, its kernel does not tell: the sources stay
// zero, and S of the Error Estimate says whether there is one.
type timestampInformation []byte

func (i timestampInformation) in() Method { return Method(i[1]) }

func (i timestampInformation) out() Method { return Method(i[3]) }

func (i timestampInformation) set(in, out Method) {
	i[0], i[1], i[2], i[3] = 0, byte(in), 0, byte(out)
}

// FollowUp is the value of the Follow-Up Telemetry TLV (RFC 8972 section 4.7):
// when the reply before in the same session really left.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                        Sequence Number                        |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                      Follow-Up Timestamp                      |
//	|                                                               |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  Timestamp M  |                   Reserved                    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type FollowUp struct {
	// Sequence is the Session-Reflector's own number of that reply.
	Sequence uint32
	// Timestamp is of the Format of the reply that it came with.
	Timestamp Timestamp
	Mode      Method
}

// Present tells whether there is a timestamp. Without one all fields are zero.
func (f FollowUp) Present() bool { return f.Timestamp != 0 }

func parseFollowUp(value []byte) FollowUp {
	return FollowUp{
		Sequence:  binary.BigEndian.Uint32(value),
		Timestamp: Timestamp(binary.BigEndian.Uint64(value[4:])),
		Mode:      Method(value[12]),
	}
}

// put leaves the reserved octets as they are.
func (f FollowUp) put(value []byte) {
	binary.BigEndian.PutUint32(value, f.Sequence)
	binary.BigEndian.PutUint64(value[4:], uint64(f.Timestamp))
	value[12] = byte(f.Mode)
}
