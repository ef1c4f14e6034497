package storetest

import (
	"fmt"
	"testing"
	"time"

	"ixpqos/internal/store"
)

// NewPing makes an IPv4 ping at the start of the n-th interval.
func NewPing(source, target string, n int) store.Ping {
	return store.Ping{Source: source, Target: target, Family: 4, At: At(n), Loss: 0.1,
		RTT: &store.PingRTT{Min: 0.25, Max: 1.0 / 3, Avg: 0.3 + float64(n), Jitter: 0.04}}
}

// lossOnly is p with all lost.
func lossOnly(p store.Ping) store.Ping {
	p.Loss, p.RTT = 1, nil
	return p
}

func onSix(p store.Ping) store.Ping {
	p.Family = 6
	return p
}

func putPings(t *testing.T, s Subject, pings ...store.Ping) {
	t.Helper()
	for _, p := range pings {
		if err := p.Check(); err != nil {
			t.Fatal(err)
		}
	}
	if refused, err := s.Writer.PutPings(t.Context(), pings); err != nil || len(refused) > 0 {
		t.Fatal(refused, err)
	}
}

func lastPings(t *testing.T, s Subject, source string) []store.Ping {
	t.Helper()
	got, err := s.Reader.LastPings(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func checkLastPings(t *testing.T, s Subject, source string, want ...store.Ping) {
	t.Helper()
	if diff := diff(want, lastPings(t, s, source), samePing, showPing); diff != "" {
		t.Errorf("the last pings of %q (-want +got):\n%s", source, diff)
	}
}

func samePing(want, got store.Ping) bool { return showPing(want) == showPing(got) }

// showPing tells all of a ping, its time as a store must give it.
func showPing(p store.Ping) string {
	rtt := "no RTT"
	if p.RTT != nil {
		rtt = fmt.Sprintf("%+v", *p.RTT)
	}
	return fmt.Sprintf("%q to %q over %d at %s, loss %v, %s", p.Source, p.Target, p.Family,
		p.At.UTC().Truncate(time.Microsecond), p.Loss, rtt)
}

func pings(t *testing.T, s Subject) {
	four := NewPing("p1", "p2", 0)
	six := onSix(four)
	six.Loss, six.RTT = 0, &store.PingRTT{Min: 0, Max: 1e-3, Avg: 1234567.125, Jitter: 5e-324}
	lost := lossOnly(NewPing("p1", "p3", 0))
	precise := NewPing("p1", "p4", 0)
	precise.At = precise.At.Add(123456789 * time.Nanosecond).In(time.FixedZone("UTC+5:45", 20700))
	preciseSix := onSix(precise)
	other := NewPing("p2", "p1", 0)
	putPings(t, s, preciseSix, precise, lost, six, four, other)
	checkLastPings(t, s, "p1", four, six, lost, precise, preciseSix)
	checkLastPings(t, s, "p2", other)
	for _, p := range lastPings(t, s, "p1") {
		if p.At.Location() != time.UTC {
			t.Errorf("%v is not in UTC", p.At)
		}
	}
	putPings(t, s) // none
	if got := everything(t, s, "p1", "p2"); len(got) != 0 {
		t.Errorf("pings became results: %+v", got)
	}
}

func pingsNewest(t *testing.T, s Subject) {
	for _, n := range []int{1, 3, 0, 2} { // late ones too
		putPings(t, s, NewPing("p1", "p2", n), onSix(NewPing("p1", "p2", n/2)), NewPing("p1", "p10", 5-n))
	}
	gone := lossOnly(NewPing("p1", "p3", 7))
	putPings(t, s, NewPing("p1", "p3", 6), gone) // no RTT of the one before
	checkLastPings(t, s, "p1", NewPing("p1", "p10", 5), NewPing("p1", "p2", 3), onSix(NewPing("p1", "p2", 1)), gone)
}

func pingsTwice(t *testing.T, s Subject) {
	a, b := NewPing("p1", "p2", 0), onSix(NewPing("p1", "p3", 0))
	putPings(t, s, a, lossOnly(b))
	putPings(t, s, lossOnly(a), b)
	checkLastPings(t, s, "p1", lossOnly(a), b)
	a.RTT = &store.PingRTT{Min: 1, Max: 2, Avg: 1.5, Jitter: 0.5}
	putPings(t, s, a)
	checkLastPings(t, s, "p1", a, b)
}

func pingsOddNames(t *testing.T, s Subject) {
	for _, name := range hardNames {
		putPings(t, s, NewPing(name, "end", 0), NewPing("middle", name, 0))
	}
	for _, name := range hardNames {
		checkLastPings(t, s, name, NewPing(name, "end", 0))
	}
	if got := lastPings(t, s, "middle"); len(got) != len(hardNames) {
		t.Errorf("pings of %d targets, not %d", len(got), len(hardNames))
	}
}
