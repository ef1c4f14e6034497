package dissect

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"ixpqos/infra/needs"
)

// The fields of packets as dissector.py writes them.
type (
	estimate struct {
		S          int `json:"S"`
		Z          int `json:"Z"`
		Scale      int `json:"scale"`
		Multiplier int `json:"multiplier"`
	}
	tlv struct {
		Flags int    `json:"flags"`
		Type  int    `json:"type"`
		Len   int    `json:"len"`
		Value string `json:"value"`
	}
	senderPacket struct {
		Seq      uint32   `json:"seq"`
		Sent     uint64   `json:"ts"`
		Estimate estimate `json:"err_estimate"`
		SSID     uint16   `json:"ssid"`
		Zeros    int      `json:"mbz"`
		TLVs     []tlv    `json:"tlv_objects"`
	}
	reflectorPacket struct {
		Seq            uint32   `json:"seq"`
		Sent           uint64   `json:"ts"`
		Estimate       estimate `json:"err_estimate"`
		SSID           uint16   `json:"ssid"`
		Received       uint64   `json:"ts_rx"`
		SenderSeq      uint32   `json:"seq_sender"`
		SenderSent     uint64   `json:"ts_sender"`
		SenderEstimate estimate `json:"err_estimate_sender"`
		Zeros          int      `json:"mbz1"`
		SenderTTL      uint8    `json:"ttl_sender"`
		MoreZeros      int      `json:"mbz2"`
		TLVs           []tlv    `json:"tlv_objects"`
	}
)

func roleOf(fields any) string {
	if _, ok := fields.(reflectorPacket); ok {
		return "reflector"
	}
	return "sender"
}

// ask puts one question to scapy.
func ask(t *testing.T, question map[string]any, answer any) {
	t.Helper()
	python := needs.Scapy(t)
	asked, err := json.Marshal(question)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "-B", "dissector.py")
	folder := t.TempDir() // else scapy leaves its own in the user's
	cmd.Env = append(cmd.Environ(), "XDG_CACHE_HOME="+folder, "XDG_CONFIG_HOME="+folder)
	cmd.Stdin = bytes.NewReader(asked)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	said, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v: %s", cmd, err, complaints.String())
	}
	if err := json.Unmarshal(said, answer); err != nil {
		t.Fatalf("%s: %v", said, err)
	}
}

// read lets scapy dissect a packet, of which nothing may be left over.
func read[Packet senderPacket | reflectorPacket](t *testing.T, packet []byte) Packet {
	t.Helper()
	var answer struct {
		Fields Packet `json:"fields"`
		Beyond string `json:"beyond"`
	}
	ask(t, map[string]any{"role": roleOf(answer.Fields), "packet": hex.EncodeToString(packet)}, &answer)
	if answer.Beyond != "" {
		t.Errorf("scapy cannot read the end of the packet: %s", answer.Beyond)
	}
	return answer.Fields
}

// build lets scapy make a packet.
func build(t *testing.T, fields any) []byte {
	t.Helper()
	var answer struct {
		Packet string `json:"packet"`
	}
	ask(t, map[string]any{"role": roleOf(fields), "fields": fields}, &answer)
	packet, err := hex.DecodeString(answer.Packet)
	if err != nil {
		t.Fatal(err)
	}
	return packet
}
