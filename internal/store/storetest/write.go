package storetest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
)

func roundTrip(t *testing.T, s Subject) {
	first := 1234567 * time.Nanosecond
	full := NewResult(ippm.Series{Source: "p1", Target: "p2", Test: "fabric", Family: 4}, 0, 0, 180.25, 200.5, 1e-3, 0, 7e6, 200.5, 1.0/3)
	full.Counts = ippm.Counts{Sent: 31, Received: 7, Late: 3, Forward: 5, Backward: 6, Unplaced: 10, Duplicates: 2, Reordered: 1, Refused: 4, Unserved: 8}
	full.First = &first
	full.Detail = NewDetail(180.25, -1.0/3, 1e-3)
	marked := NewResult(ippm.Series{Source: "p1", Target: "p2", Test: "fabric", Family: 4, DSCP: 46}, 0, 1, 300)
	six := NewResult(ippm.Series{Source: "p1", Target: "p2", Test: "fabric", Family: 6, DSCP: 63}, 0, 0, 55.5)
	ping := NewResult(ippm.Series{Source: "p1", Target: "p2", Test: "ping", Family: 4}, 0, 2, 900, 901)
	ping.Kind, ping.Length = "icmp", 5*time.Minute
	negative := NewResult(ippm.Series{Source: "p1", Target: "p2", Test: "untimed", Family: 4}, 0, 0)
	negative.Sent, negative.Received = 3, 3 // replies whose times no clock can have measured
	want := []ippm.Result{full, marked, six, ping, negative}

	put(t, s, NewBatch("p1", 0, append(want[1:len(want):len(want)], full)...))
	if diff := DiffResults(want, everything(t, s, "p1", "p2")); diff != "" {
		t.Errorf("range (-want +got):\n%s", diff)
	}
	want[0].Detail = nil
	if diff := DiffResults(want, latest(t, s, store.Filter{}, At(0), At(0))); diff != "" {
		t.Errorf("latest (-want +got):\n%s", diff)
	}
}

