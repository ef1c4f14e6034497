package e2e

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"testing"
	"time"

	"ixpqos/infra/lab"
	bundles "ixpqos/infra/lab/exchange"
	"ixpqos/internal/wire"
)

// The tests of the fabric.
const (
	fabricInterval = 10 * time.Second
	fabricPackets  = 100 // of a flow in an interval
	fabricPort     = 61000
	fabricFlows    = 16
	reflectorPort  = 862
	fabricTests    = `tests:
  - {name: ping, kind: icmp, every: 10s, count: 5, spacing: 200ms}
  - {name: fabric, kind: stamp, flows: 16, spacing: 100ms, size: 128, interval: 10s}
`
)

// fabric is an exchange of four sites, joined by bundles, in which probes and a
// server run.
type fabric struct {
	*exchange
	bundled *lab.Exchange
	probes  map[string]*member
	names   map[netip.Addr]string
	idle    span // in which nothing was broken
}

func newFabric(t *testing.T) *fabric {
	t.Helper()
	b := lab.NewExchange(t, bundles.Options{})
	f := &fabric{exchange: newExchangeOf(t, b.Manage(t), bundles.ServerAddress+":8080"), bundled: b,
		probes: map[string]*member{}, names: map[netip.Addr]string{}}
	var probes []*member
	for _, p := range b.Probes {
		m := f.enter(b.Host(t, p.Name), netip.PrefixFrom(p.IPv4, 24).String(), netip.PrefixFrom(p.IPv6, 64).String())
		f.probes[p.Name], f.names[p.IPv4], f.names[p.IPv6] = m, p.Name, p.Name
		probes = append(probes, m)
	}
	f.configure(fabricTests, probes...)
	f.serve()
	for _, p := range probes {
		p.start()
	}
	return f
}

// flowKey names a flow of the test.
type flowKey struct {
	source, target string
	family         uint8
	port           uint16
}

func (k flowKey) String() string {
	return fmt.Sprintf("%s→%s IPv%d %d", k.source, k.target, k.family, k.port)
}

// struck are flows that a fault at a place strikes, and in which direction of
// theirs: the requests that cross it forward, the replies backward.
type struck map[flowKey]bundles.Direction

// crossing are the flows that cross a place, of those from so many source ports
// on.
func (f *fabric) crossing(t *testing.T, at bundles.Place, firstPort uint16) struck {
	t.Helper()
	all := struck{}
	for _, c := range f.bundled.Crossing(t, at) {
		source, target, port, way := f.names[c.Source], f.names[c.Destination], c.SourcePort, bundles.Forward
		if c.SourcePort == reflectorPort {
			source, target, port, way = target, source, c.DestinationPort, bundles.Backward
		}
		if port < firstPort || port >= firstPort+fabricFlows {
			continue
		}
		family := uint8(6)
		if c.Source.Is4() {
			family = 4
		}
		all[flowKey{source, target, family, port}] = way
	}
	return all
}

// inOnePair is how many of the flows that are struck in a direction one pair has
// at most.
func (s struck) inOnePair(family uint8, way bundles.Direction) int {
	pairs := map[[2]string]int{}
	for k, w := range s {
		if k.family == family && w == way {
			pairs[[2]string{k.source, k.target}]++
		}
	}
	return slices.Max(append(slices.Collect(maps.Values(pairs)), 0))
}

// place is a member of a link, other than the one that pings cross, which in
// both families at least two requests of one pair cross, and two replies.
func (f *fabric) place(t *testing.T, link string, d bundles.Direction) (bundles.Place, struck) {
	t.Helper()
	for m := 1; m < f.bundled.Links[0].Members; m++ {
		at := bundles.Place{Link: link, Member: m, Direction: d}
		s := f.crossing(t, at, fabricPort)
		if min(s.inOnePair(4, bundles.Forward), s.inOnePair(6, bundles.Forward), s.inOnePair(4, bundles.Backward), s.inOnePair(6, bundles.Backward)) >= 2 {
			return at, s
		}
	}
	t.Fatalf("no member of %s %s is crossed by two flows of a pair, each way and in both families", link, d)
	return bundles.Place{}, nil
}

// nextInterval is when the next whole one begins.
func nextInterval() time.Time { return time.Now().Truncate(fabricInterval).Add(fabricInterval) }

// span are whole intervals that follow each other.
type span struct{ from, until time.Time }

func intervals(from time.Time, n int) span {
	return span{from, from.Add(time.Duration(n) * fabricInterval)}
}

func (s span) count() int { return int(s.until.Sub(s.from) / fabricInterval) }

func (s span) query(test string) string {
	return url.Values{"test": {test}, "from": {s.from.UTC().Format(time.RFC3339)}, "until": {s.until.UTC().Format(time.RFC3339)}}.Encode()
}

// pairs are all of the exchange.
func (f *fabric) pairs() (all [][2]string) {
	for source := range f.probes {
		for target := range f.probes {
			if source != target {
				all = append(all, [2]string{source, target})
			}
		}
	}
	return all
}

// seen are the flows of a span, interval by interval.
type seen map[flowKey][]wire.Flow

// flows are what all pairs saw in a span, with every interval whole and placed.
func (f *fabric) flows(t *testing.T, s span) seen {
	t.Helper()
	f.awaitAfter(t, s.until.Add(-fabricInterval))
	all := seen{}
	for _, pair := range f.pairs() {
		var w wire.Flows
		if err := f.getJSON(fmt.Sprintf("/api/v2/pairs/%s/%s/flows?%s", pair[0], pair[1], s.query("fabric")), &w); err != nil {
			t.Fatal(err)
		}
		if want := 2 * s.count(); len(w.Results) != want || !w.Complete {
			t.Fatalf("%s→%s has %d results, want %d: %s", pair[0], pair[1], len(w.Results), want, show(w))
		}
		for _, r := range w.Results {
			if !r.Placed || len(r.Flows) != fabricFlows {
				t.Errorf("%s→%s: not what the other end heard is in it, or not all flows: %s", pair[0], pair[1], show(r))
			}
			for _, flow := range r.Flows {
				k := flowKey{pair[0], pair[1], r.Family, flow.Port}
				all[k] = append(all[k], flow)
			}
		}
	}
	return all
}

// results are what pairs saw in a span, without flows.
func (f *fabric) results(t *testing.T, test string, s span) (all []wire.Result) {
	t.Helper()
	for _, pair := range f.pairs() {
		var w wire.Series
		if err := f.getJSON(fmt.Sprintf("/api/v2/pairs/%s/%s/series?%s", pair[0], pair[1], s.query(test)), &w); err != nil {
			t.Fatal(err)
		}
		all = append(all, w.Results...)
	}
	return all
}
