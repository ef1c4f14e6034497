package agent

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"ixpqos/internal/inventory"
)

const (
	// packetCost is what a packet or a stamp takes of a socket's buffer besides its
	// octets (sk_buff and skb_shared_info).
	packetCost = 1 << 10
	// unresolved is for how long packets to a neighbour that does not answer wait in
	// the send buffer: three requests, a second apart (mcast_solicit and
	// retrans_time_ms, kernel documentation, ip-sysctl).
	unresolved = 3 * time.Second
	// mostBuffer is what a sender asks for.
	mostBuffer = 4 << 20
)

// buffers are the most octets of a socket's buffers.
type buffers struct{ receive, send int }

// systemBuffers are what sockets of this host may have (net.core).
func systemBuffers() buffers {
	return buffers{receive: coreSetting("rmem_max"), send: coreSetting("wmem_max")}
}

func coreSetting(name string) int {
	text, err := os.ReadFile("/proc/sys/net/core/" + name)
	if err != nil {
		return mostBuffer // in a container; then it is the host's affair
	}
	n, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return n
}

// wanted are the buffers that a part's tests need: each source port has one
// socket for all targets. What comes back at once must fit the one, and what
// waits for neighbours the other, should half of them be away.
func wanted(part inventory.Part) (all buffers) {
	for _, t := range part.Tests {
		if t.Kind != inventory.KindSTAMP || t.Spacing <= 0 {
			continue
		}
		byFamily := map[uint8]int{}
		for _, p := range part.Pairs(t) {
			byFamily[p.Family]++
		}
		waiting := 1 + int(unresolved/t.Spacing)
		for _, targets := range byFamily {
			all.receive = max(all.receive, min(mostBuffer, targets*(t.Size+packetCost)))
			all.send = max(all.send, min(mostBuffer, (targets+1)/2*waiting*(t.Size+packetCost)))
		}
	}
	return all
}

// sends tells whether the probe has a test of flows to send.
func sends(part inventory.Part) bool { return wanted(part) != buffers{} }

// checkBuffers tells what to set where the system allows less than is wanted. A
// probe that has CAP_NET_ADMIN passes these bounds, but the unit gives it none.
func checkBuffers(part inventory.Part, have buffers) error {
	want := wanted(part)
	var low, set []string
	for _, b := range []struct {
		name       string
		want, have int
	}{{"net.core.rmem_max", want.receive, have.receive}, {"net.core.wmem_max", want.send, have.send}} {
		if b.have < b.want {
			low = append(low, fmt.Sprintf("%s is %d and must be %d", b.name, b.have, b.want))
			set = append(set, fmt.Sprintf("%s=%d", b.name, mostBuffer))
		}
	}
	if low == nil {
		return nil
	}
	return fmt.Errorf("%s at least, for the packets of all targets and for those that wait for neighbours which do not answer: sysctl -w %s, and the same in /etc/sysctl.d",
		strings.Join(low, ", "), strings.Join(set, " "))
}
