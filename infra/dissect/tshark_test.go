package dissect

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ixpqos/infra/needs"
	"ixpqos/internal/measure/stamp"
)

// A datagram goes from one end of a session to the other.
type datagram struct {
	from, to netip.AddrPort
	payload  []byte
}

var (
	senderEnd    = netip.MustParseAddrPort("198.18.0.1:61000")
	reflectorEnd = netip.MustParseAddrPort("198.18.0.2:862")
)

// capture writes datagrams as a capture file (the classic pcap, with Ethernet's
// link type).
func capture(t *testing.T, datagrams ...datagram) (path string) {
	t.Helper()
	file := binary.BigEndian.AppendUint32(nil, 0xA1B2C3D4)
	file = binary.BigEndian.AppendUint32(file, 2<<16|4) // version
	file = append(file, make([]byte, 8)...)             // time zone and accuracy
	file = binary.BigEndian.AppendUint32(file, 1<<16)   // longest frame
	file = binary.BigEndian.AppendUint32(file, 1)       // Ethernet
	for _, d := range datagrams {
		frame := d.frame()
		file = append(file, make([]byte, 8)...) // when
		file = binary.BigEndian.AppendUint32(file, uint32(len(frame)))
		file = binary.BigEndian.AppendUint32(file, uint32(len(frame)))
		file = append(file, frame...)
	}
	path = filepath.Join(t.TempDir(), "stamp.pcap")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// frame wraps the payload into UDP, IPv4 and Ethernet, without checksums.
func (d datagram) frame() []byte {
	frame := append(make([]byte, 12), 0x08, 0x00)
	frame = append(frame, 0x45, 0)
	frame = binary.BigEndian.AppendUint16(frame, uint16(28+len(d.payload)))
	frame = append(frame, 0, 0, 0, 0, 255, 17, 0, 0)
	frame = append(frame, d.from.Addr().AsSlice()...)
	frame = append(frame, d.to.Addr().AsSlice()...)
	frame = binary.BigEndian.AppendUint16(frame, d.from.Port())
	frame = binary.BigEndian.AppendUint16(frame, d.to.Port())
	frame = binary.BigEndian.AppendUint16(frame, uint16(8+len(d.payload)))
	frame = append(frame, 0, 0)
	return append(frame, d.payload...)
}

// tshark reads a capture as TWAMP-Test and returns a row of fields a frame.
func tshark(t *testing.T, path string, fields ...string) (rows [][]string) {
	t.Helper()
	needs.Tshark(t)
	args := []string{"-n", "-r", path, "-d", "udp.port==862,twamp.test", "-T", "fields", "-E", "separator=|"}
	for _, field := range fields {
		args = append(args, "-e", field)
	}
	cmd := exec.CommandContext(t.Context(), "tshark", args...)
	cmd.Env = append(cmd.Environ(), "TZ=UTC", "HOME="+t.TempDir())
	var complaints strings.Builder
	cmd.Stderr = &complaints
	said, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v: %s", cmd, err, complaints.String())
	}
	for line := range strings.Lines(string(said)) {
		rows = append(rows, strings.Split(strings.TrimSuffix(line, "\n"), "|"))
	}
	return rows
}

// shown is a time as tshark prints it.
func shown(unixNano int64) string {
	return time.Unix(0, unixNano).UTC().Format("Jan _2, 2006 15:04:05.000000000 MST")
}

// TestTsharkReadsTWAMPTest: without TLVs both our packets are those of
// TWAMP-Test. tshark reads every packet as a reply, and finds zeros in what
// must be zero in a request.
func TestTsharkReadsTWAMPTest(t *testing.T) {
	base := time.Date(2026, 3, 1, 12, 0, 0, 123_456_789, time.UTC).UnixNano()
	t1, t2, t3 := base, base+1_500, base+2_001
	r := stamp.Request{Sequence: 7, Sent: stamp.TimestampOf(t1, stamp.NTP), Error: oneSecond}
	asked, err := stamp.AppendRequest(nil, r, stamp.MinRequestSize)
	if err != nil {
		t.Fatal(err)
	}
	asked = asked[:stamp.BaseSize]
	answered, err := stamp.Reflect(nil, asked, stamp.Reflection{
		Sequence: 3_000_000_000, TTL: 254, Error: stamp.NewErrorEstimate(true, stamp.NTP, 2e9),
		Received: stamp.TimestampOf(t2, stamp.NTP), Sent: stamp.TimestampOf(t3, stamp.NTP),
	})
	if err != nil {
		t.Fatal(err)
	}
	rows := tshark(t, capture(t, datagram{senderEnd, reflectorEnd, asked}, datagram{reflectorEnd, senderEnd, answered}),
		"frame.protocols", "_ws.malformed",
		"twamp.test.seq_number", "twamp.test.timestamp", "twamp.test.error_estimate", "twamp.test.mbz1",
		"twamp.test.receive_timestamp", "twamp.test.sender_seq_number", "twamp.test.sender_timestamp",
		"twamp.test.sender_error_estimate", "twamp.test.mbz2", "twamp.test.sender_ttl", "twamp.test.padding")
	// tshark prints these numbers in decimal.
	askedError, answeredError := fmt.Sprint(0x9980), fmt.Sprint(0x9A80)
	const protocols = "eth:ethertype:ip:udp:twamp.test"
	want := [][]string{
		{protocols, "", "7", shown(t1), askedError, "0", shown(0), "0", shown(0), "0", "0", "0", zeros(3)},
		{protocols, "", "3000000000", shown(t3), answeredError, "0", shown(t2), "7", shown(t1), askedError, "0", "254", zeros(3)},
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Error(diff)
	}
}

// TestTsharkReadsLightReply: TWAMP-Light's padding is where it looks for it. What
// stands where a TLV's flags would is written anew (RFC 8972, section 4), since
// length alone tells whether there are TLVs.
func TestTsharkReadsLightReply(t *testing.T) {
	light := append(makeRequest(t, 72)[:14], make([]byte, 27)...)
	light = append(light, "its padding"...)
	rows := tshark(t, capture(t, datagram{reflectorEnd, senderEnd, reflect(t, light)}), "twamp.test.sender_seq_number", "twamp.test.padding")
	if diff := cmp.Diff([][]string{{"7", hex.EncodeToString([]byte("\x00\x00\x00\xc0padding"))}}, rows); diff != "" {
		t.Error(diff)
	}
}
