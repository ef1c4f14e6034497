package dissect

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ixpqos/internal/measure/stamp"
)

func zeros(octets int) string { return strings.Repeat("00", octets) }

const (
	sent     = stamp.Timestamp(0xED4ABBC0_80000001)
	received = stamp.Timestamp(0xED4ABBC0_A0000002)
	replied  = stamp.Timestamp(0xED4ABBC0_C0000003)
	before   = stamp.Timestamp(0xED4ABBBF_C0000004)
)

// The Error Estimates of both ends, and what RFC 4656 section 4.1.2 makes of
// them: 128 * 2^25 * 2^-32 is a second, 128 * 2^26 * 2^-32 are two.
var (
	oneSecond   = stamp.NewErrorEstimate(true, stamp.NTP, 1e9)
	twoSeconds  = stamp.NewErrorEstimate(false, stamp.PTP, 2e9)
	oneSecondAs = estimate{S: 1, Z: 0, Scale: 25, Multiplier: 128}
	twoSecsAs   = estimate{S: 0, Z: 1, Scale: 26, Multiplier: 128}
)

var request = stamp.Request{Sequence: 7, Sent: sent, Error: oneSecond, SSID: 0xBEEF, ReplyDSCP: 46}

var reflection = stamp.Reflection{
	Sequence: 3_000_000_000, Received: received, Sent: replied, Error: twoSeconds,
	TTL: 254, DSCP: 10, ECN: 3, ReplyDSCPRefused: true,
	FollowUp:   stamp.FollowUp{Sequence: 2_999_999_999, Timestamp: before, Mode: stamp.SoftwareLocal},
	ReceivedBy: stamp.HardwareAssisted, SentBy: stamp.ControlPlane,
}

func makeRequest(t *testing.T, size int) []byte {
	t.Helper()
	packet, err := stamp.AppendRequest(nil, request, size)
	if err != nil {
		t.Fatal(err)
	}
	return packet
}

