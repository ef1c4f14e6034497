package wire

import "ixpqos/internal/ippm"

// Seen is what readers are told of tests whose packets carry the timestamps and
// sequence numbers of both ends. Results of other tests have none of it.
type Seen struct {
	IPDVForwardCount     int      `json:"ipdv_forward_count" required:"false" doc:"packets whose delay was compared with that of the one before (RFC 3393)"`
	IPDVForwardMeanUS    *float64 `json:"ipdv_forward_mean_us" required:"false" doc:"microseconds; null where nothing was compared" nullable:"true"`
	IPDVForwardMaxUS     *float64 `json:"ipdv_forward_max_us" required:"false" doc:"microseconds; null where nothing was compared" nullable:"true"`
	IPDVForwardStdDevUS  *float64 `json:"ipdv_forward_stddev_us" required:"false" doc:"microseconds; null where nothing was compared" nullable:"true"`
	IPDVBackwardCount    int      `json:"ipdv_backward_count" required:"false" doc:"packets whose delay was compared with that of the one before (RFC 3393)"`
	IPDVBackwardMeanUS   *float64 `json:"ipdv_backward_mean_us" required:"false" doc:"microseconds; null where nothing was compared" nullable:"true"`
	IPDVBackwardMaxUS    *float64 `json:"ipdv_backward_max_us" required:"false" doc:"microseconds; null where nothing was compared" nullable:"true"`
	IPDVBackwardStdDevUS *float64 `json:"ipdv_backward_stddev_us" required:"false" doc:"microseconds; null where nothing was compared" nullable:"true"`

	OneWayForwardMinUS   *float64 `json:"one_way_forward_min_us" required:"false" doc:"microseconds; null where the clocks were not synchronised" nullable:"true"`
	OneWayForwardMeanUS  *float64 `json:"one_way_forward_mean_us" required:"false" doc:"microseconds; null where the clocks were not synchronised" nullable:"true"`
	OneWayForwardMaxUS   *float64 `json:"one_way_forward_max_us" required:"false" doc:"microseconds; null where the clocks were not synchronised" nullable:"true"`
	OneWayBackwardMinUS  *float64 `json:"one_way_backward_min_us" required:"false" doc:"microseconds; null where the clocks were not synchronised" nullable:"true"`
	OneWayBackwardMeanUS *float64 `json:"one_way_backward_mean_us" required:"false" doc:"microseconds; null where the clocks were not synchronised" nullable:"true"`
	OneWayBackwardMaxUS  *float64 `json:"one_way_backward_max_us" required:"false" doc:"microseconds; null where the clocks were not synchronised" nullable:"true"`
	OneWayErrorUS        *float64 `json:"one_way_error_us" required:"false" doc:"how far a one-way delay may be off, by both ends' Error Estimates (RFC 8762)" nullable:"true"`

	RemarkedForward  int `json:"remarked_forward" required:"false" doc:"packets that arrived at the target with another DSCP"`
	RemarkedBackward int `json:"remarked_backward" required:"false" doc:"packets that arrived at the source with another DSCP"`
	LowTTL           int `json:"low_ttl" required:"false" doc:"packets that arrived with a TTL or hop limit below 255: they left the layer 2"`
	KernelT1         int `json:"kernel_t1" required:"false" doc:"round-trip times whose T1 (RFC 8762) was taken by the kernel"`
	KernelT2         int `json:"kernel_t2" required:"false" doc:"the same for T2"`
	KernelT3         int `json:"kernel_t3" required:"false" doc:"the same for T3"`
	KernelT4         int `json:"kernel_t4" required:"false" doc:"the same for T4"`
}

func seen(d *ippm.Detail) *Seen {
	if d == nil {
		return nil
	}
	s := &Seen{IPDVForwardCount: d.IPDVForward.N, IPDVBackwardCount: d.IPDVBackward.N,
		RemarkedForward: d.RemarkedForward, RemarkedBackward: d.RemarkedBackward, LowTTL: d.LowTTL,
		KernelT1: d.KernelT1, KernelT2: d.KernelT2, KernelT3: d.KernelT3, KernelT4: d.KernelT4}
	s.IPDVForwardMeanUS, s.IPDVForwardMaxUS, s.IPDVForwardStdDevUS = ipdv(d.IPDVForward)
	s.IPDVBackwardMeanUS, s.IPDVBackwardMaxUS, s.IPDVBackwardStdDevUS = ipdv(d.IPDVBackward)
	s.OneWayForwardMinUS, s.OneWayForwardMeanUS, s.OneWayForwardMaxUS = oneWay(d.OneWayForward)
	s.OneWayBackwardMinUS, s.OneWayBackwardMeanUS, s.OneWayBackwardMaxUS = oneWay(d.OneWayBackward)
	s.OneWayErrorUS = oneWayError(d)
	return s
}

func ipdv(m ippm.Moments) (mean, most, stddev *float64) {
	return orNull(m.Mean, m.N > 0), orNull(m.Max, m.N > 0), orNull(m.StdDev(), m.N > 0)
}

func oneWay(o ippm.OneWay) (least, mean, most *float64) {
	return orNull(o.Min, o.N > 0), orNull(o.Mean, o.N > 0), orNull(o.Max, o.N > 0)
}

// oneWayError is the larger one: both directions rest on the same two clocks.
func oneWayError(d *ippm.Detail) *float64 {
	bound, ok := 0.0, false
	for _, o := range []ippm.OneWay{d.OneWayForward, d.OneWayBackward} {
		if o.N > 0 {
			bound, ok = max(bound, o.Error), true
		}
	}
	return orNull(bound, ok)
}
