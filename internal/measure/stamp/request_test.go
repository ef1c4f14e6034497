package stamp

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// octets reads hexadecimal digits; whatever else stands among them parts them.
func octets(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var sample = Request{
	Sequence: 0x01020304, Sent: 0x1112131415161718, Error: 0x9A81, SSID: 0xBEEF, ReplyDSCP: 46,
}

// sampleOctets are those of sample with 100 octets.
const sampleOctets = `
	01020304 1112131415161718 9A81 BEEF
	00000000 00000000 00000000 00000000 00000000 00000000 00000000
	80040004 B8000000
	80070010 00000000 0000000000000000 00000000
	80030004 00000000
	80010010 00000000 00000000 00000000 00000000`

func mustAppendRequest(t testing.TB, r Request, size int) []byte {
	t.Helper()
	packet, err := AppendRequest(nil, r, size)
	if err != nil {
		t.Fatal(err)
	}
	return packet
}

func TestAppendRequest(t *testing.T) {
	packet, err := AppendRequest([]byte("before"), sample, 100)
	if err != nil {
		t.Fatal(err)
	}
	want := append([]byte("before"), octets(t, sampleOctets)...)
	if diff := cmp.Diff(want, packet); diff != "" {
		t.Error(diff)
	}
}

// TestRequestSizes checks which TLVs a packet of every size holds.
func TestRequestSizes(t *testing.T) {
	for _, c := range []struct {
		size  int
		types []byte // nil where there is no such packet
	}{
		{-1, nil}, {0, nil}, {44, nil}, {71, nil},
		{72, []byte{4, 7}}, {73, nil}, {74, nil}, {75, nil},
		{76, []byte{4, 7, 1}}, {79, []byte{4, 7, 1}},
		{80, []byte{4, 7, 3}},
		{81, []byte{4, 7, 1}}, {83, []byte{4, 7, 1}},
		{84, []byte{4, 7, 3, 1}}, {85, []byte{4, 7, 3, 1}}, {1472, []byte{4, 7, 3, 1}},
		{65_527, []byte{4, 7, 3, 1}}, {65_528, nil},
	} {
		packet, err := AppendRequest(nil, sample, c.size)
		if c.types == nil {
			want := fmt.Sprintf("a STAMP packet of %d octets of UDP payload: with its TLVs it can have 72, or 76 to 65527", c.size)
			if err == nil || err.Error() != want || len(packet) > 0 {
				t.Errorf("size %d: error %v and %d octets, want %q and none", c.size, err, len(packet), want)
			}
			continue
		}
		if err != nil || len(packet) != c.size {
			t.Errorf("size %d: error %v, %d octets", c.size, err, len(packet))
			continue
		}
		if got := typesOf(t, packet[BaseSize:]); !bytes.Equal(got, c.types) {
			t.Errorf("size %d: TLVs %v, want %v", c.size, got, c.types)
		}
	}
}

// typesOf walks TLVs of a sender, which must be whole.
func typesOf(t *testing.T, octets []byte) (types []byte) {
	t.Helper()
	for len(octets) > 0 {
		if octets[0] != 0x80 {
			t.Errorf("flags %#02x, want U alone", octets[0])
		}
		types = append(types, octets[1])
		octets = octets[4+int(octets[2])<<8+int(octets[3]):]
	}
	return types
}

func TestReplyDSCPOutOfRange(t *testing.T) {
	_, err := AppendRequest(nil, Request{ReplyDSCP: 64}, 100)
	if err == nil || !strings.Contains(err.Error(), "DSCP 64: a DSCP is 0 to 63") {
		t.Errorf("error %v", err)
	}
}

func TestSetRequest(t *testing.T) {
	packet := mustAppendRequest(t, Request{SSID: sample.SSID, ReplyDSCP: sample.ReplyDSCP}, 100)
	SetRequest(packet, sample.Sequence, sample.Sent, sample.Error)
	if diff := cmp.Diff(octets(t, sampleOctets), packet); diff != "" {
		t.Error(diff)
	}
}

func TestParseRequest(t *testing.T) {
	packet := octets(t, sampleOctets)
	got, err := ParseRequest(packet)
	if err != nil {
		t.Fatal(err)
	}
	want := sample
	want.HasClassOfService, want.Rest = true, packet[16:]
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

const header = "01020304 1112131415161718 9A81 "

func zeros(n int) string { return strings.Repeat("00", n) }

// TestLight: length alone tells TWAMP-Light's packets from STAMP's, whatever
// stands in octets that must be zero or in the flags of TLVs.
func TestLight(t *testing.T) {
	for _, c := range []struct {
		name, packet  string
		light, padded bool
	}{
		{"the smallest", header, true, false},
		{"one short of the base packet", header + "0007" + zeros(27), true, false},
		{"one short, and padded", header + "0007" + strings.Repeat("05", 27), true, false},
		{"a base packet", header + "0007" + zeros(28), false, false},
		{"padding where there must be zeros", header + "0007" + zeros(27) + "01", false, true},
		{"padding in the first of these octets", header + "0007 01" + zeros(27), false, true},
		{"zeros for padding", header + "0007" + zeros(28) + zeros(20), false, false},
		{"a TLV without U", header + "0007" + zeros(28) + "00010000", false, false},
		{"a TLV with another flag", header + "0007" + zeros(28) + "60010000", false, false},
		{"a TLV with U", header + "0007" + zeros(28) + "80010000", false, false},
		{"the begin of a TLV without U", header + "0007" + zeros(28) + "00", false, false},
		{"the begin of a TLV", header + "0007" + zeros(28) + "80", false, false},
	} {
		r, err := ParseRequest(octets(t, c.packet))
		if err != nil {
			t.Fatal(err)
		}
		ssid := uint16(7)
		if c.light {
			ssid = 0
		}
		if r.Light != c.light || r.Padded != c.padded || r.SSID != ssid {
			t.Errorf("%s: light %v, padded %v and SSID %d, want %v, %v and %d", c.name, r.Light, r.Padded, r.SSID, c.light, c.padded, ssid)
		}
	}
}

func TestShortRequest(t *testing.T) {
	packet := octets(t, header)[:13]
	if _, err := ParseRequest(packet); !errors.Is(err, errShortRequest) {
		t.Errorf("ParseRequest: %v", err)
	}
	dst := []byte("before")
	if got, err := Reflect(dst, packet, Reflection{}); !errors.Is(err, errShortRequest) || string(got) != "before" {
		t.Errorf("Reflect: %q, %v", got, err)
	}
}

// TestTLVsThatAreSentAstray: what must be zero is ignored, and so are the flags of
// TLVs, which others set otherwise than they should.
func TestTLVsThatAreSentAstray(t *testing.T) {
	for _, change := range []func(packet []byte){
		func(packet []byte) { packet[20] = 1 },
		func(packet []byte) { packet[BaseSize] = 0 },
		func(packet []byte) { packet[zerosAt], packet[BaseSize] = 0xff, 0x7f },
	} {
		packet := octets(t, sampleOctets)
		change(packet)
		r, err := ParseRequest(packet)
		if err != nil || r.Light || r.SSID != sample.SSID || !r.HasClassOfService || r.ReplyDSCP != sample.ReplyDSCP {
			t.Errorf("%+v, %v", r, err)
		}
		want := octets(t, replyOctets)
		if reply := mustReflect(t, packet, sampleReflection); !bytes.Equal(reply, want) {
			t.Errorf("the reply is\n%x, want\n%x", reply, want)
		}
	}
}
