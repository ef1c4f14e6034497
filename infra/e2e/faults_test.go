package e2e

import (
	"math"
	"testing"
	"time"

	bundles "ixpqos/infra/lab/exchange"
	"ixpqos/infra/needs"
	"ixpqos/internal/wire"
)

// surely is the chance that a test of many flows may fail where nothing is wrong.
const surely = 1e-6

// TestFabric breaks an exchange in all ways that there are, one after the other,
// and looks whether the flows that cross the broken place are told, they alone,
// and with the direction.
func TestFabric(t *testing.T) {
	needs.Time(t)
	t.Parallel()
	f := newFabric(t)
	t.Run("nothing is broken", f.nothingBroken)
	t.Run("a member loses packets", f.memberLoses)
	t.Run("a member loses all", f.memberLosesAll)
	t.Run("a link is dead", f.linkDead)
	t.Run("members delay, remark, duplicate and reorder", f.membersSpoil)
	t.Run("hosts are busy", f.hostsBusy)
	t.Run("it is told at once", f.toldAtOnce)
}

// nothingBroken looks at the first interval that all probes surely measure from
// its beginning.
func (f *fabric) nothingBroken(t *testing.T) {
	f.idle = intervals(nextInterval().Add(fabricInterval), 1)
	lossless(t, f.flows(t, f.idle), nil)
}

// memberLoses has a member lose 5 % in one direction, for so many packets that
// every flow on it must have lost some.
func (f *fabric) memberLoses(t *testing.T) {
	at, bad := f.place(t, "sw1-sw2", bundles.Forward)
	began := time.Now().Truncate(fabricInterval)
	f.bundled.Lose(t, at, 5)
	whole := intervals(nextInterval(), 4)
	flows := f.flows(t, whole)
	faults := f.bundled.Heal(t)
	lossless(t, flows, bad)
	for k, way := range bad {
		sum := total(flows[k])
		low, high := binomialTails(sum.lost(way), sum.Sent, 0.05)
		if sum.Sent < 270 || min(low, high) < surely/float64(2*len(bad)) {
			t.Errorf("%v lost %d of %d packets %s", k, sum.lost(way), sum.Sent, way)
		}
	}
	f.adds(t, faults, span{began, nextInterval()})
}

// adds holds what the faults' counters say against all that was lost meanwhile,
// with the intervals in which they began and ended.
func (f *fabric) adds(t *testing.T, faults []bundles.Fault, s span) {
	t.Helper()
	touched, lost := 0, 0
	for _, fault := range faults {
		touched += int(fault.Packets)
	}
	for _, intervals := range f.flows(t, s) {
		lost += total(intervals).Lost
	}
	if touched == 0 || lost != touched {
		t.Errorf("%d packets are lost by the results, %d by the faults' counters", lost, touched)
	}
	t.Logf("%d packets are lost, %d by the faults' counters", lost, touched)
}

// memberLosesAll silences flows, so that only the other end's word places them.
func (f *fabric) memberLosesAll(t *testing.T) {
	at, bad := f.place(t, "sw2-sw3", bundles.Backward)
	f.bundled.Lose(t, at, 100)
	f.allLost(t, bad)
}

// allLost: the flows that are struck lose all, the others nothing.
func (f *fabric) allLost(t *testing.T, bad struck) {
	t.Helper()
	flows := f.flows(t, intervals(nextInterval(), 1))
	f.bundled.Heal(t)
	lossless(t, flows, bad)
	for k, way := range bad {
		if sum := total(flows[k]); sum.lost(way) != sum.Sent || sum.Sent == 0 || flows[k][0].RTTMedianUS != nil {
			t.Errorf("%v did not lose all %s: %s", k, way, show(flows[k]))
		}
	}
}

// linkDead cuts p4 off. Nothing of it arrives, so all is lost forward.
func (f *fabric) linkDead(t *testing.T) {
	cut := struck{}
	for _, pair := range f.pairs() {
		for port := uint16(fabricPort); port < fabricPort+fabricFlows && (pair[0] == "p4" || pair[1] == "p4"); port++ {
			cut[flowKey{pair[0], pair[1], 4, port}], cut[flowKey{pair[0], pair[1], 6, port}] = bundles.Forward, bundles.Forward
		}
	}
	f.bundled.Kill(t, "sw2-sw4")
	f.allLost(t, cut)
	lossless(t, f.flows(t, intervals(nextInterval(), 1)), nil)
}

// lossless: no flow lost anything but those that are struck, in that direction
// alone. Nothing is refused, unserved or late, and enough was sent to tell.
func lossless(t *testing.T, flows seen, bad struck) {
	t.Helper()
	for k := range bad {
		if len(flows[k]) == 0 {
			t.Errorf("%v crosses the place and has no results", k)
		}
	}
	for k, intervals := range flows {
		sum := total(intervals)
		if way, is := bad[k]; is {
			sum.Lost -= sum.lost(way)
		}
		if sum.Lost+sum.Late+sum.Refused+sum.Unserved > 0 || sum.Sent < len(intervals)*fabricPackets/2 {
			t.Errorf("%v (struck: %q): %s", k, bad[k], show(intervals))
		}
	}
}

// sum of the intervals of a flow.
type sum struct{ wire.FlowCounts }

func total(intervals []wire.Flow) (s sum) {
	for _, f := range intervals {
		s.Sent += f.Sent
		s.Received += f.Received
		s.Lost += f.Lost
		s.Forward += f.Forward
		s.Backward += f.Backward
		s.Late += f.Late
		s.Refused += f.Refused
		s.Unserved += f.Unserved
		s.Duplicates += f.Duplicates
		s.Reordered += f.Reordered
	}
	return s
}

func (s sum) lost(way bundles.Direction) int {
	if way == bundles.Forward {
		return s.Forward
	}
	return s.Backward
}

// binomialTails are the chances that of n so many happen at most, and at least,
// where each happens with probability p.
func binomialTails(k, n int, p float64) (atMost, atLeast float64) {
	for i := range n + 1 {
		all, _ := math.Lgamma(float64(n + 1))
		these, _ := math.Lgamma(float64(i + 1))
		others, _ := math.Lgamma(float64(n - i + 1))
		chance := math.Exp(all - these - others + float64(i)*math.Log(p) + float64(n-i)*math.Log1p(-p))
		if i <= k {
			atMost += chance
		}
		if i >= k {
			atLeast += chance
		}
	}
	return atMost, atLeast
}
