package inventory

import (
	"math"
	"slices"
	"time"
)

// SenderTick is what a Session-Sender's clock goes by: every spacing is a
// multiple of it.
const SenderTick = 50 * time.Millisecond

// What a test of kind stamp may ask for. A probe keeps to it too, whatever it is
// sent.
const (
	MaxFlows = 1024
	// MinPort leaves the ports of services alone.
	MinPort = 1024
	// MinFlowSpacing is more than a tick: a Follow-Up Telemetry TLV (RFC 8972,
	// section 4.7) tells when the reply before was sent, so that of two packets of a
	// session that a reflector answers in one go one would lose its time.
	MinFlowSpacing = 2 * SenderTick
	MinInterval    = 5 * time.Second
	MaxInterval    = time.Minute
	// PacketBudget is how many packets a second one probe sends in all its tests of
	// kind stamp.
	PacketBudget = 6400
	// MaxProbeFlows is how many flows one probe has in one test, over all its pairs:
	// one packet of each in the shortest interval is the packet budget. A result
	// takes about 33 bytes a flow on the wire and what the reflector heard 7, so
	// that all of them are under a third of the batch that a collector takes.
	MaxProbeFlows = int(MinInterval/time.Second) * PacketBudget
)

// What a packet of kind stamp holds at least in bytes: the IP and UDP headers,
// the base packet (RFC 8762, section 4.2), and the Class of Service and
// Follow-Up Telemetry TLVs (RFC 8972, sections 4.4 and 4.7).
const (
	minSTAMP      = 44 + 8 + 20
	MinSTAMPSize4 = 20 + 8 + minSTAMP
	MinSTAMPSize6 = 40 + 8 + minSTAMP
)

// MinSTAMPSize is the smallest packet of a test of kind stamp in these families.
func MinSTAMPSize(families []uint8) int {
	if slices.Contains(families, 6) {
		return MinSTAMPSize6
	}
	return MinSTAMPSize4
}

// PacketRate is how many packets a second a probe with so many pairs sends in the
// test; of kind icmp, while a round lasts. It is a number for whatever stands in
// the test, which may come from elsewhere than an inventory: one without a
// spacing sends without end.
func (t Test) PacketRate(pairs int) float64 {
	streams := float64(pairs) * float64(max(t.Flows, 0))
	if t.Kind == KindICMP {
		streams = float64(min(pairs, RoundBound))
	}
	switch {
	case streams == 0:
		return 0
	case t.Spacing <= 0:
		return math.Inf(1)
	}
	return streams / t.Spacing.Seconds()
}

// LastPort is the source port of the last flow.
func (t Test) LastPort() int { return int(t.Port) + t.Flows - 1 }
