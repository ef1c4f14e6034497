package sender

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"ixpqos/infra/simulation"
	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
	"ixpqos/internal/measure/timestamp"
)

func near(a, b float64) bool { return math.Abs(a-b) < 1e-6*max(1, math.Abs(b)) }

// TestDelays: what was set is measured to the nanosecond, however late the ticks
// of either end are.
func TestDelays(t *testing.T) {
	t.Parallel()
	v := simulated(t)
	const offset = 5 * time.Microsecond
	v.far["p2"].host.Step(offset)
	v.impair(forward, share(1), simulation.Impairment{Delay: 123456 * time.Nanosecond})
	v.runInto(0)
	v.runOut()
	r := v.results("p2")[0]
	expectNone(t, "no fault", r.Counts)
	rtt, out, back := 2123.456, 1123.456+5, 1000.0-5
	if r.RTT.N != r.Sent || !near(r.RTT.Min, rtt) || !near(r.RTT.Max, rtt) {
		t.Errorf("RTT %+v; want %g", r.RTT.Moments, rtt)
	}
	d := r.Detail
	if d.KernelT1 != r.Sent || d.KernelT2 != r.Sent || d.KernelT3 != r.Sent || d.KernelT4 != r.Sent {
		t.Errorf("kernel stamps %d %d %d %d of %d", d.KernelT1, d.KernelT2, d.KernelT3, d.KernelT4, r.Sent)
	}
	if f := d.OneWayForward; f.N != r.Sent || !near(f.Min, out) || !near(f.Max, out) || f.Error < 2 || f.Error > 2.1 {
		t.Errorf("one way forward %+v; want %g", f, out)
	}
	if b := d.OneWayBackward; b.N != r.Sent || !near(b.Min, back) || !near(b.Max, back) {
		t.Errorf("one way backward %+v; want %g", b, back)
	}
	if d.IPDVForward.N != r.Sent-4 || d.IPDVForward.Max != 0 || d.IPDVBackward.Max != 0 || d.LowTTL+d.RemarkedForward+d.RemarkedBackward > 0 {
		t.Errorf("%+v", d)
	}
	for _, f := range r.Flows {
		if f.Samples != f.Sent || !near(f.Median, rtt) || !near(f.Max, rtt) || !near(f.OneWayForward, out) || !near(f.OneWayBackward, back) {
			t.Errorf("%+v", f)
		}
	}
	if l := v.intervals[0].Lateness; l.N != 2*r.Sent || l.Min < 0 || l.Max > 10_010 {
		t.Errorf("lateness %+v", l.Moments)
	}
}

// TestDelayVariation: forward every second packet of a flow takes longer, and
// backward every packet by chance.
func TestDelayVariation(t *testing.T) {
	t.Parallel()
	v := simulated(t)
	odd := map[netip.AddrPort]map[uint16]bool{}
	v.impair(forward, func(p simulation.Packet) bool {
		if odd[p.To] == nil {
			odd[p.To] = map[uint16]bool{}
		}
		odd[p.To][p.From.Port()] = !odd[p.To][p.From.Port()]
		return odd[p.To][p.From.Port()]
	}, simulation.Impairment{Delay: 50 * time.Microsecond})
	random := rand.New(rand.NewPCG(1, 2))
	v.impair(backward, share(1), simulation.Impairment{Jitter: func(*rand.Rand) time.Duration {
		return time.Duration(random.IntN(3)) * 100 * time.Microsecond
	}})
	v.runInto(0)
	v.runOut()
	r := v.results("p3")[0]
	d := r.Detail
	if d.IPDVForward.N != r.Sent-4 || !near(d.IPDVForward.Min, 50) || !near(d.IPDVForward.Max, 50) {
		t.Errorf("forward %+v; want 50 us each time", d.IPDVForward)
	}
	if d.IPDVBackward.N != r.Sent-4 || d.IPDVBackward.Min != 0 || !near(d.IPDVBackward.Max, 200) {
		t.Errorf("backward %+v", d.IPDVBackward)
	}
	// Three values with equal chances differ by 0, 100 and 200 us with 3, 4 and 2
	// of 9: the mean is 88.9, and its deviation over 156 differences under 8.
	if d.IPDVBackward.Mean < 45 || d.IPDVBackward.Mean > 133 {
		t.Errorf("backward %+v", d.IPDVBackward)
	}
}

func TestLateIsNotLost(t *testing.T) {
	t.Parallel()
	for _, late := range []bool{true, false} {
		v := simulated(t)
		extra := 1980 * time.Millisecond
		if late {
			extra = 2500 * time.Millisecond
		}
		v.runInto(every + time.Second)
		v.impair(forward, share(0.3), simulation.Impairment{Reordering: 1, Hold: extra})
		v.run(3 * time.Second)
		met := v.heal()[forward]
		v.runOut()
		sum := v.sum("p2").Counts.Plus(v.sum("p3").Counts)
		held := map[bool]int{true: sum.Late, false: sum.Received - sum.Sent + met}[late]
		if sum.Lost() > 0 || held != met || met == 0 {
			t.Errorf("held back by %v: %+v; that were %d", extra, sum, met)
		}
		if rtt := v.sum("p2").RTT; late && (rtt.Max > 2001 || rtt.N != v.sum("p2").Received) {
			t.Errorf("%d round-trip times of up to %g us", rtt.N, rtt.Max)
		}
	}
}

