package influx

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"time"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
)

// Measurements.
const (
	qosMeasurement      = "qos"
	rowMeasurement      = "row"
	probeMeasurement    = "probe"
	flowMeasurement     = "flow"
	heardMeasurement    = "heard"
	pingMeasurement     = "Ping"
	lastPingMeasurement = "ping_family"
)

// result adds the point of one result. What was not measured is no field.
func (l *lines) result(r ippm.Result, sketch []byte, storedAt time.Time, results []int) {
	l.begin(qosMeasurement)
	l.series(r.Series, r.Kind)
	l.integer("sent", int64(r.Sent))
	l.integer("received", int64(r.Received))
	l.integer("late", int64(r.Late))
	l.integer("lost", int64(r.Lost()))
	l.integer("lost_forward", int64(r.Forward))
	l.integer("lost_backward", int64(r.Backward))
	l.integer("duplicates", int64(r.Duplicates))
	l.integer("reordered", int64(r.Reordered))
	l.integer("refused", int64(r.Refused))
	l.integer("unserved", int64(r.Unserved))
	// This, and whether there is a detail, tells a reader that what else stands
	// there is of an older writing.
	l.integer("flows", int64(len(r.Flows)))
	l.boolean("detailed", r.Detail != nil)
	if r.Detail != nil {
		l.detail(r.Detail)
	}
	l.integer("length_ns", int64(r.Length))
	l.integer("stored_at", storedAt.UnixNano())
	if r.First != nil {
		l.float("first_rtt_us", float64(*r.First)/1e3)
	}
	// Its zero tells a reader that times which stand there are of an older writing.
	l.integer("rtt_n", int64(r.RTT.N))
	if r.RTT.N > 0 {
		l.delay(r.RTT, sketch)
	}
	l.finish(qosMeasurement, r.Start, results)
}

// series adds the tags of a series, and the kind where there is one.
func (l *lines) series(s ippm.Series, kind string) {
	l.number("dscp", s.DSCP)
	l.number("family", s.Family)
	if kind != "" {
		l.tag("kind", kind)
	}
	l.tag("source", s.Source)
	l.tag("target", s.Target)
	l.tag("test", s.Test)
}

func (l *lines) delay(d ippm.Delay, sketch []byte) {
	l.float("rtt_min_us", d.Min)
	l.float("rtt_mean_us", d.Mean)
	l.float("rtt_max_us", d.Max)
	l.float("rtt_stddev_us", d.StdDev())
	for _, q := range []struct {
		field string
		share float64
	}{{"rtt_p50_us", 0.5}, {"rtt_p95_us", 0.95}, {"rtt_p99_us", 0.99}} {
		if us, ok := d.Quantile(q.share); ok {
			l.float(q.field, us)
		}
	}
	l.bytes("sketch", sketch)
}

// point is a result while its fields come in, one after the other.
type point struct {
	store.Stored
	lost     int
	first    int64 // of First nanoseconds, or less than none
	stddev   float64
	sketch   ippm.Sketch
	flows    int // how many it has
	detailed bool
	detail   ippm.Detail // with deviations in place of each M2
}

func newPoint(series ippm.Series, kind string, at time.Time) *point {
	p := &point{first: -1}
	p.Series, p.Kind, p.Start = series, kind, at
	return p
}

// set takes in one field as InfluxDB writes it; others than these it leaves.
func (p *point) set(field, value string) (err error) {
	if count := p.count(field); count != nil {
		*count, err = strconv.Atoi(value)
		return err
	}
	if figure := p.figure(field); figure != nil {
		*figure, err = strconv.ParseFloat(value, 64)
		return err
	}
	var ns int64
	switch field {
	case "length_ns":
		ns, err = strconv.ParseInt(value, 10, 64)
		p.Length = time.Duration(ns)
	case "stored_at":
		ns, err = strconv.ParseInt(value, 10, 64)
		p.StoredAt = time.Unix(0, ns).UTC()
	case "first_rtt_us":
		var us float64
		us, err = strconv.ParseFloat(value, 64)
		p.first = int64(math.Round(us * 1e3))
	case "detailed":
		p.detailed, err = strconv.ParseBool(value)
	case "sketch":
		err = p.setSketch(value)
	}
	return err
}

// count is where a field belongs that counts something, nil for others.
func (p *point) count(field string) *int {
	switch field {
	case "sent":
		return &p.Sent
	case "received":
		return &p.Received
	case "late":
		return &p.Late
	case "lost":
		return &p.lost
	case "lost_forward":
		return &p.Forward
	case "lost_backward":
		return &p.Backward
	case "duplicates":
		return &p.Duplicates
	case "reordered":
		return &p.Reordered
	case "refused":
		return &p.Refused
	case "unserved":
		return &p.Unserved
	case "flows":
		return &p.flows
	case "rtt_n":
		return &p.RTT.N
	}
	if of, ok := detailCounts[field]; ok {
		return of(&p.detail)
	}
	return nil
}

// figure is where a field belongs that is kept as the real number that it is.
func (p *point) figure(field string) *float64 {
	switch field {
	case "rtt_min_us":
		return &p.RTT.Min
	case "rtt_mean_us":
		return &p.RTT.Mean
	case "rtt_max_us":
		return &p.RTT.Max
	case "rtt_stddev_us":
		return &p.stddev
	}
	if of, ok := detailFigures[field]; ok {
		return of(&p.detail)
	}
	return nil
}

func (p *point) setSketch(value string) error {
	encoded, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return err
	}
	p.sketch, err = ippm.DecodeSketch(encoded)
	return err
}

// finish makes it the result once all fields are in.
func (p *point) finish() error {
	p.Unplaced = p.lost - p.Forward - p.Backward
	if p.first >= 0 {
		first := time.Duration(p.first)
		p.First = &first
	}
	if p.detailed {
		p.Detail = finished(p.detail)
	}
	if p.RTT.N == 0 {
		p.RTT = ippm.Delay{}
		return nil
	}
	p.RTT.M2, p.RTT.Sketch = ippm.M2FromStdDev(p.stddev, p.RTT.N), p.sketch
	if p.sketch.Count() != p.RTT.N {
		return fmt.Errorf("the result of %+v at %s: %d round-trip times but a sketch of %d",
			p.Series, p.Start.Format(time.RFC3339Nano), p.RTT.N, p.sketch.Count())
	}
	return nil
}
