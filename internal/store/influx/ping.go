package influx

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"ixpqos/internal/store"
)

// PutPings stores them as the first version did.
func (s *Store) PutPings(ctx context.Context, pings []store.Ping) error {
	if len(pings) == 0 {
		return ctx.Err()
	}
	tried := fmt.Sprintf("store the pings of %q", pings[0].Source)
	l := &lines{}
	for _, p := range pings {
		if err := p.Check(); err != nil {
			return fmt.Errorf("%s: %w", tried, err)
		}
		if err := l.ping(p); err != nil {
			return fmt.Errorf("%s: %w", tried, err)
		}
	}
	all, err := s.write(ctx, l)
	if err != nil {
		return s.explain(tried, err)
	}
	for _, r := range all {
		err = errors.Join(err, r.error("pings"))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", tried, err)
	}
	return nil
}

// ping adds two points: the first version's, and one by which LastPings finds
// the newest of each family.
func (l *lines) ping(p store.Ping) error {
	at := p.At.Truncate(time.Microsecond)
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
	if p.Family == 6 {
		l.finish(pingMeasurement, at.Add(1), nil)
	} else {
		l.finish(pingMeasurement, at, nil)
	}
	whole, err := json.Marshal(ping{p.Loss, (*pingRTT)(p.RTT)})
	if err != nil {
		return err
	}
	l.begin(lastPingMeasurement)
	l.number("family", p.Family)
	l.tag("source", p.Source)
	l.tag("target", p.Target)
	l.string(pingField, string(whole))
	l.finish(lastPingMeasurement, at, nil)
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
	flux := s.from(earliest, farthest) + is("_measurement", lastPingMeasurement) + is("source", source) + is("_field", pingField) +
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
