package show_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
	"ixpqos/internal/store/storetest"
	"ixpqos/internal/wire"
)

func containsAll(text string, parts ...string) bool {
	return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(text, part) })
}

// fabric has two probes that measure each other by flows, and a target.
const fabric = `
exchange: Example-IX
probes:
  - {name: p1, addresses: [192.0.2.1]}
  - {name: p2, addresses: [192.0.2.2]}
targets:
  - {name: rs1, addresses: [192.0.2.250]}
tests:
  - {name: fabric, kind: stamp, flows: 2, spacing: 500ms, interval: 10s}
  - {name: ping, kind: icmp, every: 5m}
`

// report is what a probe that works from a part says of the n-th interval; where
// there are two parts it changed from one to the other in that.
func report(n int, results []ippm.Result, parts ...inventory.Part) ippm.Batch {
	last := parts[len(parts)-1]
	b := batch(last.Probe, n, last.PeerNames(), results...)
	b.Views = make([]uint32, len(b.Peers))
	for i, peer := range b.Peers {
		b.Views[i] = last.Views()[peer]
		for _, part := range parts {
			if part.Views()[peer] != b.Views[i] {
				b.Views[i] = 0
			}
		}
	}
	return b
}

func partOf(t *testing.T, text, probe string) inventory.Part {
	t.Helper()
	part, ok := parse(t, text).Part(probe)
	if !ok {
		t.Fatalf("there is no %q", probe)
	}
	return part
}

// TestAPairWhoseEndsDisagreeIsPending has p2's address change, or get a family
// more: while one end works from the inventory before and the other from that
// after it all is lost, and nothing of that may look like loss. P2 is the first to
// know, in interval 2, and p1 in interval 4.
func TestAPairWhoseEndsDisagreeIsPending(t *testing.T) {
	for what, change := range map[string][2]string{
		"an address": {"192.0.2.2]", "192.0.2.22]"}, "a family": {"192.0.2.2]", `192.0.2.2, "2001:db8::2"]`},
		"a port": {"name: p2, ", "name: p2, reflector_port: 4862, "}, "a test": {"flows: 2", "flows: 4"},
	} {
		t.Run(what, func(t *testing.T) {
			changed := strings.Replace(fabric, change[0], change[1], 1)
			s := serve(t, changed)
			was1, was2, is1, is2 := partOf(t, fabric, "p1"), partOf(t, fabric, "p2"), partOf(t, changed, "p1"), partOf(t, changed, "p2")
			states := []string{"fresh", "fresh", "pending", "pending", "pending", "fresh", "fresh"}
			by1 := [][]inventory.Part{{was1}, {was1}, {was1}, {was1}, {was1, is1}, {is1}, {is1}}
			by2 := [][]inventory.Part{{was2}, {was2}, {was2, is2}, {is2}, {is2}, {is2}, {is2}}
			for n, want := range states {
				lost := storetest.NewResult(storetest.Pair("p1", "p2"), n, 20)
				back := storetest.NewResult(storetest.Pair("p2", "p1"), n, 20)
				s.put(t, report(n, []ippm.Result{lost}, by1[n]...), report(n, []ippm.Result{back}, by2[n]...))
				if n == 2 { // what p2 says at once when it takes up a configuration
					s.put(t, sign(storetest.At(2).Add(4*time.Second), is2))
				}
				s.now = storetest.At(n + 1)
				for _, pair := range [][2]string{{"p1", "p2"}, {"p2", "p1"}} {
					if got := cell(t, s.matrix(t, ""), pair[0], pair[1]); got.State != want {
						t.Errorf("%v in interval %d: %s; want %s", pair, n, got.State, want)
					}
				}
			}
			for n, want := range states { // and the same later on
				if got := cell(t, s.matrix(t, "?at="+at(n)), "p1", "p2"); got.State != want {
					t.Errorf("at %d, long ago: %s; want %s", n, got.State, want)
				}
			}
		})
	}
}

// sign is a sign of life.
func sign(at time.Time, part inventory.Part) ippm.Batch {
	b := report(0, nil, part)
	b.Start = at
	return b
}

