package stamp

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var sampleReflection = Reflection{
	Sequence: 0x0A0B0C0D, Sent: 0x2122232425262728, Error: 0xC119, Received: 0x3132333435363738,
	TTL: 254, DSCP: 42, ECN: 1, ReplyDSCPRefused: true,
	FollowUp:   FollowUp{Sequence: 0x0A0B0C0C, Timestamp: 0x4142434445464748, Mode: SoftwareLocal},
	ReceivedBy: SoftwareLocal, SentBy: ControlPlane,
}

func mustReflect(t testing.TB, request []byte, r Reflection) []byte {
	t.Helper()
	reply, err := Reflect(nil, request, r)
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

func TestReflect(t *testing.T) {
	request := octets(t, sampleOctets)
	reply, err := Reflect([]byte("before"), request, sampleReflection)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(append([]byte("before"), octets(t, replyOctets)...), reply); diff != "" {
		t.Error(diff)
	}
	if !bytes.Equal(request, octets(t, sampleOctets)) {
		t.Error("the request was changed")
	}
}

// TestReflectedFlags: the flags are written anew (RFC 8972 section 4).
func TestReflectedFlags(t *testing.T) {
	const padding, reflectedPadding = "80010002 ABCD", "00010002 ABCD"
	for _, c := range []struct{ name, request, reply string }{
		{"padding", padding, reflectedPadding},
		{"all flags set", "FF010002 ABCD", reflectedPadding},
		{"an unknown type", "80F00002 ABCD" + padding, "80F00002 ABCD" + reflectedPadding},
		{"an HMAC, which an unauthenticated reflector does not know", "80080010" + zeros(16), "80080010" + zeros(16)},
		{"longer than the packet", padding + "80010003 ABCD", reflectedPadding + "40010003 ABCD"},
		{"unknown and longer than the packet", "80F00003 ABCD", "C0F00003 ABCD"},
		{"a wrong length, and what follows stays", "80040005 B800000000" + padding, "40040005 B800000000" + padding},
		{"a short Follow-Up Telemetry", "8007000F" + zeros(15) + padding, "4007000F" + zeros(15) + padding},
		{"a short Follow-Up Telemetry with something in it", "80070003 ABCDEF" + padding, "40070003 000000" + padding},
		{"a long Follow-Up Telemetry", "80070011" + strings.Repeat("AB", 17) + padding, "40070011" + zeros(17) + padding},
		{"a Follow-Up Telemetry longer than the packet", "80070010 ABCDEF", "40070010 ABCDEF"},
		{"Timestamp Information with sub-TLVs", "8003000E 01020304 00020002 ABCD 80070000" + padding, "0003000E 00020003 80020002 ABCD 80070000" + reflectedPadding},
		{"Timestamp Information with half a sub-TLV", "8003000A 01020304 80020003 ABCD" + padding, "4003000A 01020304 80020003 ABCD" + padding},
		{"a TLV without U", "00010002 ABCD" + padding, reflectedPadding + reflectedPadding},
		{"zeros up to the end are padding", padding + zeros(9), reflectedPadding + zeros(9)},
		{"a long Timestamp Information", "80030005" + zeros(5) + padding, "40030005" + zeros(5) + padding},
		{"no room for a header", padding + "800100", reflectedPadding + "C00100"},
		{"one octet", padding + "80", reflectedPadding + "C0"},
		{"an empty value", "80010000" + padding, "00010000" + reflectedPadding},
		{"an empty value at the end", padding + "80010000", reflectedPadding + "00010000"},
		{"reserved octets stay", "80040004 B800ABCD", "00040004 BAA5ABCD"},
		{"what the sender wrote into the reflector's fields goes", "80040004 BBFF0000", "00040004 BAA50000"},
		{"also what it wrote into other fields", "80030004 01020304", "00030004 00020003"},
	} {
		request := octets(t, header+"BEEF"+zeros(28)+c.request)
		if got, want := mustReflect(t, request, sampleReflection), octets(t, replyHeader+c.reply); !bytes.Equal(got, want) {
			t.Errorf("%s:\n%x, want\n%x", c.name, got[BaseSize:], want[BaseSize:])
		}
	}
}

func TestReflectGrantsDSCP(t *testing.T) {
	r := sampleReflection
	r.ReplyDSCPRefused = false
	reply := mustParseReply(t, mustReflect(t, octets(t, sampleOctets), r))
	if !reply.HasClassOfService || reply.ReplyDSCPRefused || reply.DSCPReceived != 42 || reply.ECNReceived != 1 {
		t.Errorf("%+v", reply)
	}
}

// TestNothingToFollowUp: the fields of the TLV are zero then (RFC 8972 section 4.7).
func TestNothingToFollowUp(t *testing.T) {
	request := octets(t, header+"BEEF"+zeros(28)+"80070010 FFFFFFFF FFFFFFFFFFFFFFFF FF000000")
	reply := mustReflect(t, request, Reflection{})
	if want := octets(t, "00070010"+zeros(16)); !bytes.Equal(reply[BaseSize:], want) {
		t.Errorf("%x, want %x", reply[BaseSize:], want)
	}
}

// TestReflectLight: a TWAMP-Light sender gets its padding back, untouched.
func TestReflectLight(t *testing.T) {
	// It is a STAMP reply without an SSID, up to the TTL.
	const light = "0A0B0C0D 2122232425262728 C119 0000 3132333435363738 01020304 1112131415161718 9A81 0000 FE"
	for _, c := range []struct{ name, request, reply string }{
		{"no padding", header, light + zeros(3)},
		{"less than the reply's fields", header + "FFFFFF", light + zeros(3)},
		{"into the octets that follow the TTL", header + zeros(27) + "ABCD", light + "ABCD00"},
		{"one short of a base packet", header + zeros(27) + "ABCD", light + "ABCD00"},
		// From here on it may be STAMP's, whose reply has zeros there.
		{"as long as a base packet", header + zeros(27) + "ABCDEF", light + zeros(3)},
		{"longer, and like a TLV", header + "0000FF" + zeros(27) + "80040004 B8000000", light + zeros(3) + "00040004 BAA50000"},
		{"zeros", header + zeros(50), light + zeros(23)},
	} {
		if got, want := mustReflect(t, octets(t, c.request), sampleReflection), octets(t, c.reply); !bytes.Equal(got, want) {
			t.Errorf("%s:\n%x, want\n%x", c.name, got, want)
		}
	}
}

// TestSymmetricSizes: a reply has the size of its request, unless that one is
// shorter than a base packet (RFC 8762 section 4.6).
func TestSymmetricSizes(t *testing.T) {
	for size := 14; size < 300; size++ {
		request := make([]byte, size)
		if size > BaseSize {
			request[BaseSize] = 0x80
		}
		if got, want := len(mustReflect(t, request, sampleReflection)), max(size, BaseSize); got != want {
			t.Errorf("%d octets got a reply of %d, want %d", size, got, want)
		}
	}
}
