// Package wire is the JSON of the API, and the only place that knows it: what a
// probe posts and is answered, its configuration, and what viewers get. It turns
// bodies into the project's own types and back. What begins with First is the
// first version's interface, in its own words.
//
// What it promises: units stand in names (but in the first version's), times are
// RFC 3339 in UTC, unknown fields are ignored and what was not measured is null.
// The results of a batch are decoded one by one, so that a bad one never costs
// the others.
package wire

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"time"

	"ixpqos/internal/ippm"
)

// Result is one result as it is posted and as it is shown. The fields that can
// be derived from others (lost, loss_ratio, the percentiles) are written for
// readers and ignored when they are posted.
type Result struct {
	Source   string    `json:"source" doc:"who measured" minLength:"1" maxLength:"63"`
	Target   string    `json:"target" doc:"who answered" minLength:"1" maxLength:"63"`
	Test     string    `json:"test" doc:"name of the test" minLength:"1" maxLength:"63"`
	Kind     string    `json:"kind" doc:"kind of the test, such as icmp"`
	Family   uint8     `json:"family" doc:"address family" enum:"4,6"`
	DSCP     uint8     `json:"dscp" doc:"DSCP that was sent" maximum:"63"`
	Start    time.Time `json:"start" doc:"beginning of the interval"`
	LengthS  float64   `json:"length_s" doc:"length of the interval in seconds"`
	Sent     int       `json:"sent" doc:"packets sent: received + late + lost" minimum:"0"`
	Received int       `json:"received" doc:"replies within the loss threshold" minimum:"0"`
	Late     int       `json:"late,omitempty" doc:"replies after the loss threshold" minimum:"0"`
	Forward  int       `json:"lost_forward,omitempty" doc:"packets lost from source to target" minimum:"0"`
	Backward int       `json:"lost_backward,omitempty" doc:"packets lost from target to source" minimum:"0"`
	Unplaced int       `json:"lost_unplaced,omitempty" doc:"packets lost in a direction that is not known" minimum:"0"`

	Duplicates int `json:"duplicates,omitempty" doc:"further copies of replies" minimum:"0"`
	Reordered  int `json:"reordered,omitempty" doc:"replies that were overtaken" minimum:"0"`
	Refused    int `json:"refused,omitempty" doc:"packets that the source's own kernel refused to send" minimum:"0"`
	Unserved   int `json:"unserved,omitempty" doc:"packets that reached a host on which nothing reflected them; not in sent" minimum:"0"`

	RTTCount    int      `json:"rtt_count,omitempty" doc:"number of round-trip times" minimum:"0"`
	RTTMinUS    *float64 `json:"rtt_min_us,omitempty" doc:"microseconds"`
	RTTMeanUS   *float64 `json:"rtt_mean_us,omitempty" doc:"microseconds"`
	RTTMaxUS    *float64 `json:"rtt_max_us,omitempty" doc:"microseconds"`
	RTTStdDevUS *float64 `json:"rtt_stddev_us,omitempty" doc:"microseconds"`
	RTTSketch   []byte   `json:"rtt_sketch,omitempty" doc:"DDSketch of the round-trip times in microseconds, base64"`
	FirstRTTUS  *float64 `json:"first_rtt_us,omitempty" doc:"RTT of the first packet after a silence, counted nowhere, in microseconds"`

	Flows  string `json:"flows,omitempty" encoding:"base64" doc:"per source port; posted only, see the pair's flows for what is in it"`
	Detail string `json:"detail,omitempty" encoding:"base64" doc:"what readers get as delay variation, one-way delays and so on; posted only"`

	*Derived
}

// Derived is what readers are told besides: it follows from the other fields.
type Derived struct {
	Lost      int        `json:"lost" required:"false" doc:"lost_forward + lost_backward + lost_unplaced"`
	LossRatio *float64   `json:"loss_ratio" required:"false" doc:"lost / sent; null when nothing was sent" nullable:"true"`
	RTTP50US  *float64   `json:"rtt_p50_us" required:"false" doc:"microseconds; null without a reply" nullable:"true"`
	RTTP95US  *float64   `json:"rtt_p95_us" required:"false" doc:"microseconds; null without a reply" nullable:"true"`
	RTTP99US  *float64   `json:"rtt_p99_us" required:"false" doc:"microseconds; null without a reply" nullable:"true"`
	StoredAt  *time.Time `json:"stored_at,omitempty" doc:"when the result was stored"`

	*Seen
}

// FromResult is the result as a probe posts it.
func FromResult(r ippm.Result) Result {
	w := Result{
		Source: r.Source, Target: r.Target, Test: r.Test, Kind: r.Kind, Family: r.Family, DSCP: r.DSCP,
		Start: r.Start.UTC(), LengthS: r.Length.Seconds(),
		Sent: r.Sent, Received: r.Received, Late: r.Late,
		Forward: r.Forward, Backward: r.Backward, Unplaced: r.Unplaced,
		Duplicates: r.Duplicates, Reordered: r.Reordered, Refused: r.Refused, Unserved: r.Unserved,
		Flows:  base64.StdEncoding.EncodeToString(ippm.EncodeFlows(r.Flows)),
		Detail: base64.StdEncoding.EncodeToString(r.Detail.Encode()),
	}
	if r.RTT.N > 0 {
		stddev := r.RTT.StdDev()
		w.RTTCount = r.RTT.N
		w.RTTMinUS, w.RTTMeanUS, w.RTTMaxUS, w.RTTStdDevUS = &r.RTT.Min, &r.RTT.Mean, &r.RTT.Max, &stddev
		w.RTTSketch = r.RTT.Sketch.Encode()
	}
	if r.First != nil {
		us := Microseconds(*r.First)
		w.FirstRTTUS = &us
	}
	return w
}