func TestReorderingIsNoLoss(t *testing.T) {
	t.Parallel()
	for _, direction := range []bool{forward, backward} {
		for _, loss := range []float64{0, 0.05} {
			v := simulated(t)
			v.runInto(every + time.Second)
			v.impair(direction, share(0.1), simulation.Impairment{Reordering: 1, Hold: 400 * time.Millisecond})
			lost := v.losing(direction, loss)
			v.run(6 * time.Second)
			v.heal()
			v.runOut()
			sum := v.sum("p2").Counts.Plus(v.sum("p3").Counts)
			if sum.Lost() != *lost || sum.Reordered == 0 || sum.Duplicates > 0 {
				t.Errorf("%+v; lost were %d", sum, *lost)
			}
			// Among packets that overtake each other the direction is a guess.
			right := map[bool]int{forward: sum.Forward, backward: sum.Backward}[direction]
			if 10*right < 7**lost {
				t.Errorf("forward %v: %d of %d in the right direction: %+v", direction, right, *lost, sum)
			}
		}
	}
}

// losing loses packets apart from those that heal counts.
func (v *virtual) losing(direction bool, of float64) (lost *int) {
	lost = new(int)
	chance := share(of)
	v.impair(direction, func(p simulation.Packet) bool {
		if chance(p) {
			*lost++
			return true
		}
		return false
	}, simulation.Impairment{Loss: 1})
	return lost
}

func TestSamplesWithoutTheirStampsAreLeftOut(t *testing.T) {
	t.Parallel()
	v := simulated(t)
	v.p1.StampLoss = 0.2
	v.runInto(0)
	v.runOut()
	r := v.results("p2")[0]
	expectFewerSamples(t, r, r.Detail.KernelT1)
}

// expectFewerSamples wants all received, and only those timed of which a kernel's
// time is known, of which a fifth is lost.
func expectFewerSamples(t *testing.T, r ippm.Result, known int) {
	t.Helper()
	expectNone(t, "stamps lost", r.Counts)
	// 160 stamps of which a fifth is lost: 24 standard deviations would be all.
	if r.RTT.N < 100 || r.RTT.N > 155 || r.RTT.Max > 2000.001 || known != r.RTT.N {
		t.Errorf("%d round-trip times of up to %g us", r.RTT.N, r.RTT.Max)
	}
}

func TestFollowUpsThatAreLost(t *testing.T) {
	t.Parallel()
	v := simulated(t)
	v.far["p2"].host.StampLoss = 0.2
	v.runInto(0)
	v.runOut()
	r := v.results("p2")[0]
	expectFewerSamples(t, r, r.Detail.KernelT3)
}

// TestWithoutKernelStamps all samples count, and nobody is told that they are
// the kernel's.
func TestWithoutKernelStamps(t *testing.T) {
	t.Parallel()
	v := simulatedWith(t, partOf(nil, "p2"))
	v.p1.Stamps, v.far["p2"].host.Stamps = timestamp.Stamps{}, timestamp.Stamps{}
	v.restart()
	v.apply(partOf([]inventory.Test{plan("flows")}, "p2"))
	v.runInto(0)
	v.runOut()
	r := v.results("p2")[0]
	d := r.Detail
	if r.RTT.N != r.Sent || d.KernelT1+d.KernelT2+d.KernelT3+d.KernelT4 > 0 || r.RTT.Max > 100e3 {
		t.Errorf("%+v, %+v", r.RTT.Moments, d)
	}
	if len(v.troubles) != 1 {
		t.Errorf("troubles %v", v.troubles)
	}
}

func TestLowTTL(t *testing.T) {
	t.Parallel()
	for _, direction := range []bool{forward, backward} {
		v := simulated(t)
		v.runInto(every + time.Second)
		v.impair(direction, v.of("p2"), simulation.Impairment{Hops: 1})
		v.run(3 * time.Second)
		met := v.heal()[direction]
		v.runOut()
		if got := v.sum("p2").Detail.LowTTL; got != met || met == 0 {
			t.Errorf("%d with a low TTL; that were %d", got, met)
		}
		if got := v.sum("p3").Detail.LowTTL; got != 0 {
			t.Errorf("%d of another", got)
		}
	}
}

// TestRepliesThatTakeLongerThanTheSpacing are taken in the next tick, as all are:
// without the kernel's stamps that is their time.
func TestRepliesThatTakeLongerThanTheSpacing(t *testing.T) {
	t.Parallel()
	v := simulatedWith(t, partOf(nil, "p2"))
	v.p1.Stamps = timestamp.Stamps{}
	v.apply(partOf([]inventory.Test{plan("flows")}, "p2"))
	v.impair(forward, share(1), simulation.Impairment{Delay: 360 * time.Millisecond})
	v.runInto(0)
	v.runOut()
	r := v.results("p2")[0]
	if expectNone(t, "long", r.Counts); r.RTT.N != r.Sent || r.RTT.Max > 362e3+float64((Tick+2*step)/time.Microsecond) {
		t.Errorf("%+v", r.RTT.Moments)
	}
}