func times(t *testing.T, s Subject) {
	odd := NewResult(Pair("p1", "p2"), 0, 0, 200)
	odd.Start = odd.Start.Add(123456789 * time.Nanosecond)
	abroad := odd
	abroad.Start = odd.Start.Add(1).In(time.FixedZone("UTC+5:45", 20700))
	put(t, s, NewBatch("p1", 0, odd, abroad))
	if diff := DiffResults([]ippm.Result{odd, abroad}, everything(t, s, "p1", "p2")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func totalLoss(t *testing.T, s Subject) {
	lost, partly := NewResult(Pair("p1", "p2"), 0, 40), NewResult(Pair("p1", "p2"), 1, 10, 150, 250)
	lost.Forward, lost.Unplaced = 40, 0
	unsent := NewResult(Pair("p1", "p2"), 2, 0)
	unsent.Refused = 40
	want := []ippm.Result{lost, partly, unsent}
	put(t, s, NewBatch("p1", 0, lost), NewBatch("p1", 1, partly), NewBatch("p1", 2, unsent))
	got := everything(t, s, "p1", "p2")
	if diff := DiffResults(want, got); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	if _, ok := got[0].RTT.Quantile(0.5); ok || got[0].First != nil {
		t.Errorf("a round-trip time where all was lost: %+v", got[0])
	}
}

// hardNames are all names by ippm.CheckName, and hard for one store or another.
var hardNames = []string{
	"a b  c", "a,b", "a=b", `a"b`, "a'b", `"`, `'`, `a\b`, `\a`, `a\"b`, `a\\b\,c`, `a\ b`, "a`b", "${x}", "$x", "{{.}}",
	"#a", "%", "_", "%a%", "*", "a;b", "a--b", "a/b", "a?b&c", "<a>", "[a]", "(a)", "a|b", "~a", "a:b", "null", "true", "0", "-1", "1e3",
	"é", "e\u0301", "日本", "🎯", "a\u00a0b", "A", "a", strings.Repeat("x", 63), strings.Repeat("é", 31),
}

func oddNames(t *testing.T, s Subject) {
	for i, name := range hardNames {
		if err := ippm.CheckName(name); err != nil {
			t.Fatalf("%q is no name: %v", name, err)
		}
		asSource := NewResult(ippm.Series{Source: name, Target: "middle", Test: name, Family: 4}, i, 0, float64(i))
		asTarget := NewResult(ippm.Series{Source: "middle", Target: name, Test: "fabric", Family: 4}, i, 0, float64(i))
		asSource.Kind = name
		b := NewBatch(name, i, asSource, asTarget)
		b.Inventory, b.Peers, b.Health.Troubles = name, hardNames, []string{name, "line\nbreak"}
		put(t, s, b)
	}
	for i, name := range hardNames {
		t.Run(name, func(t *testing.T) { oddName(t, s, name, i) })
	}
}

func oddName(t *testing.T, s Subject, name string, i int) {
	if got := everything(t, s, name, "middle"); len(got) != 1 || got[0].Source != name || got[0].Test != name || got[0].Kind != name || !got[0].Start.Equal(At(i)) {
		t.Errorf("as a source: %+v", got)
	}
	if got := everything(t, s, "middle", name); len(got) != 1 || got[0].Target != name || !got[0].Start.Equal(At(i)) {
		t.Errorf("as a target: %+v", got)
	}
	if got := latest(t, s, store.Filter{Test: name}, At(0), At(len(hardNames))); len(got) != 1 || got[0].Test != name {
		t.Errorf("as a filter: %+v", got)
	}
	for _, r := range reportsAt(t, s, At(len(hardNames))) {
		if r.Probe == name && r.Inventory == name && r.Health.Troubles[0] == name && slices.Equal(r.Peers, hardNames) {
			return
		}
	}
	t.Errorf("no report of %q, or not as it was", name)
}

func twice(t *testing.T, s Subject) {
	b := NewBatch("p1", 0, NewResult(Pair("p1", "p2"), 0, 1, 200, 210), NewResult(Pair("p1", "p3"), 0, 3))
	put(t, s, b)
	before, reportsBefore := latest(t, s, store.Filter{}, At(0), At(0)), reportsAt(t, s, At(0))
	put(t, s, b)
	after, reportsAfter := latest(t, s, store.Filter{}, At(0), At(0)), reportsAt(t, s, At(0))
	if diff := DiffResults(b.Results, after); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	if diff := DiffReports([]ippm.Batch{b}, reportsAfter); diff != "" {
		t.Fatalf("report (-want +got):\n%s", diff)
	}
	for i := range before {
		if after[i].StoredAt.Before(before[i].StoredAt) {
			t.Errorf("stored at %v, then at %v", before[i].StoredAt, after[i].StoredAt)
		}
	}
	if reportsAfter[0].StoredAt.Before(reportsBefore[0].StoredAt) {
		t.Errorf("reported at %v, then at %v", reportsBefore[0].StoredAt, reportsAfter[0].StoredAt)
	}
}

// oneAnInterval splits a batch between groups, as an upload may, and sends one
// part again.
func oneAnInterval(t *testing.T, s Subject) {
	here, marked := Pair("p1", "p2"), Pair("p1", "p2")
	marked.DSCP = 46
	a, b := NewResult(here, 0, 0, 200), NewResult(marked, 0, 0, 300)
	put(t, s, NewBatch("p1", 0, a), NewBatch("p1", 0, b), NewBatch("p1", 0, a))
	if diff := DiffResults([]ippm.Result{a, b}, everything(t, s, "p1", "p2")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := reportsAt(t, s, At(0)); len(got) != 1 {
		t.Errorf("%d reports of one batch", len(got))
	}
}

func twoWriters(t *testing.T, s Subject) {
	const rounds = 40
	var writing sync.WaitGroup
	for _, probe := range []string{"p1", "p2"} {
		writing.Go(func() {
			for n := range rounds {
				b := NewBatch(probe, n, NewResult(Pair(probe, "p3"), n, 1, 200), NewResult(Pair(probe, fmt.Sprint("new-", n)), n, 0, 200))
				if _, err := s.Writer.Put(t.Context(), b); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writing.Wait()
	for _, probe := range []string{"p1", "p2"} {
		if got := len(everything(t, s, probe, "p3")); got != rounds {
			t.Errorf("%d of %d results of %s", got, rounds, probe)
		}
	}
	if got := len(latest(t, s, store.Filter{}, At(0), At(rounds))); got != 2*(rounds+1) {
		t.Errorf("%d of %d series", got, 2*(rounds+1))
	}
}

func endedContext(t *testing.T, s Subject) {
	stored, refused := NewBatch("p1", 0, NewResult(Pair("p1", "p2"), 0, 0, 200)), NewBatch("p1", 1, NewResult(Pair("p1", "p2"), 1, 0, 200))
	put(t, s, stored)
	ctx := ended(t)
	_, putError := s.Writer.Put(ctx, refused)
	_, latestError := s.Reader.Latest(ctx, store.Filter{}, At(0), At(1))
	rangeError := s.Reader.Range(ctx, "p1", "p2", store.Filter{}, At(0), At(2), func(store.Stored) error { return nil })
	flowsError := s.Reader.Flows(ctx, "p1", "p2", store.Filter{}, At(0), At(2), func(store.Stored, *ippm.Heard) error { return nil })
	_, reportsError := s.Reader.Reports(ctx, At(1))
	ping := NewPing("p1", "p2", 0)
	_, putPingsError := s.Writer.PutPings(ctx, []store.Ping{ping})
	_, lastPingsError := s.Reader.LastPings(ctx, "p1")
	for call, err := range map[string]error{"Put": putError, "PutPings": putPingsError, "LastPings": lastPingsError, "Latest": latestError, "Range": rangeError,
		"Flows": flowsError, "Reports": reportsError, "Ready": s.Reader.Ready(ctx)} {
		if err == nil {
			t.Errorf("%s succeeded after its context had ended", call)
		}
	}
	put(t, s, refused)
	if got := len(everything(t, s, "p1", "p2")); got != 2 {
		t.Errorf("%d results, not 2", got)
	}
}
