package ippm

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// MaxFlows is how many flows one result may have: more source ports than that
// no test has.
const MaxFlows = 4096

// Flow is what one flow of a result saw: one UDP 5-tuple, told from the pair's
// others by its source port, and so one hash result in every bundle on the way.
type Flow struct {
	// Port is the Session-Sender's.
	Port uint16
	Counts
	// LossyForward, LossyBackward and LossyUnplaced have bit n set where a packet
	// sent in second n of the interval was lost in that direction.
	LossyForward, LossyBackward, LossyUnplaced uint64
	// Samples is the number of round-trip times; where it is 0 the delays below
	// mean nothing.
	Samples int
	// Median and Max are the round-trip time's, in microseconds.
	Median, Max float64
	// OneWayForward and OneWayBackward are the medians of T2 - T1 and of T4 - T3
	// (RFC 8762) in microseconds, as the two clocks read: how far these are apart
	// is in them, so that they say how flows differ and not how long one takes.
	OneWayForward, OneWayBackward float64
}

// MaxFlowInterval is the longest interval of a test with flows: a second of it
// is a bit.
const MaxFlowInterval = 60 * time.Second

func checkFlows(flows []Flow) error {
	if len(flows) > MaxFlows {
		return fmt.Errorf("%d flows; at most %d", len(flows), MaxFlows)
	}
	for i, f := range flows {
		if i > 0 && f.Port <= flows[i-1].Port {
			return fmt.Errorf("flow %d follows flow %d: they are in order, each once", f.Port, flows[i-1].Port)
		}
		if err := f.check(); err != nil {
			return fmt.Errorf("flow %d: %w", f.Port, err)
		}
	}
	return nil
}

// checkSum holds a result's flows against its counts and its interval.
func (r Result) checkSum() error {
	if len(r.Flows) == 0 {
		return nil
	}
	if r.Length > MaxFlowInterval {
		return fmt.Errorf("length is %v; with flows it is at most %v", r.Length, MaxFlowInterval)
	}
	seconds := uint((r.Length + time.Second - 1) / time.Second)
	for _, f := range r.Flows {
		if (f.LossyForward|f.LossyBackward|f.LossyUnplaced)>>seconds != 0 {
			return fmt.Errorf("flow %d lost packets in seconds that an interval of %v does not have", f.Port, r.Length)
		}
	}
	if sum := sumOf(r.Flows); sum != r.Counts {
		return fmt.Errorf("the flows' counts make %+v, not the result's %+v", sum, r.Counts)
	}
	return nil
}

func sumOf(flows []Flow) (sum Counts) {
	for _, f := range flows {
		sum = sum.Plus(f.Counts)
	}
	return sum
}

func (f Flow) check() error {
	if f.Counts == (Counts{}) {
		return errors.New("it counts nothing")
	}
	if f.Samples < 0 || f.Samples > f.Received {
		return fmt.Errorf("%d round-trip times for %d received packets", f.Samples, f.Received)
	}
	if f.Samples > 0 {
		for _, us := range []float64{f.Median, f.Max, f.OneWayForward, f.OneWayBackward} {
			if math.IsNaN(us) || math.IsInf(us, 0) {
				return errors.New("a delay is not finite")
			}
		}
		if f.Median < 0 || f.Max < f.Median {
			return fmt.Errorf("median %g and maximum %g are no round-trip times", f.Median, f.Max)
		}
	}
	return f.Counts.check()
}

// Heard is what a Session-Reflector received in one interval of one test from
// one source: ID.Source sent it, ID.Target is who tells. A packet belongs to the
// interval of the timestamp that it carries.
type Heard struct {
	ID
	Length time.Duration
	Flows  []HeardFlow
}

// HeardFlow counts the packets of one flow, the further copies of one left out.
type HeardFlow struct {
	// Port is the Session-Sender's. No packet has port 0 (RFC 768): with it, Heard
	// bounds what came to the host and not to its reflector, of which nobody knows
	// of which flow it was.
	Port uint16
	// Heard came in; Answered were reflected too.
	Heard, Answered int
}

// Unheard stands for any number of packets that did not come to the reflector:
// nothing listened for a while.
const Unheard = maxCount

// Missed makes the HeardFlow of packets that came to the host and not to its
// reflector, n at most: what its socket dropped, or came while nothing listened.
func Missed(n int) HeardFlow { return HeardFlow{Heard: min(max(n, 0), Unheard)} }

// Check tells what is wrong with what was heard, whoever made it.
func (h Heard) Check() error {
	if err := h.ID.check(); err != nil {
		return err
	}
	if err := checkLength(h.Length); err != nil {
		return err
	}
	return checkHeardFlows(h.Flows)
}

func checkHeardFlows(flows []HeardFlow) error {
	if len(flows) > MaxFlows {
		return fmt.Errorf("%d flows; at most %d", len(flows), MaxFlows)
	}
	for i, f := range flows {
		switch {
		case i > 0 && f.Port <= flows[i-1].Port:
			return fmt.Errorf("flow %d follows flow %d: they are in order, each once", f.Port, flows[i-1].Port)
		case f.Heard < 0 || f.Heard > maxCount || f.Answered < 0 || f.Answered > f.Heard:
			return fmt.Errorf("flow %d: answered %d of %d heard", f.Port, f.Answered, f.Heard)
		}
	}
	return nil
}