func reflect(t *testing.T, packet []byte) []byte {
	t.Helper()
	reply, err := stamp.Reflect(nil, packet, reflection)
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

func TestScapyReadsRequests(t *testing.T) {
	classOfService := tlv{Flags: 0x80, Type: 4, Len: 4, Value: "b8000000"} // 46 << 2
	followUp := tlv{Flags: 0x80, Type: 7, Len: 16, Value: zeros(16)}
	information := tlv{Flags: 0x80, Type: 3, Len: 4, Value: zeros(4)}
	for size, tlvs := range map[int][]tlv{
		72:  {classOfService, followUp},
		82:  {classOfService, followUp, {Flags: 0x80, Type: 1, Len: 6, Value: zeros(6)}},
		100: {classOfService, followUp, information, {Flags: 0x80, Type: 1, Len: 16, Value: zeros(16)}},
	} {
		want := senderPacket{Seq: 7, Sent: uint64(sent), Estimate: oneSecondAs, SSID: 0xBEEF, TLVs: tlvs}
		if diff := cmp.Diff(want, read[senderPacket](t, makeRequest(t, size))); diff != "" {
			t.Errorf("size %d: %s", size, diff)
		}
	}
}

func TestScapyReadsReplies(t *testing.T) {
	want := reflectorPacket{
		Seq: 3_000_000_000, Sent: uint64(replied), Estimate: twoSecsAs, SSID: 0xBEEF, Received: uint64(received),
		SenderSeq: 7, SenderSent: uint64(sent), SenderEstimate: oneSecondAs, SenderTTL: 254,
		TLVs: []tlv{
			// DSCP1 101110, DSCP2 001010, ECN 11, RP 01.
			{Type: 4, Len: 4, Value: "b8ad0000"},
			{Type: 7, Len: 16, Value: "b2d05dff" + "ed4abbbfc0000004" + "02000000"},
			{Type: 3, Len: 4, Value: "00010003"},
			{Type: 1, Len: 16, Value: zeros(16)},
		},
	}
	if diff := cmp.Diff(want, read[reflectorPacket](t, reflect(t, makeRequest(t, 100)))); diff != "" {
		t.Error(diff)
	}
}

// TestScapyReadsLightReplies: a TWAMP-Light packet gets the base packet.
func TestScapyReadsLightReplies(t *testing.T) {
	want := reflectorPacket{
		Seq: 3_000_000_000, Sent: uint64(replied), Estimate: twoSecsAs, Received: uint64(received),
		SenderSeq: 7, SenderSent: uint64(sent), SenderEstimate: oneSecondAs, SenderTTL: 254, TLVs: []tlv{},
	}
	if diff := cmp.Diff(want, read[reflectorPacket](t, reflect(t, makeRequest(t, 72)[:14]))); diff != "" {
		t.Error(diff)
	}
}

// TestScapyAsks: requests that scapy built are understood, and what their TLVs
// come back as is what scapy reads.
func TestScapyAsks(t *testing.T) {
	padding, paddingBack := tlv{0x80, 1, 3, "abcdef"}, tlv{0, 1, 3, "abcdef"}
	for name, c := range map[string]struct {
		tlvs, back []tlv
		dscp       uint8
		has        bool
	}{
		"no TLVs": {tlvs: []tlv{}, back: []tlv{}},
		"known ones": {
			tlvs: []tlv{padding, {0x80, 4, 4, "c8000000"}, {0x80, 7, 16, zeros(16)}, {0x80, 3, 4, zeros(4)}},
			back: []tlv{paddingBack, {0, 4, 4, "c8ad0000"}, {0, 7, 16, "b2d05dff" + "ed4abbbfc0000004" + "02000000"}, {0, 3, 4, "00010003"}},
			dscp: 50, has: true,
		},
		"unknown ones": {
			tlvs: []tlv{{0x80, 240, 2, "abcd"}, {0x80, 8, 16, zeros(16)}, padding},
			back: []tlv{{0x80, 240, 2, "abcd"}, {0x80, 8, 16, zeros(16)}, paddingBack},
		},
		"a wrong length": {
			tlvs: []tlv{padding, {0x80, 4, 5, "c800000000"}, padding},
			back: []tlv{paddingBack, {0x40, 4, 5, "c800000000"}, padding},
		},
		"longer than the packet": {
			tlvs: []tlv{padding, {0x80, 7, 17, zeros(16)}},
			back: []tlv{paddingBack, {0x40, 7, 17, zeros(16)}},
		},
	} {
		built := senderPacket{Seq: 7, Sent: uint64(sent), Estimate: oneSecondAs, SSID: 0xBEEF, TLVs: c.tlvs}
		packet := build(t, built)
		got, err := stamp.ParseRequest(packet)
		if err != nil {
			t.Fatal(err)
		}
		want := stamp.Request{
			Sequence: 7, Sent: sent, Error: oneSecond, SSID: 0xBEEF,
			ReplyDSCP: c.dscp, HasClassOfService: c.has, Rest: packet[16:],
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: the request: %s", name, diff)
		}
		if diff := cmp.Diff(c.back, read[reflectorPacket](t, reflect(t, packet)).TLVs); diff != "" {
			t.Errorf("%s: the reply's TLVs: %s", name, diff)
		}
	}
}

// TestScapyAnswers: replies that scapy built are understood.
func TestScapyAnswers(t *testing.T) {
	packet := build(t, reflectorPacket{
		Seq: 3_000_000_000, Sent: uint64(replied), Estimate: twoSecsAs, SSID: 0xBEEF, Received: uint64(received),
		SenderSeq: 7, SenderSent: uint64(sent), SenderEstimate: oneSecondAs, SenderTTL: 254,
		TLVs: []tlv{
			{Flags: 0x80, Type: 3, Len: 4, Value: "00010003"}, // the reflector did not know it
			{Type: 4, Len: 4, Value: "b8a80000"},
			{Type: 7, Len: 16, Value: "b2d05dff" + "ed4abbbfc0000004" + "02000000"},
		},
	})
	got, err := stamp.ParseReply(packet)
	if err != nil {
		t.Fatal(err)
	}
	want := stamp.Reply{
		Sequence: 3_000_000_000, Sent: replied, Error: twoSeconds, SSID: 0xBEEF, Received: received,
		SenderSequence: 7, SenderSent: sent, SenderError: oneSecond, SenderTTL: 254,
		HasClassOfService: true, DSCPReceived: 10, ECNReceived: 2,
		FollowUp: reflection.FollowUp, Rest: packet[41:],
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
