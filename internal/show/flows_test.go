package show_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ixpqos/internal/ippm"
	"ixpqos/internal/show"
	"ixpqos/internal/store/storetest"
	"ixpqos/internal/wire"
)

func (s *server) flows(t *testing.T, path string) (out wire.Flows) {
	t.Helper()
	s.get(t, "/api/v2/pairs/"+path).into(t, &out)
	return out
}

// TestSilentFlowIsPlaced: of three intervals the target heard nothing, 40 and,
// as far as is known, nothing was said.
func TestSilentFlowIsPlaced(t *testing.T) {
	s := serve(t, exchange)
	s.now = storetest.At(3)
	var results []ippm.Result
	for n := range 3 {
		results = append(results, silent(storetest.Pair("p1", "p2"), n))
		s.put(t, batch("p1", n, names("p2"), results[n]))
	}
	s.put(t, heard(results[0], 0), heard(results[1], 40))
	got := s.flows(t, "p1/p2/flows")
	if got.Source != "p1" || got.Target != "p2" || !got.Complete || len(got.Results) != 3 {
		t.Fatalf("%+v", got)
	}
	type placed struct {
		Placed                      bool
		Forward, Backward, Unplaced int
		Lossy                       [3][]int // forward, backward, unplaced
	}
	seconds := []int{0, 9}
	for n, want := range []placed{
		{true, 40, 0, 0, [3][]int{seconds, {}, {}}},
		{true, 0, 40, 0, [3][]int{{}, seconds, {}}},
		{false, 0, 0, 40, [3][]int{{}, {}, seconds}},
	} {
		r := got.Results[n]
		if !r.Start.Equal(storetest.At(n)) || len(r.Flows) != 2 || r.Flows[0].Port != 61000 || r.Flows[0].Lost != 0 || r.Flows[1].Port != 61001 {
			t.Fatalf("%d: %+v", n, r)
		}
		flow := r.Flows[1]
		if diff := cmp.Diff(want, placed{r.Placed, flow.Forward, flow.Backward, flow.Unplaced, [3][]int{flow.LossyForward, flow.LossyBackward, flow.LossyUnplaced}}); diff != "" {
			t.Errorf("%d (-want +got):\n%s", n, diff)
		}
		if r.Sent != 80 || r.Lost != 40 || r.Forward != want.Forward || r.Backward != want.Backward || r.Unplaced != want.Unplaced {
			t.Errorf("%d, of all flows: %+v", n, r.FlowCounts)
		}
	}
}

// manyFlows has results of p1 to p2 with two flows in each of 40 intervals, and
// of every tenth in IPv6 and with DSCP 46 too.
func manyFlows(t *testing.T, change ...func(*show.Viewer)) *server {
	s := serve(t, exchange, change...)
	s.now = storetest.At(40)
	for n := range 40 {
		results := []ippm.Result{silent(storetest.Pair("p1", "p2"), n), storetest.NewResult(storetest.Pair("p1", "rs1"), n, 0, 100)}
		if n%10 == 0 {
			six, marked := storetest.Pair("p1", "p2"), storetest.Pair("p1", "p2")
			six.Family, marked.DSCP, marked.Test = 6, 46, "marked"
			results = append(results, silent(six, n), silent(marked, n))
		}
		s.put(t, batch("p1", n, names("p2", "rs1"), results...))
	}
	return s
}

func TestFlowsFilters(t *testing.T) {
	s := manyFlows(t)
	for query, want := range map[string]int{
		"":                                  36, // 5 minutes of 10 s; of IPv6 and DSCP 46 those of 10, 20 and 30
		"test=fabric":                       33,
		"test=marked":                       3,
		"test=nothing":                      0,
		"family=6":                          3,
		"dscp=46":                           3,
		"dscp=0&family=4":                   30,
		"until=" + at(20):                   24,
		"from=" + at(0) + "&test=marked":    4,
		"from=" + at(2) + "&until=" + at(5): 3,
	} {
		if got := s.flows(t, "p1/p2/flows?"+query); len(got.Results) != want || !got.Complete {
			t.Errorf("%q: %d results, complete %v; want %d", query, len(got.Results), got.Complete, want)
		}
	}
	if got := s.flows(t, "p1/p2/flows"); !got.Until.Equal(s.now) || !got.From.Equal(s.now.Add(-5*time.Minute)) {
		t.Errorf("%v to %v", got.From, got.Until)
	}
}

func TestFlowsThatAreCut(t *testing.T) {
	for _, c := range []struct {
		most, want int
		complete   bool
	}{{7, 3, false}, {8, 4, true}, {9, 4, true}} {
		s := manyFlows(t, func(v *show.Viewer) { v.Limit(c.most) })
		got := s.flows(t, "p1/p2/flows?family=6&from="+at(0))
		if len(got.Results) != c.want || got.Complete != c.complete {
			t.Errorf("of at most %d flows: %d results, complete %v; want %d, %v", c.most, len(got.Results), got.Complete, c.want, c.complete)
		}
	}
}

