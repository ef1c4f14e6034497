package influx

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"ixpqos/internal/store"
)

// PutPings stores them as the first version did. It refuses by name what
// InfluxDB refuses: what is outdated, or has fields that somebody else wrote with
// another type.
func (s *Store) PutPings(ctx context.Context, pings []store.Ping) (named []store.RefusedPing, err error) {
	if len(pings) == 0 {
		return nil, ctx.Err()
	}
	tried := fmt.Sprintf("store the pings of %q", pings[0].Source)
	first := &lines{}
	for i, p := range pings {
		if err := p.Check(); err != nil {
			return nil, fmt.Errorf("%s: %w", tried, err)
		}
		first.ping(p, i)
	}
	all, err := s.write(ctx, s.raw, first)
	if err != nil {
		return nil, s.explain(tried, err)
	}
	// LastPings must not show what was refused.
	why, last := reasons(all), &lines{}
	for i, p := range pings {
		if _, is := why[i]; is {
			continue
		}
		if err := last.lastPing(p, i); err != nil {
			return nil, fmt.Errorf("%s: %w", tried, err)
		}
	}
	if all, err = s.write(ctx, s.raw, last); err != nil {
		return nil, s.explain(tried, err)
	}
	maps.Copy(why, reasons(all))
	for i, p := range pings {
		if reason, is := why[i]; is {
			named = append(named, store.RefusedPing{Source: p.Source, Target: p.Target, Family: p.Family, Reason: reason})
		}
	}
	return named, nil
}

// pingTime is the moment of a ping as InfluxDB holds it.
func pingTime(p store.Ping) time.Time { return p.At.Truncate(time.Microsecond) }

// ping adds the first version's point of the i-th ping.
func (l *lines) ping(p store.Ping, i int) {
	l.begin(pingMeasurement)
	l.tag("source", p.Source)
	l.tag("status", "ok")
	l.tag("target", p.Target)
	l.float("loss", p.Loss)
	if p.RTT != nil {
		l.float("min", p.RTT.Min)
		l.float("max", p.RTT.Max)
		l.float("avg", p.RTT.Avg)
		l.float("jitter", p.RTT.Jitter)
	}
	at := pingTime(p)
	if p.Family == 6 {
		at = at.Add(1)
	}
	l.finish(pingMeasurement, at, []int{i})
}

// lastPing adds the point by which LastPings finds the newest of each family.
func (l *lines) lastPing(p store.Ping, i int) error {
	whole, err := json.Marshal(ping{p.Loss, (*pingRTT)(p.RTT)})
	if err != nil {
		return err
	}
	l.begin(lastPingMeasurement)
	l.number("family", p.Family)
	l.tag("source", p.Source)
	l.tag("target", p.Target)
	l.string(pingField, string(whole))
	l.finish(lastPingMeasurement, pingTime(p), []int{i})
	return nil
}

// pingField holds all of a ping.
const pingField = "ping"

// ping is a ping as JSON: what is stored must not change with a name in Go.
type ping struct {
	Loss float64  `json:"loss"`
	RTT  *pingRTT `json:"rtt_ms"`
}

type pingRTT struct {
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	Avg    float64 `json:"avg"`
	Jitter float64 `json:"jitter"`
}

// LastPings are the newest pings of a source, one for each target and family.
func (s *Store) LastPings(ctx context.Context, source string) (all []store.Ping, err error) {
	flux := inBucket(s.buckets.Raw, earliest, farthest) + is("_measurement", lastPingMeasurement) + is("source", source) + is("_field", pingField) +
		" |> last()" + keep("_time", "_value", "target", "family")
	err = s.query(ctx, flux, func(r record) error {
		p, err := readPing(r)
		p.Source = source
		all = append(all, p)
		return err
	})
	if err != nil {
		return nil, s.explain(fmt.Sprintf("read the last pings of %q", source), err)
	}
	slices.SortFunc(all, func(a, b store.Ping) int {
		return cmp.Or(cmp.Compare(a.Target, b.Target), cmp.Compare(a.Family, b.Family))
	})
	return all, nil
}

func readPing(r record) (p store.Ping, err error) {
	if p.At, err = r.time(); err != nil {
		return p, err
	}
	family, err := strconv.ParseUint(r.get("family"), 10, 8)
	if err != nil {
		return p, fmt.Errorf("the tag family: %w", err)
	}
	p.Target, p.Family = strings.Clone(r.get("target")), uint8(family)
	var own ping
	if err := json.Unmarshal([]byte(r.get("_value")), &own); err != nil {
		return p, fmt.Errorf("the ping of %q: %w", p.Target, err)
	}
	p.Loss, p.RTT = own.Loss, (*store.PingRTT)(own.RTT)
	return p, nil
}
