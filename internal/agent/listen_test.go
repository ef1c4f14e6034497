package agent

import (
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"

	"ixpqos/internal/inventory"
	"ixpqos/internal/measure/reflector"
)

// TestTakenReflectorPorts: where the port is taken in both families, that is one
// line.
func TestTakenReflectorPorts(t *testing.T) {
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := uint16(taken.LocalAddr().(*net.UDPAddr).Port)
	too, err := net.ListenUDP("udp6", &net.UDPAddr{IP: net.IPv6loopback, Port: int(port)})
	if err != nil {
		t.Skipf("the port that is free in IPv4 is not in IPv6: %v", err)
	}
	defer too.Close()

	board := newBoard(func(_, _ string) {})
	e := &stampEngine{name: "p1", board: board, log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	r := reflector.New(reflector.ThisHost("p1", board.set))
	defer r.Close()
	own := []inventory.Address{{Family: 4, Host: "127.0.0.1"}, {Family: 6, Host: "::1"}}
	e.listen(inventory.Part{Probe: "p1", Addresses: own, ReflectorPort: port,
		Tests: []inventory.Test{{Name: "fabric", Kind: inventory.KindSTAMP, Families: []uint8{4, 6}, Flows: 1, Port: 61000}},
		Peers: []inventory.Peer{{Name: "p2", Addresses: []inventory.Address{{Family: 4, Host: "127.0.0.2"}}}}}, r)
	troubles, _ := board.list()
	if len(troubles) != 1 || strings.Contains(troubles[0], "\n") || strings.Count(troubles[0], "STAMP is not answered on") != 2 {
		t.Errorf("the troubles are %q", troubles)
	}
}
