package show_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ixpqos/internal/ippm"
	"ixpqos/internal/show"
	"ixpqos/internal/store/storetest"
	"ixpqos/internal/wire"
)

// hour has a result of p1 to p2 in each of its intervals from 0 to 9, and some others.
func hour(t *testing.T, change ...func(*show.Viewer)) *server {
	s := serve(t, exchange, change...)
	s.now = storetest.At(10)
	for n := range 10 {
		marked := storetest.Pair("p1", "p2")
		marked.DSCP = 46
		six := ippm.Series{Source: "p1", Target: "p2", Test: "other", Family: 6}
		s.put(t, batch("p1", n, names("p2"), storetest.NewResult(storetest.Pair("p1", "p2"), n, 1, float64(100+n)),
			storetest.NewResult(marked, n, 0, 100), storetest.NewResult(six, n, 0, 100), storetest.NewResult(storetest.Pair("p1", "gone"), n, 0, 100)))
	}
	return s
}

func (s *server) series(t *testing.T, path string) (out wire.Series) {
	t.Helper()
	s.get(t, "/api/v2/pairs/"+path).into(t, &out)
	return out
}

func at(n int) string { return storetest.At(n).Format(time.RFC3339) }

func TestSeriesRange(t *testing.T) {
	s := hour(t)
	for _, c := range []struct {
		name, query string
		from, until time.Time
		want        []int // intervals
	}{
		{"half open", "from=" + at(2) + "&until=" + at(5), storetest.At(2), storetest.At(5), []int{2, 3, 4}},
		{"an empty range", "from=" + at(2) + "&until=" + at(2), storetest.At(2), storetest.At(2), nil},
		{"until now", "from=" + at(8), storetest.At(8), s.now, []int{8, 9}},
		{"a day", "until=" + at(3), storetest.At(3).Add(-24 * time.Hour), storetest.At(3), []int{0, 1, 2}},
		{"a day until now", "", s.now.Add(-24 * time.Hour), s.now, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
		{"another time zone", "from=2026-03-01T13:00:10%2B01:00&until=2026-03-01T07:00:30-05:00", storetest.At(1), storetest.At(3), []int{1, 2}},
		{"all time", "from=0001-01-01T00:00:01Z&until=9999-12-31T23:59:59Z", time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
			[]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := s.series(t, "p1/p2/series?test=fabric&dscp=0&"+c.query)
			var intervals []int
			for _, r := range got.Results {
				intervals = append(intervals, int(r.Start.Sub(storetest.Start)/storetest.Interval))
			}
			if diff := cmp.Diff(c.want, intervals); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !got.From.Equal(c.from) || !got.Until.Equal(c.until) || !got.Complete || got.Source != "p1" || got.Target != "p2" {
				t.Errorf("%v to %v, complete %v; want %v to %v", got.From, got.Until, got.Complete, c.from, c.until)
			}
		})
	}
}

func TestSeriesIsWhatWasStored(t *testing.T) {
	s := hour(t)
	got := s.series(t, "p1/p2/series?test=fabric&dscp=0&from="+at(3)+"&until="+at(4))
	if len(got.Results) != 1 {
		t.Fatalf("%+v", got)
	}
	shown := got.Results[0]
	if shown.Derived == nil || shown.Lost != 1 || *shown.LossRatio != 0.5 || *shown.RTTP50US != 103 || !shown.StoredAt.Equal(s.now) {
		t.Errorf("derived: %+v", shown.Derived)
	}
	result, err := shown.Result()
	if err != nil {
		t.Fatal(err)
	}
	want := storetest.NewResult(storetest.Pair("p1", "p2"), 3, 1, 103)
	if result.ID != want.ID || result.Counts != want.Counts || result.RTT.Min != want.RTT.Min {
		t.Errorf("%+v; want %+v", result, want)
	}
}

func TestSeriesFilters(t *testing.T) {
	s := hour(t)
	for query, want := range map[string]int{"": 30, "test=fabric": 20, "test=other": 10, "family=4": 20, "family=6": 10, "dscp=46": 10, "dscp=0": 20, "test=nothing": 0} {
		if got := s.series(t, "p1/p2/series?"+query); len(got.Results) != want {
			t.Errorf("%q: %d results; want %d", query, len(got.Results), want)
		}
	}
}

