package storetest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
)

func latestBounds(t *testing.T, s Subject) {
	p2, p3 := Pair("p1", "p2"), Pair("p1", "p3")
	for n := range 4 {
		put(t, s, NewBatch("p1", n, NewResult(p2, n, 0, float64(n))))
	}
	put(t, s, NewBatch("p1", 1, NewResult(p3, 1, 0, 1)))
	for _, c := range []struct {
		what      string
		since, at time.Time
		p2, p3    int // the interval of the result, -1: none
	}{
		{"all", At(0), At(3), 3, 1},
		{"long before to long after", time.Time{}, At(1e6), 3, 1},
		{"at is inclusive", At(0), At(2), 2, 1},
		{"at just before an interval", At(0), At(2).Add(-1), 1, 1},
		{"since is inclusive", At(1), At(3), 3, 1},
		{"since just after a result", At(1).Add(1), At(3), 3, -1},
		{"one moment", At(1), At(1), 1, 1},
		{"before all", At(-9), At(-1), -1, -1},
		{"after all", At(4), At(9), -1, -1},
		{"upside down", At(3), At(0), -1, -1},
	} {
		t.Run(c.what, func(t *testing.T) {
			var want []ippm.Result
			if c.p2 >= 0 {
				want = append(want, NewResult(p2, c.p2, 0, float64(c.p2)))
			}
			if c.p3 >= 0 {
				want = append(want, NewResult(p3, c.p3, 0, float64(c.p3)))
			}
			if diff := DiffResults(want, latest(t, s, store.Filter{}, c.since, c.at)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func latestOnly(t *testing.T, s Subject) {
	put(t, s, NewBatch("p1", 0, append(variants("p1", "p2"), variants("p1", "p3")...)...), NewBatch("p2", 0, variants("p2", "p1")...))
	all := variants("p1", "p3")
	only := map[ippm.Series]bool{all[1].Series: true, all[4].Series: true, all[5].Series: false, Pair("p1", "never measured"): true, Pair("p9", "p1"): true}
	for _, c := range []struct {
		filter store.Filter
		want   []ippm.Result
	}{
		{store.Filter{Only: only}, []ippm.Result{all[1], all[4]}},
		{store.Filter{Only: only, Test: "large"}, all[4:5]},
		{store.Filter{Only: map[ippm.Series]bool{}}, nil},
	} {
		if diff := DiffResults(c.want, latest(t, s, c.filter, At(0), At(9))); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c.filter, diff)
		}
	}
}

// latestTargets has a source whose targets are others in each interval, those
// of one even in two batches: the newest result of each is found.
func latestTargets(t *testing.T, s Subject) {
	only, newest := map[ippm.Series]bool{Pair("p1", "none"): true}, map[string]int{}
	for n := range 40 {
		for _, targets := range [][]string{{fmt.Sprintf("t%02d", n%10), fmt.Sprintf("u%02d", n)}, {fmt.Sprintf("v%d", n%2)}} {
			var results []ippm.Result
			for _, target := range targets {
				results = append(results, NewResult(Pair("p1", target), n, 0, float64(n)))
				only[Pair("p1", target)], newest[target] = true, n
			}
			put(t, s, NewBatch("p1", n, results...))
		}
	}
	for _, some := range []store.Filter{{Only: only}, {}, {Only: map[ippm.Series]bool{Pair("p1", "u00"): true, Pair("p1", "v1"): true}}} {
		var want []ippm.Result
		for _, target := range slices.Sorted(maps.Keys(newest)) {
			if series := Pair("p1", target); some.Passes(series) {
				want = append(want, NewResult(series, newest[target], 0, float64(newest[target])))
			}
		}
		if diff := DiffResults(want, latest(t, s, some, At(0), At(99))); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// variants are six results of one pair in one interval, in order.
func variants(source, target string) (all []ippm.Result) {
	for _, series := range []ippm.Series{
		{Test: "fabric", Family: 4}, {Test: "fabric", Family: 4, DSCP: 8}, {Test: "fabric", Family: 4, DSCP: 46},
		{Test: "fabric", Family: 6}, {Test: "large", Family: 4}, {Test: "large", Family: 6, DSCP: 46},
	} {
		series.Source, series.Target = source, target
		all = append(all, NewResult(series, 0, 0, float64(len(all))))
	}
	return all
}

var filters = []struct {
	what   string
	filter store.Filter
	want   []int // of variants
}{
	{"none", store.Filter{}, []int{0, 1, 2, 3, 4, 5}},
	{"test", store.Filter{Test: "large"}, []int{4, 5}},
	{"unknown test", store.Filter{Test: "larg"}, nil},
	{"family", store.Filter{Family: 6}, []int{3, 5}},
	{"dscp 0", store.Filter{DSCP: new(uint8)}, []int{0, 3, 4}},
	{"dscp 46", store.Filter{DSCP: dscp(46)}, []int{2, 5}},
	{"test and family", store.Filter{Test: "fabric", Family: 4}, []int{0, 1, 2}},
	{"all three", store.Filter{Test: "large", Family: 6, DSCP: dscp(46)}, []int{5}},
	{"contradiction", store.Filter{Test: "large", Family: 4, DSCP: dscp(46)}, nil},
}

func dscp(v uint8) *uint8 { return &v }

func pick(all []ippm.Result, which []int) (some []ippm.Result) {
	for _, i := range which {
		some = append(some, all[i])
	}
	return some
}

func latestFilter(t *testing.T, s Subject) {
	all := variants("p1", "p2")
	put(t, s, NewBatch("p1", 0, all...))
	for _, f := range filters {
		t.Run(f.what, func(t *testing.T) {
			if diff := DiffResults(pick(all, f.want), latest(t, s, f.filter, At(0), At(0))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func latestOrder(t *testing.T, s Subject) {
	var want []ippm.Result
	for _, pair := range [][2]string{{"P1", "p2"}, {"p1", "p10"}, {"p1", "p2"}, {"p10", "p1"}, {"p2", "p1"}, {"é", "p1"}} {
		want = append(want, variants(pair[0], pair[1])...)
	}
	for i := range want { // back to front
		r := want[len(want)-1-i]
		put(t, s, NewBatch(r.Source, 0, r))
	}
	if diff := DiffResults(want, latest(t, s, store.Filter{}, At(0), At(0))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func latestLateData(t *testing.T, s Subject) {
	series := Pair("p1", "p2")
	for _, n := range []int{2, 0, 1} {
		put(t, s, NewBatch("p1", n, NewResult(series, n, 0, float64(n))))
	}
	if diff := DiffResults([]ippm.Result{NewResult(series, 2, 0, 2)}, latest(t, s, store.Filter{}, At(0), At(9))); diff != "" {
		t.Errorf("latest (-want +got):\n%s", diff)
	}
	want := []ippm.Result{NewResult(series, 0, 0, 0), NewResult(series, 1, 0, 1), NewResult(series, 2, 0, 2)}
	if diff := DiffResults(want, everything(t, s, "p1", "p2")); diff != "" {
		t.Errorf("range (-want +got):\n%s", diff)
	}
}

func rangeBounds(t *testing.T, s Subject) {
	all := make([]ippm.Result, 5)
	for n := range all {
		all[n] = NewResult(Pair("p1", "p2"), n, 0, float64(n))
		put(t, s, NewBatch("p1", n, all[n]))
	}
	for _, c := range []struct {
		what        string
		from, until time.Time
		want        []ippm.Result
	}{
		{"from is in, until is not", At(1), At(3), all[1:3]},
		{"just after, just after", At(1).Add(1), At(3).Add(1), all[2:4]},
		{"all", time.Time{}, At(1e6), all},
		{"empty", At(2), At(2), nil},
		{"upside down", At(3), At(1), nil},
		{"before all", At(-9), At(0), nil},
	} {
		t.Run(c.what, func(t *testing.T) {
			if diff := DiffResults(c.want, between(t, s, "p1", "p2", store.Filter{}, c.from, c.until)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// rangeMany asks for more than a store may want to read at once, and leaves no
// gap in which a seam would not show.
func rangeMany(t *testing.T, s Subject) {
	const intervals = 2500
	var here, there []ippm.Result
	six := Pair("p1", "p2")
	six.Family = 6
	for n := range intervals {
		here, there = append(here, NewResult(Pair("p1", "p2"), 0, 0, 200)), append(there, NewResult(six, 0, 0, 200))
		here[n].Start = Start.Add(time.Duration(n))
		there[n].Start = here[n].Start
	}
	for n := 0; n < intervals; n += 250 {
		put(t, s, NewBatch("p1", n, append(here[n:n+250:n+250], there[n:n+250]...)...))
	}
	if diff := DiffResults(append(here, there...), everything(t, s, "p1", "p2")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func rangeFilter(t *testing.T, s Subject) {
	forth, back := variants("p1", "p2"), variants("p2", "p1")
	put(t, s, NewBatch("p1", 0, forth...), NewBatch("p2", 0, back...), NewBatch("p1", 0, variants("p1", "p3")...))
	for _, f := range filters {
		t.Run(f.what, func(t *testing.T) {
			if diff := DiffResults(pick(forth, f.want), between(t, s, "p1", "p2", f.filter, At(0), At(1))); diff != "" {
				t.Errorf("forth (-want +got):\n%s", diff)
			}
			if diff := DiffResults(pick(back, f.want), between(t, s, "p2", "p1", f.filter, At(0), At(1))); diff != "" {
				t.Errorf("back (-want +got):\n%s", diff)
			}
		})
	}
}

func rangeError(t *testing.T, s Subject) {
	for n := range 3 {
		put(t, s, NewBatch("p1", n, NewResult(Pair("p1", "p2"), n, 0, 200)))
	}
	calls := 0
	err := s.Reader.Range(t.Context(), "p1", "p2", store.Filter{}, At(0), At(3), func(store.Stored) error {
		calls++
		if calls == 2 {
			return errStop
		}
		return nil
	})
	if !errors.Is(err, errStop) || errors.Is(err, store.ErrUnavailable) || calls != 2 {
		t.Errorf("%d calls, then %v", calls, err)
	}
}

func rangeNested(t *testing.T, s Subject) {
	put(t, s, NewBatch("p1", 0, NewResult(Pair("p1", "p2"), 0, 0, 200), NewResult(Pair("p1", "p3"), 0, 0, 200)))
	var deep func(store.Stored) error
	depth := 0
	deep = func(store.Stored) error {
		if depth++; depth == 20 { // more than any pool of connections that one would keep
			put(t, s, NewBatch("p1", 1, NewResult(Pair("p1", "p2"), 1, 0, 200)))
			return errStop
		}
		return s.Reader.Range(t.Context(), "p1", "p2", store.Filter{}, At(0), At(1), deep)
	}
	if err := deep(store.Stored{}); !errors.Is(err, errStop) {
		t.Error(err)
	}
}

func reports(t *testing.T, s Subject) {
	one := NewBatch("p1", 0, NewResult(Pair("p1", "p2"), 0, 0, 200))
	one.Heard = []ippm.Heard{HeardOf(WithFlows(NewResult(Pair("p2", "p1"), 0, 0, 200), 3))}
	one.Health = ippm.Health{Version: "1.2.3-rc1", StartedAt: Start.Add(-123456789), Waiting: 1, WaitingBytes: 1 << 40, SetAside: 2,
		Dropped: 3, Missed: 4, Troubles: []string{"the disk is full: free some", "“¿qué?”"}}
	one.Run, one.Views = "0123456789abcdef", []uint32{0, 1, 1<<32 - 1}
	quiet := ippm.Batch{Probe: "p2", Inventory: "", Start: At(1)} // a sign of life
	later := NewBatch("p1", 2)
	later.Peers = []string{"p9"}
	put(t, s, one, quiet, later)
	for _, c := range []struct {
		what string
		at   time.Time
		want []ippm.Batch
	}{
		{"all", At(1e6), []ippm.Batch{later, quiet}},
		{"inclusive", At(2), []ippm.Batch{later, quiet}},
		{"just before", At(2).Add(-1), []ippm.Batch{one, quiet}},
		{"the first only", At(0), []ippm.Batch{one}},
		{"before all", At(-1), nil},
	} {
		t.Run(c.what, func(t *testing.T) {
			if diff := DiffReports(c.want, reportsAt(t, s, c.at)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if got := everything(t, s, "p2", "p1"); len(got) != 0 {
		t.Errorf("results of a batch without: %+v", got)
	}
}

func reportsLateData(t *testing.T, s Subject) {
	older, newer := NewBatch("p1", 0), NewBatch("p1", 1)
	older.Inventory, newer.Inventory = "old", "new"
	put(t, s, newer, older)
	if diff := DiffReports([]ippm.Batch{newer}, reportsAt(t, s, At(1))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := DiffReports([]ippm.Batch{older}, reportsAt(t, s, At(0))); diff != "" {
		t.Errorf("earlier (-want +got):\n%s", diff)
	}
}

func nothing(t *testing.T, s Subject) {
	if err := s.Reader.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	if got := latest(t, s, store.Filter{}, time.Time{}, At(1e6)); len(got) != 0 {
		t.Errorf("latest: %+v", got)
	}
	if got := everything(t, s, "p1", "p2"); len(got) != 0 {
		t.Errorf("range: %+v", got)
	}
	checkFlows(t, s, "p1", "p2")
	if got := reportsAt(t, s, At(1e6)); len(got) != 0 {
		t.Errorf("reports: %+v", got)
	}
	if got := lastPings(t, s, "p1"); len(got) != 0 {
		t.Errorf("pings: %+v", got)
	}
}
