// Package store is where results are kept: two small interfaces, Writer for who
// collects and Reader for who shows and judges. Stored results go in and come
// out; merging them happens above, in ippm.
//
// What every store promises, and package storetest checks:
//
//   - A result is named by its ID. Writing it again changes nothing but the
//     time at which it was stored.
//   - When Put returns without an error, all of the batch but what it rejects by
//     name survives a crash. When it returns an error, nothing is acknowledged,
//     whether or not some of it was written: the caller may write it all again.
//   - What was not measured stays absent: a result without round-trip times,
//     without Detail or without Flows comes out without them.
//   - All methods may be called from any goroutine, and with any moment as a
//     bound, the zero one too.
//   - Series are ordered by source, target and test (byte by byte), family and DSCP.
package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"ixpqos/internal/ippm"
)

// ErrUnavailable says that the store cannot take or give anything now (locked,
// full, away) and that the same call may succeed later.
var ErrUnavailable = errors.New("the store is not available")

// Passing is an ErrUnavailable that may be over in a moment. Who else would lose
// what it has may try again then.
type Passing struct {
	// After is how long the store asks to wait, 0 where it does not say.
	After time.Duration
}

func (Passing) Error() string { return ErrUnavailable.Error() }

// Is makes it an ErrUnavailable.
func (Passing) Is(target error) bool { return target == ErrUnavailable }

// Writer takes what probes report.
type Writer interface {
	// Put stores a batch: its results with their flows, what was heard and, without
	// them, the batch itself as the report of its probe. Results and what was heard
	// were checked (ippm.Result.Check, ippm.Heard.Check). Rejected names the results
	// that the store refused for good; the others are stored.
	Put(ctx context.Context, batch ippm.Batch) ([]Rejected, error)
	// PutPings stores results in the first version's form, which were checked
	// (Ping.Check). It names those that the store refused for good; the others
	// are stored, or it returns an error, after which the caller may write them
	// again. One of the same source, target, family and time is written anew.
	PutPings(ctx context.Context, pings []Ping) ([]RefusedPing, error)
}

// Rejected is a result that was refused, and why.
type Rejected struct {
	ID     ippm.ID
	Reason string
}

// RefusedPing is a ping that was refused, and why.
type RefusedPing struct {
	Source, Target string
	Family         uint8
	Reason         string
}

// String is the refused ping for a person.
func (r RefusedPing) String() string {
	return fmt.Sprintf("%.63q to %.63q over IPv%d: %s", r.Source, r.Target, r.Family, r.Reason)
}

// Reader gives what was stored.
type Reader interface {
	// Latest is the newest result of every series that the filter lets pass,
	// of those whose intervals began in [since, at], ordered by series. They come
	// without Detail and Flows, which would cost most of the time and which no
	// matrix shows. Of series that do not pass nothing is unpacked.
	Latest(ctx context.Context, filter Filter, since, at time.Time) ([]Stored, error)
	// Range yields the results of one ordered pair whose intervals began in
	// [from, until), by series and then by time, until yield returns an error,
	// which Range returns. They come without Flows. Yield may take its time, and
	// call the store.
	Range(ctx context.Context, source, target string, filter Filter, from, until time.Time, yield func(Stored) error) error
	// Flows is Range for results with their flows, and what the target's reflector
	// heard of each (nil where it has said nothing). Flows are kept for less time
	// than results: a result whose flows are gone, or that has none, is left out.
	Flows(ctx context.Context, source, target string, filter Filter, from, until time.Time, yield func(Stored, *ippm.Heard) error) error
	// BothEnds yields of each of these results that has flows, and of which the
	// target's reflector has said what it heard, both, in any order, until yield
	// returns an error, which it returns. They must still be checked to be those of
	// the result (ippm.Join).
	BothEnds(ctx context.Context, results []ippm.ID, yield func([]ippm.Flow, ippm.Heard) error) error
	// Reports is the newest batch of every probe, without results and what was
	// heard, of those whose intervals began at or before the given moment, ordered by probe.
	Reports(ctx context.Context, at time.Time) ([]Report, error)
	// LastPings are the newest pings of a source, one for each target and
	// family, ordered by target and family.
	LastPings(ctx context.Context, source string) ([]Ping, error)
	// Ready is nil when the store can be read now, and written where it was opened
	// for that.
	Ready(ctx context.Context) error
}

// Filter chooses series; its zero value lets all pass.
type Filter struct {
	// Test is the name of a test, Family 4 or 6; any where zero.
	Test   string
	Family uint8
	// DSCP is any where nil.
	DSCP *uint8
	// Only are all that may pass; any where nil.
	Only map[ippm.Series]bool
}

// Passes tells whether the filter lets a series pass.
func (f Filter) Passes(s ippm.Series) bool {
	return (f.Test == "" || f.Test == s.Test) && (f.Family == 0 || f.Family == s.Family) && (f.DSCP == nil || *f.DSCP == s.DSCP) &&
		(f.Only == nil || f.Only[s])
}

// Stored is a result and when it was (last) stored.
type Stored struct {
	ippm.Result
	StoredAt time.Time
}

// Seen is a result and what was heard of it; nil where nothing is known of that.
type Seen struct {
	Stored
	Heard *ippm.Heard
}

// YieldAll yields results one by one, until yield returns an error, which it
// returns.
func YieldAll(results []Seen, yield func(Stored, *ippm.Heard) error) error {
	for _, r := range results {
		if err := yield(r.Stored, r.Heard); err != nil {
			return err
		}
	}
	return nil
}

// Report is a batch without its results and what was heard, and when it was (last) stored.
type Report struct {
	ippm.Batch
	StoredAt time.Time
}

// Ping is a result as the first version knew it: no counts, no interval, only
// the moment at which it was received, or for which it was measured.
type Ping struct {
	Source, Target string
	// Family is the first version's proto: 4 or 6.
	Family uint8
	// At is kept to the microsecond, and comes out in UTC.
	At time.Time
	// Loss is the ratio, 0 to 1.
	Loss float64
	// RTT is nil where every ping was lost.
	RTT *PingRTT
}

// PingRTT are round-trip times in milliseconds. Jitter is the first version's
// word for their standard deviation.
type PingRTT struct{ Min, Max, Avg, Jitter float64 }

// Check tells what is wrong with a ping, whoever sent it.
func (p Ping) Check() error {
	for _, n := range []struct{ what, name string }{{"source", p.Source}, {"target", p.Target}} {
		if err := ippm.CheckName(n.name); err != nil {
			return fmt.Errorf("%s %q %w", n.what, n.name, err)
		}
	}
	switch {
	case p.Family != 4 && p.Family != 6:
		return fmt.Errorf("proto is %d; it is 4 or 6", p.Family)
	case p.At.Year() < 2000 || p.At.Year() > 2200:
		return fmt.Errorf("%s is no time of a measurement", p.At.Format(time.RFC3339))
	case !(p.Loss >= 0 && p.Loss <= 1):
		return fmt.Errorf("ping_loss is %g; it is 0 to 1", p.Loss)
	case p.RTT == nil:
		return nil
	case p.Loss == 1:
		return errors.New("ping_loss is 1, but there are round-trip times")
	}
	for _, v := range []float64{p.RTT.Min, p.RTT.Max, p.RTT.Avg, p.RTT.Jitter} {
		if !(v >= 0 && v <= math.MaxFloat64) {
			return fmt.Errorf("%g is no round-trip time", v)
		}
	}
	return nil
}