func TestSeriesOfAPair(t *testing.T) {
	s := hour(t)
	for path, want := range map[string]string{
		"p1/p9/series": `nothing is known of "p1" to "p9"`, "p9/p1/series": `nothing is known of "p9" to "p1"`,
		"rs1/p1/series":                      `nothing is known of "rs1" to "p1"`, // a target measures nothing
		"p1/p1/series":                       `nothing is known of "p1" to "p1"`,
		url.PathEscape("a/b") + "/p1/series": `nothing is known of "a/b" to "p1"`,
	} {
		s.get(t, "/api/v2/pairs/"+path).isProblem(t, http.StatusNotFound, want)
	}
	for path, want := range map[string]int{"p2/p1/series": 0, "p1/rs1/series": 0, "p1/gone/series": 10} { // what was measured stays
		if got := s.series(t, path); len(got.Results) != want || !got.Complete {
			t.Errorf("%s: %d results, complete %v; want %d", path, len(got.Results), got.Complete, want)
		}
	}
	if got := s.get(t, "/api/v2/pairs/p2/p1/series"); !strings.Contains(got.body, `"results":[]`) {
		t.Errorf("no results are %s", got.body)
	}
}

func TestSeriesThatIsNotUnderstood(t *testing.T) {
	s := hour(t)
	for query, want := range map[string]string{
		"from=" + at(5) + "&until=" + at(4): "from (2026-03-01T12:00:50Z) is after until (2026-03-01T12:00:40Z)",
		"from=" + at(11):                    "is after until", // which is now
		"from=yesterday":                    "from",
		"until=1772366400":                  "until",
		"family=5":                          "family",
		"until=9999-12-31T23:59:59-23:59":   "until is beyond",
		"from=0000-01-01T00:00:00%2B23:59":  "from is beyond",
		"until=0000-01-01T10:00:00Z":        "from is beyond", // a day before
	} {
		s.get(t, "/api/v2/pairs/p1/p2/series?"+query).isProblem(t, http.StatusUnprocessableEntity, want)
	}
}

func TestSeriesThatIsCut(t *testing.T) {
	for _, c := range []struct {
		most, want int
		complete   bool
	}{{9, 9, false}, {10, 10, true}, {11, 10, true}} {
		s := hour(t, func(v *show.Viewer) { v.Limit(c.most) })
		got := s.series(t, "p1/p2/series?test=other")
		if len(got.Results) != c.want || got.Complete != c.complete {
			t.Errorf("of at most %d: %d, complete %v; want %d, %v", c.most, len(got.Results), got.Complete, c.want, c.complete)
		}
	}
}

func TestOddNamesInAPath(t *testing.T) {
	const odd = `a/b "c" ?&=#%é`
	s := serve(t, strings.ReplaceAll(exchange, "name: rs1", `name: 'a/b "c" ?&=#%é'`))
	s.put(t, batch("p1", 0, names(odd), storetest.NewResult(storetest.Pair("p1", odd), 0, 0, 200)))
	got := s.series(t, "p1/"+url.PathEscape(odd)+"/series")
	if got.Target != odd || len(got.Results) != 1 {
		t.Errorf("%+v", got)
	}
}

func TestProbes(t *testing.T) {
	s := serve(t, exchange)
	heard := batch("p1", 0, names("p2"))
	heard.Inventory = "older"
	heard.Health.Waiting, heard.Health.Troubles = 3, []string{"the disk is full"}
	s.put(t, heard, batch("gone", 0, nil))
	s.now = storetest.At(1).Add(1500 * time.Millisecond)
	got := s.get(t, "/api/v2/probes")
	want := `{"inventory":"` + s.inventory.Version + `","probes":[` +
		`{"name":"p1","site":"rome-1","switch":"sw1","drain":false,"heard_at":"2026-03-01T12:00:10Z","age_s":1.5,"inventory":"older",` +
		`"health":{"version":"1.0","started_at":"2026-03-01T11:00:00Z","waiting":3,"waiting_bytes":0,"set_aside":0,"dropped":0,"missed":0,"troubles":["the disk is full"]}},` +
		`{"name":"p2","site":"rome-2","switch":"sw2","drain":true,"heard_at":null,"age_s":null,"inventory":null}]}`
	if strings.TrimSpace(got.body) != want {
		t.Errorf("got  %s\nwant %s", got.body, want)
	}
	s.now = storetest.At(0) // a clock that went back
	var probes wire.Probes
	s.get(t, "/api/v2/probes").into(t, &probes)
	if age := probes.Probes[0].AgeS; age == nil || *age != 0 {
		t.Errorf("the age is %v; want 0", age)
	}
}

// TestProbeWhoseClockIsAhead is heard all the same.
func TestProbeWhoseClockIsAhead(t *testing.T) {
	s := serve(t, exchange)
	s.put(t, batch("p1", 13, names("p2"))) // 2 minutes ahead: taken, as up to 5 are
	var probes wire.Probes
	s.get(t, "/api/v2/probes").into(t, &probes)
	if probes.Probes[0].HeardAt == nil {
		t.Error("a probe that just reported counts as never heard")
	}
}
