package sender

import (
	"math"
	"slices"
	"time"

	"ixpqos/internal/ippm"
)

// books are where the sessions of one pair are settled, one after the other.
// They are used again for the next pair.
type books struct {
	result   ippm.Result
	detail   ippm.Detail
	lateness *ippm.Delay
	// uncounted are the flows whose losses the reflector's numbers do not place,
	// and untimed the answered packets whose times cannot be.
	uncounted, untimed int

	points                  []point
	gaps                    []gap
	rtts, forward, backward []float64
}

// open begins the result of a pair.
func (b *books) open(id ippm.ID, kind string, length time.Duration, flows int) {
	b.result = ippm.Result{ID: id, Kind: kind, Length: length, Flows: make([]ippm.Flow, 0, flows)}
	b.detail = ippm.Detail{}
	b.uncounted, b.untimed = 0, 0
}

// close gives the result. One-way delays stay in it only where they say more
// than the round-trip time, half of which bounds how wrong a guess of either is.
func (b *books) close() ippm.Result {
	d := b.detail
	if 2*max(d.OneWayForward.Error, d.OneWayBackward.Error) > b.result.RTT.Mean {
		d.OneWayForward, d.OneWayBackward = ippm.OneWay{}, ippm.OneWay{}
	}
	b.result.Detail = &d
	return b.result
}

// settle closes an interval of a session and adds it to the pair's result.
func (b *books) settle(s *session, port uint16, interval uint32, unserved *spans) {
	f := ippm.Flow{Port: port}
	f.Refused, _ = s.refused.in(interval)
	from, to := s.unsettled, s.unsettled
	for to != s.next && s.records.at(to).interval <= interval {
		to++
	}
	for seq := from; seq != to; seq++ {
		b.count(&f, s.records.at(seq))
	}
	if f.Sent > f.Received+f.Late {
		b.place(&f, s, from, to, unserved)
	}
	// They would have waited in this host, and been lost there.
	withheld, seconds := s.withheld.in(interval)
	f.Sent, f.Unplaced, f.LossyUnplaced = f.Sent+withheld, f.Unplaced+withheld, f.LossyUnplaced|seconds
	b.time(&f, s, from, to)
	s.unsettled = to
	s.raiseAnchor(from, to)
	if f.Sent+f.Refused+f.Unserved > 0 {
		b.result.Counts = b.result.Counts.Plus(f.Counts)
		b.result.Flows = append(b.result.Flows, f)
	}
}

// discard closes an interval that is not given.
func (s *session) discard(interval uint32) {
	from := s.unsettled
	for s.unsettled != s.next && s.records.at(s.unsettled).interval <= interval {
		s.unsettled++
	}
	s.raiseAnchor(from, s.unsettled)
}

// raiseAnchor moves the anchor over settled packets.
func (s *session) raiseAnchor(from, to uint32) {
	for seq := from; seq != to; seq++ {
		rec := s.records.at(seq)
		if !rec.has(answered) {
			continue
		}
		p := rec.point()
		if p.life == s.anchor.life {
			p.high = max(p.high, s.anchor.high)
		}
		p.low = p.high
		s.anchor = p
	}
}

func (r *record) point() point {
	return point{seq: int64(r.seq), low: int64(r.low), high: int64(r.high), life: r.life}
}

func (b *books) count(f *ippm.Flow, rec *record) {
	f.Sent++
	f.Duplicates += int(rec.duplicates)
	switch {
	case rec.has(late):
		f.Late++
	case rec.has(answered):
		f.Received++
	}
	add := func(n *int, has flags) {
		if rec.has(has) {
			*n++
		}
	}
	add(&f.Reordered, reordered)
	add(&b.detail.RemarkedForward, remarkedForward)
	add(&b.detail.RemarkedBackward, remarkedBackward)
	add(&b.detail.LowTTL, lowTTL)
	if rec.has(kernelT1) {
		_ = b.lateness.Add(microseconds(rec.t1 - rec.due)) // an integer is finite
	}
}

// place finds out in which direction packets were lost, as far as the
// reflector's numbers say: nothing does of those after the newest answer.
func (b *books) place(f *ippm.Flow, s *session, from, to uint32, unserved *spans) {
	b.points = b.points[:0]
	// One that knows no SSID may have counted on from another session.
	if s.known || s.anchor != beginning {
		b.points = append(b.points, s.anchor)
	}
	duplicates := int64(0)
	for seq := from; seq != s.next; seq++ {
		if rec := s.records.at(seq); rec.has(answered) {
			b.points = append(b.points, rec.point())
			duplicates += int64(rec.duplicates)
		}
	}
	b.gaps = b.gaps[:0]
	switch {
	case !s.stateful:
	case s.counts(b.points, duplicates):
		b.gaps = gaps(b.gaps, b.points)
	default:
		b.uncounted++
	}
	open := b.gaps
	for seq := from; seq != to; seq++ {
		rec := s.records.at(seq)
		if rec.has(answered) {
			continue
		}
		for len(open) > 0 && open[0].before <= int64(seq) {
			open = open[1:]
		}
		b.lose(f, rec, open, unserved)
	}
}

