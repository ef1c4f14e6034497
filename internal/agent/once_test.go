package agent

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"ixpqos/infra/lab"
	"ixpqos/infra/needs"
	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
	"ixpqos/internal/measure/reflector"
)

// interrupter is where progress is said; it ends the round once so many packets
// were sent, as a person does.
type interrupter struct {
	bytes.Buffer
	after int
	stop  func()
}

var sentSoFar = regexp.MustCompile(` (\d+) of \d+ sent`)

func (i *interrupter) Write(b []byte) (int, error) {
	if found := sentSoFar.FindSubmatch(b); found != nil {
		if sent, _ := strconv.Atoi(string(found[1])); sent >= i.after {
			i.stop()
		}
	}
	return i.Buffer.Write(b)
}

func TestARoundThatIsCutShortKeepsWhatItHas(t *testing.T) {
	needs.Time(t)
	port := freePort(t)
	(&stampEngine{name: "p2", board: quietBoard(), log: discard}).start(t, fabric("p2", "p1", port))
	part := fabric("p1", "p2", port)
	test, err := OnceSettings{Kind: inventory.KindSTAMP, Count: 600}.test(part)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	progress := &interrupter{after: 60, stop: cancel} // 2 flows, 10 packets a second, and the warm-up
	results, err := round{source: "p1", part: part, test: test, pairs: part.Pairs(test), log: discard, progress: progress}.stamp(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 1 || results[0].Received == 0 || results[0].Received != results[0].Sent || results[0].Sent >= 600 || results[0].Sent%20 != 0 {
		t.Errorf("results %+v", results)
	}
	if said := progress.String(); !strings.Contains(said, "of 1200 sent") || !strings.Contains(said, "waiting") {
		t.Errorf("progress %q", said)
	}
}

func TestARoundThatHasNothingYetSaysSo(t *testing.T) {
	part := fabric("p1", "p2", 862)
	test, err := OnceSettings{Kind: inventory.KindSTAMP}.test(part)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = round{source: "p1", part: part, test: test, pairs: part.Pairs(test), log: discard}.stamp(ctx)
	if err == nil || !strings.Contains(err.Error(), "nothing was measured") {
		t.Errorf("error %v", err)
	}
}

func TestARoundIsMeasuredInParts(t *testing.T) {
	for _, c := range []struct {
		count   int
		spacing time.Duration
		want    int
		every   time.Duration
	}{
		{100, 100 * time.Millisecond, 100, time.Second},
		{10, 100 * time.Millisecond, 10, time.Second},
		{3, 100 * time.Millisecond, 3, 300 * time.Millisecond},
		{55, 100 * time.Millisecond, 55, 1100 * time.Millisecond},
		{97, 100 * time.Millisecond, 100, time.Second},
		{7, 5 * time.Second, 7, 5 * time.Second},
		{100, 250 * time.Millisecond, 100, time.Second},
	} {
		got := sliced(inventory.Test{Count: c.count, Spacing: c.spacing})
		if got.Count != c.want || got.Every != c.every {
			t.Errorf("%d packets each %v: %d in parts of %v; want %d in parts of %v", c.count, c.spacing, got.Count, got.Every, c.want, c.every)
		}
	}
}

// TestPartsMakeARound: counts are summed, and of the median it is said where it
// lies, since none can be made of medians.
func TestPartsMakeARound(t *testing.T) {
	part := func(start int64, lost int, median float64) ippm.Result {
		counts := ippm.Counts{Sent: 10, Received: 10 - lost, Forward: lost}
		return ippm.Result{ID: ippm.ID{Series: ippm.Series{Source: "p1", Target: "p2", Test: "fabric", Family: 4}, Start: time.Unix(start, 0)},
			Kind: inventory.KindSTAMP, Length: time.Second, Counts: counts,
			Flows: []ippm.Flow{{Port: 61000, Counts: counts, Samples: 10 - lost, Median: median, Max: 2 * median}}}
	}
	pair := inventory.Pair{Target: "p2", Family: 4, To: "192.0.2.2"}
	run := onceRun{taken: map[pairKey][]ippm.Result{{"p2", 4}: {part(1e9, 0, 20), part(1e9+1, 3, 41)}}}
	results, err := run.results([]inventory.Pair{pair, {Target: "p3", Family: 4}})
	if err != nil || len(results) != 1 {
		t.Fatalf("%v, %+v", err, results)
	}
	m := results[0]
	if m.Sent != 20 || m.Forward != 3 || m.Length != 2*time.Second || len(m.Flows) != 1 || m.Flows[0].Counts != m.Counts || m.Flows[0].Max != 82 {
		t.Errorf("the round is %+v", m)
	}
	if got := m.flowMedian(m.Flows[0]); got != "20–41 µs" {
		t.Errorf("the median is %s", got)
	}
}

// TestTablesFitAScreen of 80 columns, with long addresses too.
func TestTablesFitAScreen(t *testing.T) {
	counts := ippm.Counts{Sent: 16000, Received: 14000, Forward: 1999, Backward: 1, Late: 1000}
	var rtt ippm.Delay
	for _, us := range []float64{99.4e3, 12.34e3} {
		if err := rtt.Add(us); err != nil {
			t.Fatal(err)
		}
	}
	for _, target := range []struct{ name, address string }{{"p1", "192.0.2.1"}, {"milan-core-1", "192.168.100.200"}, {"p2", "2001:db8:1234:5678:9abc:def0:1234:5678"}} {
		m := []measured{{Pair: inventory.Pair{To: target.address}, Result: ippm.Result{Counts: counts, RTT: rtt,
			ID:    ippm.ID{Series: ippm.Series{Source: "p0", Target: target.name, Test: "fabric"}},
			Flows: []ippm.Flow{{Port: 61000, Counts: counts, Samples: 9, Median: 12.34e3}, {Port: 61001, Counts: counts}}}}}
		var out bytes.Buffer
		if err := errors.Join(printFlows(&out, "p0", m), printPings(&out, "p0", m)); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if width := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); width > screen {
				t.Errorf("%d columns: %s", width, line)
			}
		}
		for _, want := range []string{target.name, target.address, "61001", "12.5 %", "1999"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("no %q in\n%s", want, out.String())
			}
		}
	}
}