func TestFlowsOfAPair(t *testing.T) {
	s := manyFlows(t)
	for path, want := range map[string]string{
		"p1/p9/flows":  `nothing is known of "p1" to "p9"`,
		"rs1/p1/flows": `nothing is known of "rs1" to "p1"`,
		"p1/p1/flows":  `nothing is known of "p1" to "p1"`,
	} {
		s.get(t, "/api/v2/pairs/"+path).isProblem(t, http.StatusNotFound, want)
	}
	for _, path := range []string{"p2/p1/flows", "p1/rs1/flows"} { // nothing measured, and nothing with flows
		if got := s.get(t, "/api/v2/pairs/"+path); got.StatusCode != http.StatusOK || !strings.Contains(got.body, `"results":[],"complete":true`) {
			t.Errorf("%s: %d, %s", path, got.StatusCode, got.body)
		}
	}
	for query, want := range map[string]string{
		"from=" + at(5) + "&until=" + at(4): "is after until",
		"from=yesterday":                    "from",
		"family=5":                          "family",
		"dscp=64":                           "dscp",
		"until=9999-12-31T23:59:59-23:59":   "until is beyond",
	} {
		s.get(t, "/api/v2/pairs/p1/p2/flows?"+query).isProblem(t, http.StatusUnprocessableEntity, want)
	}
}

// TestFlowsThatNothingMeasures: an answer without results says why, where that
// is not the time that was asked for.
func TestFlowsThatNothingMeasures(t *testing.T) {
	s := serve(t, exchange+"  - {name: flows, kind: stamp, sources: [p1], targets: [p2]}\n")
	s.now = storetest.At(40)
	for path, want := range map[string]string{
		"p2/p1/flows":             `no test of kind stamp measures from "p2" to "p1", and only such a test has flows: /series has the results of all others`,
		"p1/rs1/flows":            `no test of kind stamp measures from "p1" to "rs1", and only such a test has flows: /series has the results of all others`,
		"p1/p2/flows":             "",
		"p1/p2/flows?test=flows":  "",
		"p1/p2/flows?test=marked": `no test of kind stamp and of the name "marked" measures from "p1" to "p2", and only such a test has flows: /series has the results of all others`,
	} {
		got := s.flows(t, path)
		if got.Note != want || len(got.Results) != 0 || !got.Complete {
			t.Errorf("%s: note %q, complete %v; want %q", path, got.Note, got.Complete, want)
		}
	}
	// What is there speaks for itself, also where its test is gone.
	s.put(t, batch("p2", 39, names("p1"), silent(storetest.Pair("p2", "p1"), 39)))
	if got := s.get(t, "/api/v2/pairs/p2/p1/flows"); strings.Contains(got.body, `"note"`) || !strings.Contains(got.body, `"port":61000`) {
		t.Errorf("with results: %s", got.body)
	}
}

// TestSeriesIsPlaced: a result is as its flows are, where it has unplaced losses
// and the reflector told; all else of it stays.
func TestSeriesIsPlaced(t *testing.T) {
	s := serve(t, exchange)
	s.now = storetest.At(5)
	pair := storetest.Pair("p1", "p2")
	forward, backward, untold := silent(pair, 1), silent(pair, 3), silent(pair, 2)
	forward.Detail = storetest.NewDetail(10, 20)
	whole := storetest.NewResult(pair, 0, 0, 100)
	ping := silent(pair, 4)
	ping.Kind = "icmp"
	s.put(t, batch("p1", 0, names("p2"), whole, forward, untold, backward, ping), heard(forward, 0), heard(backward, 40), heard(ping, 0))
	got := s.series(t, "p1/p2/series")
	var placed [][3]int
	for _, r := range got.Results {
		placed = append(placed, [3]int{r.Forward, r.Backward, r.Unplaced})
	}
	if diff := cmp.Diff([][3]int{{}, {40, 0, 0}, {0, 0, 40}, {0, 40, 0}, {0, 0, 40}}, placed); diff != "" {
		t.Errorf("forward, backward, unplaced (-want +got):\n%s", diff)
	}
	r := got.Results[1]
	if r.Lost != 40 || *r.LossRatio != 0.5 || r.Kind != "stamp" || *r.RTTP50US != 180 || r.Seen == nil || r.LowTTL != forward.Detail.LowTTL || !r.StoredAt.Equal(s.now) {
		t.Errorf("%+v, %+v", r, r.Derived)
	}
}
