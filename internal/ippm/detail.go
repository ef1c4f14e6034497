package ippm

import (
	"errors"
	"fmt"
	"math"
)

// Detail is what a test sees besides whose packets carry the timestamps and
// sequence numbers of both ends (kind stamp).
type Detail struct {
	// IPDVForward and IPDVBackward summarise how much the one-way delay of a
	// packet differs from that of the one before in its flow, as a magnitude (RFC
	// 3393 with consecutive packets; how far the clocks are apart cancels out).
	IPDVForward, IPDVBackward Moments
	// OneWayForward and OneWayBackward are absent (N = 0) where the clocks were
	// not synchronised well enough to mean something.
	OneWayForward, OneWayBackward OneWay
	// RemarkedForward and RemarkedBackward are the packets that arrived with
	// another DSCP than they were sent with.
	RemarkedForward, RemarkedBackward int
	// LowTTL are the packets that arrived, at either end, with a TTL or hop limit
	// below the 255 that they were sent with: they left the layer 2.
	LowTTL int
	// KernelT1 to KernelT4 say for how many of the round-trip times that timestamp
	// (RFC 8762) was taken by the kernel and not in user space.
	KernelT1, KernelT2, KernelT3, KernelT4 int
}

// OneWay are one-way delays.
type OneWay struct {
	Moments
	// Error bounds how far each may be off, in microseconds: the largest sum of
	// both ends' Error Estimates (RFC 8762, section 4.2.1).
	Error float64
}

func (o OneWay) merged(p OneWay) OneWay {
	return OneWay{Moments: o.Moments.Merged(p.Moments), Error: max(o.Error, p.Error)}
}

func (o OneWay) check(what string) error {
	if err := o.Moments.check(what); err != nil || o.N == 0 {
		return err
	}
	if math.IsNaN(o.Error) || math.IsInf(o.Error, 0) || o.Error < 0 {
		return fmt.Errorf("%s has an error of %g", what, o.Error)
	}
	return nil
}

// merged is the detail of both; nil where neither has one.
func (d *Detail) merged(o *Detail) *Detail {
	if d == nil {
		d, o = o, d
	}
	if d == nil {
		return nil
	}
	sum := *d
	if o == nil {
		return &sum
	}
	sum.IPDVForward, sum.IPDVBackward = d.IPDVForward.Merged(o.IPDVForward), d.IPDVBackward.Merged(o.IPDVBackward)
	sum.OneWayForward, sum.OneWayBackward = d.OneWayForward.merged(o.OneWayForward), d.OneWayBackward.merged(o.OneWayBackward)
	for i, n := range sum.counts() {
		*n += *o.counts()[i]
	}
	return &sum
}

func (d *Detail) counts() [7]*int {
	return [...]*int{&d.RemarkedForward, &d.RemarkedBackward, &d.LowTTL, &d.KernelT1, &d.KernelT2, &d.KernelT3, &d.KernelT4}
}

func (d *Detail) check() error {
	if d == nil {
		return nil
	}
	for _, n := range d.counts() {
		if *n < 0 || *n > maxCount {
			return errors.New("a count of remarked packets, low TTLs or kernel timestamps is out of range")
		}
	}
	return errors.Join(d.IPDVForward.check("ipdv_forward"), d.IPDVBackward.check("ipdv_backward"),
		d.OneWayForward.check("one_way_forward"), d.OneWayBackward.check("one_way_backward"))
}