// TestAChangeInALongInterval: the other end changed in the middle of a round, of
// which it reports nothing itself.
func TestAChangeInALongInterval(t *testing.T) {
	changed := strings.Replace(fabric, "192.0.2.2]", "192.0.2.22]", 1)
	s := serve(t, changed)
	is1, was2, is2 := partOf(t, fabric, "p1"), partOf(t, fabric, "p2"), partOf(t, changed, "p2")
	round := storetest.NewResult(ippm.Series{Source: "p1", Target: "p2", Test: "ping", Family: 4}, 0, 4, 200)
	round.Length = 5 * time.Minute
	s.put(t, report(0, []ippm.Result{round}, is1), sign(storetest.At(-1), was2), sign(storetest.At(9), is2))
	s.now = round.End().Add(time.Second)
	for _, c := range s.matrix(t, "?test=ping&source=p1&target=p2").Cells {
		if c.State != wire.StatePending {
			t.Errorf("%+v is %s", nameOf(c), c.State)
		}
	}
}

// TestTheViewOfATarget is only its source's.
func TestTheViewOfATarget(t *testing.T) {
	changed := strings.Replace(fabric, "192.0.2.250]", "192.0.2.251]", 1)
	s := serve(t, changed)
	was, is := partOf(t, fabric, "p1"), partOf(t, changed, "p1")
	for n, want := range []string{"fresh", "pending", "fresh"} {
		r := storetest.NewResult(ippm.Series{Source: "p1", Target: "rs1", Test: "ping", Family: 4}, n, 1, 200)
		s.put(t, report(n, []ippm.Result{r}, [][]inventory.Part{{was}, {was, is}, {is}}[n]...))
		s.now = storetest.At(n + 1)
		if got := s.matrix(t, "?test=ping&target=rs1&source=p1").Cells; len(got) != 1 || got[0].State != want {
			t.Errorf("%d: %+v; want %s", n, got, want)
		}
	}
}

// TestAnOldProbeIsBelieved: one that tells no views counts by names alone.
func TestAnOldProbeIsBelieved(t *testing.T) {
	s := serve(t, fabric)
	s.put(t, report(0, []ippm.Result{storetest.NewResult(storetest.Pair("p1", "p2"), 0, 0, 200)}, partOf(t, fabric, "p1")), batch("p2", 0, names("p1", "rs1")))
	if got := cell(t, s.matrix(t, ""), "p1", "p2").State; got != wire.StateFresh {
		t.Errorf("%s", got)
	}
}

// TestATroubleOfAPairMarksIt, and no others.
func TestATroubleOfAPairMarksIt(t *testing.T) {
	for sentence, want := range map[string]string{
		"STAMP is no longer answered on 192.0.2.2:862: no such device":                                                    "p1>p2:p2 p2>p1:p2 p2>rs1:p2 ",
		"the own address 192.0.2.2 is not configured on this host: add it to an interface":                                "p1>p2:p2 p2>p1:p2 p2>rs1:p2 ",
		"source port 61000 over IPv6: open a UDP socket on [2001:db8::2]:61000: bind: the address is not configured here": "",
		`the kernel refused packets to "p1" over IPv4: operation not permitted`:                                           "p1>p2:p2 p2>p1:p2 ",
		`the kernel refused packets to "p1" over IPv6: operation not permitted`:                                           "",
		"the disk is full, 192.0.2.22 too":                                                                                "",
	} {
		s := serve(t, exchange)
		ill := batch("p2", 0, names("p1", "rs1"))
		ill.Health.Troubles = []string{sentence}
		s.put(t, batch("p1", 0, names("p2", "rs1"), storetest.NewResult(storetest.Pair("p1", "p2"), 0, 20)), ill)
		got := ""
		for _, c := range s.matrix(t, "?test=fabric&family=4").Cells {
			if len(c.Troubled) > 0 {
				got += c.Source + ">" + c.Target + ":" + strings.Join(c.Troubled, ",") + " "
			}
		}
		if got != want {
			t.Errorf("%s: %s; want %s", sentence, got, want)
		}
		if page := firstRow(t, s.get(t, "/").body)[1]; strings.Contains(page, "a trouble of this pair is reported by p2") != (want != "") {
			t.Errorf("%s: %s", sentence, page)
		}
	}
}
