package ippm

import (
	"errors"
	"fmt"
	"time"
)

// MaxInterval is the longest interval that one result may cover.
const MaxInterval = 24 * time.Hour

// maxCount is more than any interval holds, and so little that sums of counts
// never wrap around.
const maxCount = 1 << 48

// Series names what results over time belong together: one test of one ordered
// pair in one address family (4 or 6) with one DSCP (0 to 63).
type Series struct {
	Source, Target, Test string
	Family, DSCP         uint8
}

// ID names one result. Start is the beginning of its interval, in UTC.
type ID struct {
	Series
	Start time.Time
}

func (id ID) check() error {
	for _, n := range []struct{ what, name string }{{"source", id.Source}, {"target", id.Target}, {"test", id.Test}} {
		if err := CheckName(n.name); err != nil {
			return fmt.Errorf("%s %q %w", n.what, n.name, err)
		}
	}
	switch {
	case id.Source == id.Target:
		return errors.New("source and target are the same")
	case id.Family != 4 && id.Family != 6:
		return fmt.Errorf("family is %d; it is 4 or 6", id.Family)
	case id.DSCP > 63:
		return fmt.Errorf("dscp is %d; it is 0 to 63", id.DSCP)
	case id.Start.Year() < 2000 || id.Start.Year() > 2200:
		return fmt.Errorf("start is %s; that is no time of a measurement", id.Start.Format(time.RFC3339))
	}
	return nil
}

func checkLength(length time.Duration) error {
	if length <= 0 || length > MaxInterval {
		return fmt.Errorf("length is %v; it is more than 0 and at most %v", length, MaxInterval)
	}
	return nil
}

// Counts says what became of the packets of an interval. A packet belongs to
// the interval in which it was sent.
type Counts struct {
	// Sent is what left the host: Received + Late + Lost().
	Sent int
	// Received came back before the loss threshold (RFC 6673).
	Received int
	// Late came back after the loss threshold; it is not lost and has no RTT.
	Late int
	// Forward, Backward and Unplaced are the lost ones by direction: source to
	// target, target to source, not known or not known yet.
	Forward, Backward, Unplaced int
	// Duplicates are further copies of replies (RFC 5560); they change no other count.
	Duplicates int
	// Reordered replies overtook an earlier one's (RFC 4737).
	Reordered int
	// Refused packets were never sent: the own kernel did not take them.
	Refused int
	// Unserved packets reached a host on which nothing reflected them just then
	// (it said so, its reflector restarted or kept to its rate): that is no loss
	// of the network, and they are not in Sent.
	Unserved int
}

// Lost is the number of packets of which nothing came back.
func (c Counts) Lost() int { return c.Forward + c.Backward + c.Unplaced }

// LossRatio is Lost / Sent; false where nothing was sent.
func (c Counts) LossRatio() (ratio float64, ok bool) {
	if c.Sent == 0 {
		return 0, false
	}
	return float64(c.Lost()) / float64(c.Sent), true
}

// Plus sums two counts.
func (c Counts) Plus(o Counts) Counts {
	return Counts{
		Sent:       c.Sent + o.Sent,
		Received:   c.Received + o.Received,
		Late:       c.Late + o.Late,
		Forward:    c.Forward + o.Forward,
		Backward:   c.Backward + o.Backward,
		Unplaced:   c.Unplaced + o.Unplaced,
		Duplicates: c.Duplicates + o.Duplicates,
		Reordered:  c.Reordered + o.Reordered,
		Refused:    c.Refused + o.Refused,
		Unserved:   c.Unserved + o.Unserved,
	}
}

func (c Counts) check() error {
	for _, n := range []struct {
		name  string
		value int
	}{
		{"sent", c.Sent}, {"received", c.Received}, {"late", c.Late},
		{"lost_forward", c.Forward}, {"lost_backward", c.Backward}, {"lost_unplaced", c.Unplaced},
		{"duplicates", c.Duplicates}, {"reordered", c.Reordered}, {"refused", c.Refused},
		{"unserved", c.Unserved},
	} {
		if n.value < 0 {
			return fmt.Errorf("%s is %d; it cannot be negative", n.name, n.value)
		}
		if n.value > maxCount {
			return fmt.Errorf("%s is %d; it is at most %d", n.name, n.value, maxCount)
		}
	}
	if c.Sent != c.Received+c.Late+c.Lost() {
		return fmt.Errorf("sent is %d, but received %d, late %d and lost %d make %d",
			c.Sent, c.Received, c.Late, c.Lost(), c.Received+c.Late+c.Lost())
	}
	return nil
}

// Result is what one pair's test saw in one interval, for one family and one DSCP.
type Result struct {
	ID
	Counts
	// Kind is the test's kind, such as "icmp".
	Kind string
	// Length is the interval's.
	Length time.Duration
	// RTT are the round-trip times of the received packets. A sample that no
	// clock can have measured (a negative one) is left out, so RTT.N may be
	// less than Received.
	RTT Delay
	// First is the RTT of the first packet after a silence, which pays for address
	// resolution and is in no RTT. A ping of that kind is in no count either. Nil
	// where it was not measured or lost.
	First *time.Duration
	// Detail is nil where the kind of test does not see it.
	Detail *Detail
	// Flows are in order of their ports, and nil where the test has none or where
	// they were not asked for.
	Flows []Flow
}

// End is the end of the interval.
func (r Result) End() time.Time { return r.Start.Add(r.Length) }

// Check tells what is wrong with a result, whoever made it.
func (r Result) Check() error {
	if err := r.ID.check(); err != nil {
		return err
	}
	if err := CheckName(r.Kind); err != nil {
		return fmt.Errorf("kind %q %w", r.Kind, err)
	}
	if err := checkLength(r.Length); err != nil {
		return err
	}
	switch {
	case r.RTT.N > r.Received:
		return fmt.Errorf("%d round-trip times for %d received packets", r.RTT.N, r.Received)
	case r.RTT.N > 0 && r.RTT.Min < 0:
		return fmt.Errorf("rtt_min_us is %g; it cannot be negative", r.RTT.Min)
	case r.First != nil && *r.First < 0:
		return fmt.Errorf("first_rtt_us is %v; it cannot be negative", *r.First)
	}
	return errors.Join(r.Counts.check(), r.RTT.check("rtt"), r.Detail.check(), checkFlows(r.Flows), r.checkSum())
}

// Merge makes one result of results of one series whose intervals follow each
// other: the earliest start, a length up to the latest end, counts summed,
// delays merged, the first RTT of the earliest that has one. Results of
// different series are an error, and so is none.
func Merge(results ...Result) (Result, error) {
	if len(results) == 0 {
		return Result{}, errors.New("merge: no result")
	}
	sum := results[0]
	end := sum.End()
	firstStart := sum.Start
	for _, r := range results[1:] {
		if r.Series != sum.Series || r.Kind != sum.Kind {
			return Result{}, fmt.Errorf("merge: %+v and %+v are different series", sum.Series, r.Series)
		}
		if r.First != nil && (sum.First == nil || r.Start.Before(firstStart)) {
			sum.First, firstStart = r.First, r.Start
		}
		if r.Start.Before(sum.Start) {
			sum.Start = r.Start
		}
		if r.End().After(end) {
			end = r.End()
		}
		sum.Counts = sum.Counts.Plus(r.Counts)
		sum.RTT = sum.RTT.Merged(r.RTT)
		sum.Detail = sum.Detail.merged(r.Detail)
	}
	if len(results) > 1 {
		sum.Flows = nil // their seconds are those of one interval
	}
	sum.Length = end.Sub(sum.Start)
	return sum, nil
}
