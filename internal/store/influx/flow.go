package influx

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
)

// flowsPageLength is about how many results with their flows Flows reads at once.
const flowsPageLength = 250

// flowsField holds all flows of a result, or all that were heard.
const flowsField = "flows"

// flows adds the point of the flows of a result, which has some. Its length is
// there to find out when there are flows (extents).
func (l *lines) flows(r ippm.Result, results []int) {
	l.begin(flowMeasurement)
	l.series(r.Series, r.Kind)
	l.bytes(flowsField, ippm.EncodeFlows(r.Flows))
	l.integer("length_ns", int64(r.Length))
	l.finish(flowMeasurement, r.Start, results)
}

// heard adds the point of what a reflector heard.
func (l *lines) heard(h ippm.Heard, storedAt time.Time) {
	l.begin(heardMeasurement)
	l.series(h.Series, "")
	l.bytes(flowsField, ippm.EncodeHeardFlows(h.Flows))
	l.integer("length_ns", int64(h.Length))
	l.integer("stored_at", storedAt.UnixNano())
	l.finish(heardMeasurement, h.Start, nil)
}

// Flows is Range for results with their flows, and what was heard of them.
func (s *Store) Flows(ctx context.Context, source, target string, filter store.Filter, from, until time.Time, yield func(store.Stored, *ippm.Heard) error) error {
	return s.walk(ctx, walk{s.buckets.Flows, flowMeasurement, flowsPageLength, s.flowsPage}, source, target, filter, from, until, yield)
}

// flowsPage reads the results of one series that began in [from, until) and have
// flows, in order.
func (s *Store) flowsPage(ctx context.Context, series ippm.Series, from, until time.Time) (results []store.Seen, err error) {
	points, err := s.points(ctx, series, from, until)
	if err != nil {
		return nil, err
	}
	found, err := s.bothEnds(ctx, series, from, until)
	if err != nil {
		return nil, err
	}
	for _, p := range points {
		at := p.Start.UnixNano()
		if flows := found.flows[flowsKey{at, p.Kind}]; p.flows > 0 && flows != nil {
			p.Flows = flows
			results = append(results, store.Seen{Stored: p.Stored, Heard: found.heard[at]})
		}
	}
	return results, nil
}

// flowsKey names the flows of a result of a series.
type flowsKey struct {
	at   int64
	kind string
}

// bothEnds are the flows of results of a series, and what was heard, by its time.
type bothEnds struct {
	ippm.Series
	flows map[flowsKey][]ippm.Flow
	heard map[int64]*ippm.Heard
}

func newBothEnds(series ippm.Series) *bothEnds {
	return &bothEnds{series, map[flowsKey][]ippm.Flow{}, map[int64]*ippm.Heard{}}
}

func (s *Store) bothEnds(ctx context.Context, series ippm.Series, from, until time.Time) (bothEnds, error) {
	found := *newBothEnds(series)
	flux := inBucket(s.buckets.Flows, from, until) + inSeries(series) + bothMeasurements +
		keep("_time", "_measurement", "_field", "_value", "kind")
	return found, s.query(ctx, flux, found.add)
}

// add takes in one field.
func (b *bothEnds) add(r record) error {
	at, err := r.time()
	if err != nil {
		return err
	}
	switch r.get("_measurement") {
	case flowMeasurement:
		err = b.addFlow(at.UnixNano(), r)
	case heardMeasurement:
		err = b.addHeard(at, r)
	}
	if err != nil {
		return fmt.Errorf("the flows of %+v at %s: %w", b.Series, at.Format(time.RFC3339Nano), err)
	}
	return nil
}

func (b *bothEnds) addFlow(at int64, r record) error {
	if r.get("_field") != flowsField {
		return nil
	}
	packed, err := base64.StdEncoding.DecodeString(r.get("_value"))
	if err != nil {
		return err
	}
	b.flows[flowsKey{at, strings.Clone(r.get("kind"))}], err = ippm.DecodeFlows(packed)
	return err
}

func (b *bothEnds) addHeard(at time.Time, r record) error {
	h, ok := b.heard[at.UnixNano()]
	if !ok {
		h = &ippm.Heard{ID: ippm.ID{Series: b.Series, Start: at}}
		b.heard[at.UnixNano()] = h
	}
	switch r.get("_field") {
	case "length_ns":
		ns, err := strconv.ParseInt(r.get("_value"), 10, 64)
		h.Length = time.Duration(ns)
		return err
	case flowsField:
		packed, err := base64.StdEncoding.DecodeString(r.get("_value"))
		if err != nil {
			return err
		}
		h.Flows, err = ippm.DecodeHeardFlows(packed)
		return err
	}
	return nil
}