// lose counts one packet as lost, where the first of the gaps says.
func (b *books) lose(f *ippm.Flow, rec *record, open []gap, unserved *spans) {
	second := uint64(1) << uint((rec.sent-b.result.Start.UnixNano())/int64(time.Second))
	seq := int64(rec.seq)
	switch {
	case unserved.hold(rec.sentSince):
		f.Sent--
		f.Unserved++
	case len(open) == 0 || seq <= open[0].after:
		f.Unplaced++
		f.LossyUnplaced |= second
	case seq-open[0].after <= open[0].forward:
		f.Forward++
		f.LossyForward |= second
	case open[0].before-seq <= open[0].backward:
		f.Backward++
		f.LossyBackward |= second
	default:
		f.Sent--
		f.Unserved++
	}
}

// time adds the delays of a flow. Where the kernel of both ends gives the times
// of sending, packets for which one of them was lost are left out: how long a
// packet waited in a host is no delay of the network.
func (b *books) time(f *ippm.Flow, s *session, from, to uint32) {
	b.rtts, b.forward, b.backward = b.rtts[:0], b.forward[:0], b.backward[:0]
	wanted := flags(0)
	for seq := from; seq != to; seq++ {
		if rec := s.records.at(seq); rec.timed() && rec.has(kernelT1|laterT3) {
			wanted = kernelT1 | laterT3
			break
		}
	}
	var before *record
	for seq := from; seq != to; seq++ {
		rec := s.records.at(seq)
		if rec.comes() && !rec.timed() {
			b.untimed++
		}
		if !rec.timed() || !rec.has(wanted) {
			before = nil
			continue
		}
		if rec.has(first) {
			rtt := time.Duration(rec.rtt())
			b.result.First, before = &rtt, nil
			continue
		}
		b.sample(rec)
		b.vary(before, rec)
		before = rec
	}
	if f.Samples = len(b.rtts); f.Samples > 0 {
		f.Max = slices.Max(b.rtts)
		f.Median, f.OneWayForward, f.OneWayBackward = median(b.rtts), median(b.forward), median(b.backward)
	}
}

// vary takes how the delays of two packets that follow each other differ, where
// there is one before. A one-way delay is 0 at least and the round-trip time at
// most: where they differ by more, the far clock was stepped meanwhile.
func (b *books) vary(before, rec *record) {
	if before == nil {
		return
	}
	forward := rec.forward() - before.forward()
	if forward > rec.rtt() || -forward > before.rtt() {
		return
	}
	_ = b.detail.IPDVForward.Add(math.Abs(microseconds(forward)))
	_ = b.detail.IPDVBackward.Add(math.Abs(microseconds(rec.backward() - before.backward())))
}

// sample takes one packet's delays. (Those of integers are finite, which is all
// that Add asks for.)
func (b *books) sample(rec *record) {
	rtt, forward, backward := microseconds(rec.rtt()), microseconds(rec.forward()), microseconds(rec.backward())
	_ = b.result.RTT.Add(rtt)
	b.rtts, b.forward, b.backward = append(b.rtts, rtt), append(b.forward, forward), append(b.backward, backward)
	d := &b.detail
	if rec.bound > 0 {
		_ = d.OneWayForward.Add(forward)
		_ = d.OneWayBackward.Add(backward)
		d.OneWayForward.Error = max(d.OneWayForward.Error, microseconds(rec.bound))
		d.OneWayBackward.Error = d.OneWayForward.Error
	}
	for _, stamp := range []struct {
		of flags
		n  *int
	}{{kernelT1, &d.KernelT1}, {kernelT2, &d.KernelT2}, {kernelT3, &d.KernelT3}, {kernelT4, &d.KernelT4}} {
		if rec.has(stamp.of) {
			*stamp.n++
		}
	}
}

// median is the nearest rank, as everywhere. It sorts the samples.
func median(samples []float64) float64 {
	slices.Sort(samples)
	return samples[(len(samples)-1)/2]
}

func microseconds(nanoseconds int64) float64 { return float64(nanoseconds) / 1e3 }
