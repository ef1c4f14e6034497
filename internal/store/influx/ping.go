package influx

import (
	"cmp"
	"context"
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
		l.ping(p)
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

func (l *lines) ping(p store.Ping) {
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
	l.finish(pingMeasurement, familyMoment(p), nil)
}

// familyMoment is when a ping stands: IPv6 a nanosecond after IPv4.
func familyMoment(p store.Ping) time.Time {
	at := p.At.Truncate(time.Microsecond)
	if p.Family == 6 {
		at = at.Add(1)
	}
	return at
}

// momentFamily is the other way round. What the first version itself wrote
// counts as IPv4, as a rule.
func momentFamily(at time.Time) (family uint8, moment time.Time) {
	moment = at.Truncate(time.Microsecond)
	if at.Sub(moment) == 1 {
		return 6, moment
	}
	return 4, moment
}

// LastPings are the newest pings of a source, one for each target and family.
func (s *Store) LastPings(ctx context.Context, source string) ([]store.Ping, error) {
	flux := "all = " + s.from(earliest, farthest) + is("_measurement", pingMeasurement) + is("source", source) + is("status", "ok") + "\n"
	for family, test := range map[string]string{"four": "!=", "six": "=="} {
		flux += "all |> filter(fn: (r) => int(v: r._time) % 1000 " + test + " 1) |> last()" + keep("_time", "_field", "_value", "target") +
			` |> yield(name: "` + family + `")` + "\n"
	}
	newest := newestPings{source, map[string]*lastPing{}}
	if err := s.query(ctx, flux, newest.add); err != nil {
		return nil, s.explain(fmt.Sprintf("read the last pings of %q", source), err)
	}
	return newest.all(), nil
}

// newestPings are the newest pings of a source, by target and family, while
// their fields come in.
type newestPings struct {
	source string
	found  map[string]*lastPing
}

// lastPing is the newest of one target and family. A field may be older than the
// others: where all was lost there are no times, and the last that are there
// are not of this ping.
type lastPing struct {
	store.Ping
	values map[string]float64
	moment map[string]time.Time
}

func (n newestPings) add(r record) error {
	at, err := r.time()
	if err != nil {
		return err
	}
	value, err := strconv.ParseFloat(r.get("_value"), 64)
	if err != nil {
		return err
	}
	family, moment := momentFamily(at)
	key := r.get("target") + "\x00" + strconv.Itoa(int(family))
	p := n.found[key]
	if p == nil {
		p = &lastPing{store.Ping{Source: n.source, Target: strings.Clone(r.get("target")), Family: family}, map[string]float64{}, map[string]time.Time{}}
		n.found[key] = p
	}
	field := strings.Clone(r.get("_field"))
	p.values[field], p.moment[field] = value, moment
	return nil
}

func (n newestPings) all() (all []store.Ping) {
	for _, p := range n.found {
		if _, ok := p.moment["loss"]; ok {
			all = append(all, p.ping())
		}
	}
	slices.SortFunc(all, func(a, b store.Ping) int {
		return cmp.Or(cmp.Compare(a.Target, b.Target), cmp.Compare(a.Family, b.Family))
	})
	return all
}

// ping is what came in as a whole.
func (p *lastPing) ping() store.Ping {
	p.At, p.Loss = p.moment["loss"], p.values["loss"]
	if p.Loss < 1 && p.moment["avg"].Equal(p.At) {
		p.RTT = &store.PingRTT{Min: p.values["min"], Max: p.values["max"], Avg: p.values["avg"], Jitter: p.values["jitter"]}
	}
	return p.Ping
}
