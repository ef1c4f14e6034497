package stamp

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// replyHeader is a reply up to its TLVs.
const replyHeader = `
	0A0B0C0D 2122232425262728 C119 BEEF
	3132333435363738
	01020304 1112131415161718 9A81 0000
	FE 000000`

// replyOctets answer sample.
const replyOctets = replyHeader + `
	00040004 BAA50000
	00070010 0A0B0C0C 4142434445464748 02000000
	00030004 00020003
	00010010 00000000 00000000 00000000 00000000`

func sampleReply() Reply {
	return Reply{
		Sequence: 0x0A0B0C0D, Sent: 0x2122232425262728, Error: 0xC119, SSID: 0xBEEF, Received: 0x3132333435363738,
		SenderSequence: 0x01020304, SenderSent: 0x1112131415161718, SenderError: 0x9A81, SenderTTL: 254,
	}
}

func mustParseReply(t *testing.T, packet []byte) Reply {
	t.Helper()
	r, err := ParseReply(packet)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestParseReply(t *testing.T) {
	packet := octets(t, replyOctets)
	want := sampleReply()
	want.HasClassOfService, want.DSCPReceived, want.ECNReceived, want.ReplyDSCPRefused = true, 42, 1, true
	want.FollowUp = FollowUp{Sequence: 0x0A0B0C0C, Timestamp: 0x4142434445464748, Mode: SoftwareLocal}
	want.ReceivedBy, want.SentBy = SoftwareLocal, ControlPlane
	want.Rest = packet[41:]
	got := mustParseReply(t, packet)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !got.FollowUp.Present() {
		t.Error("the follow-up is not present")
	}
}

// TestReplyFlags: what a reply's TLVs say counts as far as their flags let it
// (RFC 8972 section 4).
func TestReplyFlags(t *testing.T) {
	const cos, information = "00040004 BAA50000", "00030004 00020003"
	for _, c := range []struct {
		name, tlvs       string
		cos, information bool
	}{
		{"one alone", cos, true, false},
		{"both", cos + information, true, true},
		{"the first is unrecognized", "80040004 BAA50000" + information, false, true},
		{"the first is malformed", "40040004 BAA50000" + information, false, false},
		{"the second is malformed", cos + "40030004 00020003", true, false},
		{"integrity failed", "20040004 BAA50000" + information, false, false},
		{"reserved flags are ignored", "1F040004 BAA50000" + information, true, true},
		{"an unknown one is skipped", "00F00003 010203" + cos + information, true, true},
		{"an unknown empty one", "80F00000" + cos + information, true, true},
		{"the first is too short, and the reflector did not see", "00040003 BAA500" + information, false, false},
		{"the first is too long, and the reflector did not see", "00040005 BAA5000000" + information, false, false},
		{"the last one exceeds the packet", cos + "00030005 00020003", true, false},
		{"half a header is left", cos + "0003", true, false},
	} {
		got := mustParseReply(t, octets(t, replyHeader+c.tlvs))
		if got.HasClassOfService != c.cos || (got.ReceivedBy != 0) != c.information {
			t.Errorf("%s: Class of Service %v, Timestamp Information %v", c.name, got.HasClassOfService, got.ReceivedBy != 0)
		}
	}
}

func TestNoFollowUp(t *testing.T) {
	for _, tlvs := range []string{"", "00070010" + zeros(16), "00070010 00000005" + zeros(12), "0007000F 0A0B0C0C 4142434445464748 020000"} {
		if got := mustParseReply(t, octets(t, replyHeader+tlvs)); got.FollowUp.Present() {
			t.Errorf("%q: %+v", tlvs, got.FollowUp)
		}
	}
}

// TestLightReplies reads what TWAMP-Light reflectors make of a STAMP packet
// (RFC 8762 section 4.6).
func TestLightReplies(t *testing.T) {
	request := octets(t, sampleOctets)
	base := octets(t, replyHeader)[:41]
	base[14], base[15] = 0, 0
	for name, padding := range map[string][]byte{
		"none":                 nil,
		"some":                 make([]byte, 3),
		"zeros":                make([]byte, 59),
		"the sender's, cut":    request[14 : 14+59],
		"the sender's, kept":   request[41:],
		"ones, like no header": octets(t, "FFFFFFFF FFFFFFFF FFFFFFFF FFFFFFFF"),
	} {
		packet := append(append([]byte(nil), base...), padding...)
		want := sampleReply()
		want.SSID, want.Rest = 0, packet[41:]
		if diff := cmp.Diff(want, mustParseReply(t, packet)); diff != "" {
			t.Errorf("padding: %s: %s", name, diff)
		}
	}
}

func TestShortReply(t *testing.T) {
	if _, err := ParseReply(octets(t, replyHeader)[:37]); err == nil || !strings.Contains(err.Error(), "38 octets or more: this one has 37") {
		t.Errorf("error %v", err)
	}
}

// TestRepliesWithoutTTL: some reflectors leave it away, with the zeros around it.
func TestRepliesWithoutTTL(t *testing.T) {
	for size := 38; size < 41; size++ {
		packet := octets(t, replyHeader)[:size]
		want := sampleReply()
		want.SenderTTL, want.NoTTL, want.Rest = 0, true, packet[38:]
		if diff := cmp.Diff(want, mustParseReply(t, packet)); diff != "" {
			t.Errorf("%d octets: %s", size, diff)
		}
	}
}
