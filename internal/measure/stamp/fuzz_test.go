package stamp

import (
	"bytes"
	"slices"
	"testing"
)

func addSeeds(f *testing.F, texts ...string) {
	for _, text := range texts {
		f.Add(octets(f, text))
	}
}

// FuzzRequest: whatever arrives is either refused or the same when appended
// again, and its reply is of the right size, can be read, and gives back what
// the sender sent.
func FuzzRequest(f *testing.F) {
	addSeeds(f, sampleOctets, header, header+zeros(30), header+zeros(30)+"80F00003 ABCDEF 80040004 B8000000",
		header+zeros(30)+"80040005 B800000000", header+zeros(30)+"8001FFFF", header+"FF"+zeros(40))
	f.Fuzz(func(t *testing.T, packet []byte) {
		request, err := ParseRequest(packet)
		if (err != nil) != (len(packet) < 14) {
			t.Fatalf("%d octets: error %v", len(packet), err)
		}
		reply, reflectErr := Reflect(nil, packet, sampleReflection)
		if err != nil {
			if reflectErr == nil {
				t.Fatal("what is refused got a reply")
			}
			return
		}
		if again := request.Append(nil); !bytes.Equal(again, packet) {
			t.Fatalf("%x came back as %x", packet, again)
		}
		if len(reply) != max(len(packet), BaseSize) {
			t.Fatalf("%d octets got a reply of %d", len(packet), len(reply))
		}
		checkReply(t, packet, request, reply)
	})
}

func checkReply(t *testing.T, packet []byte, request Request, reply []byte) {
	r, err := ParseReply(reply)
	if err != nil {
		t.Fatal(err)
	}
	if r.SenderSequence != request.Sequence || r.SenderSent != request.Sent || r.SenderError != request.Error || r.SSID != request.SSID {
		t.Fatalf("%+v does not answer %+v", r, request)
	}
	if request.Light {
		return
	}
	if r.HasClassOfService != request.HasClassOfService {
		t.Fatalf("Class of Service asked for: %v, answered: %v", request.HasClassOfService, r.HasClassOfService)
	}
	checkFlags(t, packet[BaseSize:], reply[BaseSize:])
}

// checkFlags walks both sides in step, by the definitions of RFC 8972 section 4
// alone.
func checkFlags(t *testing.T, sent, reflected []byte) {
	lengths := map[byte]int{3: 4, 4: 4, 7: 16}
	for len(sent) >= 4 && !onlyZeros(sent) {
		kind, length := sent[1], int(sent[2])<<8+int(sent[3])
		wanted, fixed := lengths[kind]
		var flags byte
		if kind != 1 && !fixed {
			flags |= 0x80
		}
		over := 4+length > len(sent)
		wrong := over || fixed && length != wanted && !(kind == 3 && hasSubTLVs(sent[4:4+length]))
		if wrong {
			flags |= 0x40
		}
		if reflected[0] != flags || !bytes.Equal(reflected[1:4], sent[1:4]) {
			t.Fatalf("%x was reflected as %x, want flags %#02x", sent, reflected, flags)
		}
		if wrong {
			if kind == 7 && !over {
				sent = append(append(slices.Clone(sent[:4]), make([]byte, length)...), sent[4+length:]...)
			}
			if !bytes.Equal(reflected[1:], sent[1:]) {
				t.Fatalf("after a malformed TLV, %x was reflected as %x", sent, reflected)
			}
			return
		}
		if !fixed && !bytes.Equal(reflected[4:4+length], sent[4:4+length]) {
			t.Fatalf("the value in %x was reflected as %x", sent, reflected)
		}
		sent, reflected = sent[4+length:], reflected[4+length:]
	}
	if onlyZeros(sent) && !bytes.Equal(reflected, sent) {
		t.Fatalf("the padding %x was reflected as %x", sent, reflected)
	}
	if !onlyZeros(sent) && (reflected[0] != 0xC0 || !bytes.Equal(reflected[1:], sent[1:])) {
		t.Fatalf("the rest %x was reflected as %x", sent, reflected)
	}
}

func onlyZeros(octets []byte) bool { return len(bytes.TrimRight(octets, "\x00")) == 0 }

// hasSubTLVs tells whether sub-TLVs stand behind the first four octets.
func hasSubTLVs(value []byte) bool {
	if len(value) < 4 {
		return false
	}
	for value = value[4:]; len(value) >= 4; {
		end := 4 + int(value[2])<<8 + int(value[3])
		if end > len(value) {
			return false
		}
		value = value[end:]
	}
	return len(value) == 0
}

// FuzzReply: whatever arrives is either refused or the same when appended again.
func FuzzReply(f *testing.F) {
	addSeeds(f, replyOctets, replyHeader, replyHeader+"80F00003 ABCDEF 00040004 BAA50000", replyHeader+"40040005 B800000000",
		replyHeader+"0001FFFF", replyHeader+"0007")
	f.Fuzz(func(t *testing.T, packet []byte) {
		reply, err := ParseReply(packet)
		if (err != nil) != (len(packet) < 38) {
			t.Fatalf("%d octets: error %v", len(packet), err)
		}
		if err != nil {
			return
		}
		if again := reply.Append(nil); !bytes.Equal(again, packet) {
			t.Fatalf("%x came back as %x", packet, again)
		}
	})
}
