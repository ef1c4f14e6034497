package stamp

// Reflection is what a Session-Reflector adds to a request.
type Reflection struct {
	// Sequence is the session's own number, or in stateless mode the request's.
	Sequence uint32
	// Received (T2) and Sent (T3) are of the Format of Error: NTP's, where the
	// request is Light.
	Received Timestamp
	Sent     Timestamp
	Error    ErrorEstimate

	// TTL, DSCP and ECN are those that the request arrived with.
	TTL  uint8
	DSCP uint8
	ECN  uint8
	// ReplyDSCPRefused is set where the reply is sent with DSCP, and not with
	// the request's ReplyDSCP.
	ReplyDSCPRefused bool

	// FollowUp is about the reply before: zero where there is none, or where
	// nobody knows when it left.
	FollowUp FollowUp

	// How T2 and T3 were taken.
	ReceivedBy Method
	SentBy     Method
}

// Reflect appends the reply to a packet, as Request.Reflect does. The error is
// that of ParseRequest: such a packet gets no reply.
func Reflect(dst, packet []byte, r Reflection) ([]byte, error) {
	q, err := ParseRequest(packet)
	if err != nil {
		return dst, err
	}
	return q.Reflect(dst, packet, r), nil
}

// Reflect appends the reply to the packet that the request was read from, of the
// same size and at least BaseSize. The two may not overlap.
//
// A TWAMP-Light packet's padding stays where it is, so that the reply's fields
// cover its beginning, as in Symmetrical Size mode (RFC 6038).
func (q Request) Reflect(dst, packet []byte, r Reflection) []byte {
	start := len(dst)
	dst = Reply{
		Sequence: r.Sequence, Sent: r.Sent, Error: r.Error, SSID: q.SSID, Received: r.Received,
		SenderSequence: q.Sequence, SenderSent: q.Sent, SenderError: q.Error, SenderTTL: r.TTL,
		Rest: packet[min(replyRestAt, len(packet)):],
	}.Append(dst)
	dst = appendZeros(dst, BaseSize-(len(dst)-start))
	if !q.Light {
		clear(dst[start+replyRestAt : start+BaseSize]) // MBZ (RFC 8762 section 4.3.1)
		r.answer(dst[start+BaseSize:])
	}
	return dst
}

// answer rewrites the TLVs of a request into those of its reply. From the first
// malformed one on they stay as they are (RFC 8972 section 4). Zeros up to the end
// are padding: type 0 is none (RFC 8972 section 5.1).
func (r *Reflection) answer(octets []byte) {
	for padding := trailingZeros(octets); len(octets) > padding; {
		t, rest, whole := nextTLV(octets)
		var flags byte
		if !t.known() {
			flags |= unrecognized
		}
		if !whole || !t.fits() {
			t.refuse(flags|malformed, whole)
			return
		}
		t[0] = flags
		r.fill(t)
		octets = rest
	}
}

func (r *Reflection) fill(t tlv) {
	switch t.kind() {
	case typeClassOfService:
		var rp uint8
		if r.ReplyDSCPRefused {
			rp = 1
		}
		classOfService(t.value()).setReceived(r.DSCP, r.ECN, rp)
	case typeFollowUpTelemetry:
		r.FollowUp.put(t.value())
	case typeTimestampInformation:
		timestampInformation(t.value()).set(r.ReceivedBy, r.SentBy)
		refuseAll(t.value()[timestampInformationLength:])
	}
}