func TestWhatDoesNothingForPingsIsRefused(t *testing.T) {
	part := fabric("p1", "p2", 862)
	part.Tests = append(part.Tests, inventory.Test{Name: "ping", Kind: inventory.KindICMP})
	for want, s := range map[string]OnceSettings{
		"--flows":          {Flows: 4},
		"--port":           {Kind: inventory.KindICMP, Port: 4000},
		"--reflector-port": {Test: "ping", ReflectorPort: 4000},
	} {
		_, err := s.test(part)
		if err == nil || !strings.HasPrefix(err.Error(), want+" is for tests of kind stamp") || !errors.As(err, new(interface{ Usage() })) {
			t.Errorf("%s: error %v", want, err)
		}
		s.Kind, s.Test = inventory.KindSTAMP, ""
		if _, err := s.test(part); err != nil {
			t.Errorf("%s with stamp: %v", want, err)
		}
	}
}

func TestReflectorPortOfOnce(t *testing.T) {
	part := fabric("p1", "p2", 862)
	for asked, want := range map[uint16]uint16{0: 862, 4000: 4000} {
		pairs, _, err := OnceSettings{ReflectorPort: asked, Targets: []string{"p2", "192.0.2.9"}}.pairs(t.Context(), part, part.Tests[0])
		if err != nil || len(pairs) != 2 || pairs[0].ReflectorPort != want || pairs[1].ReflectorPort != want {
			t.Errorf("asked for %d: %+v, %v", asked, pairs, err)
		}
	}
}

func TestOneRoundIsMeasuredByOneInterface(t *testing.T) {
	at := func(to ...string) (pairs []inventory.Pair) {
		for _, host := range to {
			pairs = append(pairs, inventory.Pair{Target: host, Family: 6, To: host})
		}
		return pairs
	}
	for _, c := range []struct {
		own   string
		pairs []inventory.Pair
	}{{"", at("fe80::1%eth0", "fe80::2%eth1")}, {"eth1", at("fe80::1%eth0")}} {
		if _, _, err := within(inventory.Part{Interface: c.own}, c.pairs); err == nil || !strings.Contains(err.Error(), "one round measures by one") {
			t.Errorf("by %q to %+v: error %v", c.own, c.pairs, err)
		}
	}
	part, pairs, err := within(inventory.Part{Interface: "vrf-ix"}, at("2001:db8::1"))
	if err != nil || part.Interface != "vrf-ix" || pairs[0].To != "2001:db8::1" {
		t.Errorf("%+v, %+v, %v", part, pairs, err)
	}
}

// TestOnceReachesLinkLocalAddresses: the zone says by which interface.
func TestOnceReachesLinkLocalAddresses(t *testing.T) {
	needs.Time(t)
	l := lab.New(t)
	p1, p2 := l.Host("p1", "fe80::1/64", "198.18.0.1/24"), l.Host("p2", "fe80::2/64", "198.18.0.2/24")
	r := reflector.New(reflector.ThisHost("p2", func(_, _ string) {}))
	defer r.Close()
	// The kernel chooses among the own addresses, of which it has made one.
	var own []netip.Addr
	p1.Enter(t, func() error {
		eth0, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		for _, ip := range ipsOf(*eth0) {
			address, _ := netip.AddrFromSlice(ip)
			own = append(own, address)
		}
		return nil
	})
	p2.Enter(t, func() error {
		r.SetAllowed(own)
		return errors.Join(r.Apply(reflector.Settings{Addresses: []netip.Addr{netip.MustParseAddr("fe80::2")}, Port: 862, Interface: "eth0"})...)
	})
	var out bytes.Buffer
	p1.Enter(t, func() error {
		s := OnceSettings{Settings: Settings{State: t.TempDir()}, Targets: []string{"fe80::2%eth0"}, Kind: inventory.KindSTAMP, Count: 10, Flows: 2}
		answered, err := Once(t.Context(), s, &out, discard)
		if err == nil && !answered {
			err = errors.New("nothing answered")
		}
		return err
	})
	if !strings.Contains(out.String(), "No flow lost a packet.") {
		t.Error(out.String())
	}
}