// Shown is the result as readers get it.
func Shown(r ippm.Result, storedAt time.Time) Result {
	w := FromResult(r)
	w.Flows, w.Detail = "", ""
	w.Derived = &Derived{Seen: seen(r.Detail), Lost: r.Lost(), LossRatio: LossRatio(r.Counts),
		RTTP50US: Quantile(r.RTT, 0.50), RTTP95US: Quantile(r.RTT, 0.95), RTTP99US: Quantile(r.RTT, 0.99)}
	if !storedAt.IsZero() {
		storedAt = storedAt.UTC()
		w.StoredAt = &storedAt
	}
	return w
}

// LossRatio is null where nothing was sent.
func LossRatio(c ippm.Counts) *float64 { return orNull(c.LossRatio()) }

// Quantile is null where nothing was measured. It stops at nanoseconds: what
// follows is the sketch's rounding.
func Quantile(d ippm.Delay, q float64) *float64 {
	us, ok := d.Quantile(q)
	return orNull(math.Round(us*1000)/1000, ok)
}

func orNull(v float64, ok bool) *float64 {
	if !ok {
		return nil
	}
	return &v
}

// Microseconds is the duration as every name that ends in _us has it.
func Microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func (w Result) id() ippm.ID {
	return ippm.ID{Series: ippm.Series{Source: w.Source, Target: w.Target, Test: w.Test, Family: w.Family, DSCP: w.DSCP}, Start: w.Start.UTC()}
}

// Result turns the posted result into ours and checks it.
func (w Result) Result() (ippm.Result, error) {
	r := ippm.Result{
		ID:   w.id(),
		Kind: w.Kind,
		Counts: ippm.Counts{Sent: w.Sent, Received: w.Received, Late: w.Late,
			Forward: w.Forward, Backward: w.Backward, Unplaced: w.Unplaced,
			Duplicates: w.Duplicates, Reordered: w.Reordered, Refused: w.Refused, Unserved: w.Unserved},
	}
	var err error
	if r.Length, err = duration("length_s", w.LengthS, time.Second); err != nil {
		return r, err
	}
	if w.FirstRTTUS != nil {
		first, err := duration("first_rtt_us", *w.FirstRTTUS, time.Microsecond)
		if err != nil {
			return r, err
		}
		r.First = &first
	}
	if r.RTT, err = w.rtt(); err != nil {
		return r, err
	}
	if r.Flows, err = unpack("flows", w.Flows, ippm.DecodeFlows); err != nil {
		return r, err
	}
	if r.Detail, err = unpack("detail", w.Detail, ippm.DecodeDetail); err != nil {
		return r, err
	}
	return r, r.Check()
}

// unpack reads a packed form, whose errors name it.
func unpack[T any](name, text string, decode func([]byte) (T, error)) (unpacked T, err error) {
	packed, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return unpacked, fmt.Errorf("%s: %w", name, err)
	}
	return decode(packed)
}

func (w Result) rtt() (ippm.Delay, error) {
	values := []*float64{w.RTTMinUS, w.RTTMeanUS, w.RTTMaxUS, w.RTTStdDevUS}
	if w.RTTCount == 0 {
		for _, v := range values {
			if v != nil {
				return ippm.Delay{}, errors.New("rtt_count is 0, but there are round-trip times")
			}
		}
		if len(w.RTTSketch) > 0 {
			return ippm.Delay{}, errors.New("rtt_count is 0, but there is a sketch")
		}
		return ippm.Delay{}, nil
	}
	for _, v := range values {
		if v == nil {
			return ippm.Delay{}, fmt.Errorf("rtt_count is %d, but rtt_min_us, rtt_mean_us, rtt_max_us or rtt_stddev_us is missing", w.RTTCount)
		}
	}
	if *w.RTTStdDevUS < 0 {
		return ippm.Delay{}, fmt.Errorf("rtt_stddev_us is %g; it cannot be negative", *w.RTTStdDevUS)
	}
	sketch, err := ippm.DecodeSketch(w.RTTSketch)
	if err != nil {
		return ippm.Delay{}, fmt.Errorf("rtt_%w", err)
	}
	return ippm.Delay{Moments: ippm.Moments{N: w.RTTCount, Min: *w.RTTMinUS, Mean: *w.RTTMeanUS, Max: *w.RTTMaxUS,
		M2: ippm.M2FromStdDev(*w.RTTStdDevUS, w.RTTCount)}, Sketch: sketch}, nil
}

// duration turns a number of units into a duration, within what one can hold.
func duration(name string, n float64, unit time.Duration) (time.Duration, error) {
	ns := n * float64(unit)
	if ns < 0 || ns > float64(365*24*time.Hour) {
		return 0, fmt.Errorf("%s is %g; it is out of range", name, n)
	}
	return time.Duration(ns + 0.5), nil
}
