package show_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store/storetest"
	"ixpqos/internal/wire"
)

func (s *server) matrix(t *testing.T, query string) (m wire.Matrix) {
	t.Helper()
	s.get(t, "/api/v2/matrix"+query).into(t, &m)
	return m
}

func nameOf(c wire.Cell) string {
	return fmt.Sprintf("%s %s %s %d %d", c.Source, c.Target, c.Test, c.Family, c.DSCP)
}

// states are the cells' states by their names.
func states(m wire.Matrix) map[string]string {
	out := map[string]string{}
	for _, c := range m.Cells {
		out[nameOf(c)] = c.State
	}
	return out
}

// cell is the one that there must be.
func cell(t *testing.T, m wire.Matrix, source, target string) wire.Cell {
	t.Helper()
	for _, c := range m.Cells {
		if nameOf(c) == source+" "+target+" fabric 4 0" {
			return c
		}
	}
	t.Fatalf("no cell from %s to %s in %v", source, target, states(m))
	return wire.Cell{}
}

func TestMatrixHasTheExpectedPairsAndNoOthers(t *testing.T) {
	s := serve(t, exchange)
	s.put(t, batch("p1", 0, names("p2", "rs1"),
		storetest.NewResult(storetest.Pair("p1", "gone"), 0, 0, 200), // of an earlier inventory
		storetest.NewResult(ippm.Series{Source: "p1", Target: "p2", Test: "earlier", Family: 4}, 0, 0, 200)))
	m := s.matrix(t, "")
	if m.Exchange != "Example-IX" || m.Inventory != s.inventory.Version || !m.At.Equal(s.now) {
		t.Errorf("%q, %q, %v", m.Exchange, m.Inventory, m.At)
	}
	want := []string{"p1 p2 fabric 4 0", "p1 p2 fabric 6 0", "p1 rs1 fabric 4 0", "p1 p2 marked 4 46",
		"p2 p1 fabric 4 0", "p2 p1 fabric 6 0", "p2 rs1 fabric 4 0"}
	var got []string
	for _, c := range m.Cells {
		got = append(got, nameOf(c))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMatrixFilters(t *testing.T) {
	s := serve(t, exchange)
	for query, want := range map[string]int{
		"?test=marked": 1, "?test=fabric": 6, "?test=unknown": 0, "?family=6": 2, "?family=4": 5, "?dscp=0": 6, "?dscp=46": 1, "?dscp=63": 0,
		"?dscp=": 7, "?test=fabric&family=4&dscp=0": 4, "?test=marked&family=6": 0,
	} {
		got := s.get(t, "/api/v2/matrix"+query)
		var m wire.Matrix
		got.into(t, &m)
		if len(m.Cells) != want || !strings.Contains(got.body, `"cells":[`) {
			t.Errorf("%s: %v; want %d cells", query, states(m), want)
		}
	}
}

func TestMatrixRefusesWhatItDoesNotUnderstand(t *testing.T) {
	s := serve(t, exchange)
	for query, want := range map[string]string{
		"?family=5": "family", "?family=six": "family", "?dscp=64": "dscp", "?dscp=-1": "dscp", "?dscp=1x": "dscp",
		"?at=noon": "at", "?at=2026-03-01": "at",
		"?at=9999-12-31T23:59:59-23:59": "at is beyond", "?at=0000-01-01T00:00:00%2B23:59": "at is beyond",
	} {
		s.get(t, "/api/v2/matrix"+query).isProblem(t, http.StatusUnprocessableEntity, want)
	}
}

// TestPending: a pair counts when the newest batch of every end that is a
// probe, at the start of the shown interval, names the other.
func TestPending(t *testing.T) {
	pair := storetest.Pair("p1", "p2")
	to := func(target string, n int) ippm.Result {
		return storetest.NewResult(storetest.Pair("p1", target), n, 0, 200)
	}
	for _, c := range []struct {
		name        string
		batches     []ippm.Batch
		probe, rest string // states of p1 to p2 and to rs1
	}{
		{"nobody was heard", nil, "pending", "pending"},
		{"only the target was heard", []ippm.Batch{batch("p2", 0, names("p1", "rs1"))}, "pending", "pending"},
		{"only the source was heard", []ippm.Batch{batch("p1", 0, names("p2", "rs1"))}, "pending", "none"},
		{"the target does not know the source", []ippm.Batch{batch("p1", 0, names("p2", "rs1")), batch("p2", 0, names("rs1"))}, "pending", "none"},
		{"the source does not know them", []ippm.Batch{batch("p1", 0, nil), batch("p2", 0, names("p1"))}, "pending", "pending"},
		{"both know", []ippm.Batch{batch("p1", 0, names("p2", "rs1")), batch("p2", 0, names("p1"))}, "none", "none"},
		{"the newest batch counts", []ippm.Batch{batch("p2", 0, names("p1")), batch("p1", 0, names("p2", "rs1")), batch("p1", 1, names("rs1"))}, "pending", "none"},
		{"measured, and both know", []ippm.Batch{batch("p1", 0, names("p2", "rs1"), to("p2", 0), to("rs1", 0)), batch("p2", 0, names("p1"))}, "fresh", "fresh"},
		{"measured before the target knew", []ippm.Batch{batch("p1", 0, names("p2", "rs1"), to("p2", 0), to("rs1", 0)),
			batch("p2", 1, names("p1"))}, "pending", "fresh"},
		{"measured before the target knew, and after", []ippm.Batch{batch("p1", 0, names("p2", "rs1"), to("p2", 0)),
			batch("p2", 1, names("p1")), batch("p1", 1, names("p2", "rs1"), to("p2", 1), to("rs1", 1))}, "fresh", "fresh"},
		{"measured, then forgotten", []ippm.Batch{batch("p1", 0, names("p2", "rs1"), to("p2", 0), to("rs1", 0)), batch("p2", 0, names("p1")),
			batch("p2", 1, names("rs1"))}, "fresh", "fresh"}, // what is shown was measured when both knew
		{"lost, and the target does not know", []ippm.Batch{batch("p1", 0, names("p2", "rs1"), storetest.NewResult(pair, 0, 10), to("rs1", 0)),
			batch("p2", 0, names("rs1"))}, "pending", "fresh"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, exchange)
			s.now = storetest.At(2)
			s.put(t, c.batches...)
			m := s.matrix(t, "")
			if got := cell(t, m, "p1", "p2").State; got != c.probe {
				t.Errorf("the probe is %s; want %s", got, c.probe)
			}
			if got := cell(t, m, "p1", "rs1").State; got != c.rest {
				t.Errorf("the target is %s; want %s", got, c.rest)
			}
		})
	}
}

// acquainted has p1 and p2 know each other from the first interval on, in
// which both measured.
func acquainted(t *testing.T, s *server, result ippm.Result) {
	t.Helper()
	s.put(t, batch("p1", 0, names("p2", "rs1"), result), batch("p2", 0, names("p1", "rs1")))
}

func TestAgeOfACell(t *testing.T) {
	s := serve(t, exchange)
	r := storetest.NewResult(storetest.Pair("p1", "p2"), 0, 0, 200) // 10 s long
	acquainted(t, s, r)
	for _, c := range []struct {
		at    time.Time
		state string
		age   float64
	}{
		{r.Start.Add(5 * time.Second), wire.StateFresh, 0},
		{r.End(), wire.StateFresh, 0},
		{r.End().Add(30 * time.Second), wire.StateFresh, 30}, // two intervals, and 10 s to arrive
		{r.End().Add(30*time.Second + time.Millisecond), wire.StateStale, 30.001},
		{r.Start.Add(24 * time.Hour), wire.StateStale, 86390},
	} {
		s.now = c.at
		if got := cell(t, s.matrix(t, ""), "p1", "p2"); got.State != c.state || got.AgeS == nil || *got.AgeS != c.age {
			t.Errorf("at %v: %s, %v s old; want %s, %v s", c.at, got.State, *got.AgeS, c.state, c.age)
		}
	}
	s.now = r.Start.Add(24*time.Hour + 1)
	if got := cell(t, s.matrix(t, ""), "p1", "p2"); got.State != wire.StateNone || got.Sent != nil {
		t.Errorf("a day later: %+v", got)
	}
}

// TestALongTestIsNotForgotten has a test that runs once a day: its result is
// there until four of its intervals have gone by.
func TestALongTestIsNotForgotten(t *testing.T) {
	s := serve(t, strings.Replace(exchange, "every: 10s", "every: 24h", 1))
	r := storetest.NewResult(storetest.Pair("p1", "p2"), 0, 0, 200)
	r.Length = 24 * time.Hour
	acquainted(t, s, r)
	for after, want := range map[time.Duration]string{
		25 * time.Hour: wire.StateFresh, 73 * time.Hour: wire.StateStale, 97 * time.Hour: wire.StateNone,
	} {
		s.now = r.Start.Add(after)
		if got := cell(t, s.matrix(t, ""), "p1", "p2"); got.State != want {
			t.Errorf("after %v the cell is %s; want %s", after, got.State, want)
		}
	}
}

func TestMatrixOfThePast(t *testing.T) {
	s := serve(t, exchange)
	pair := storetest.Pair("p1", "p2")
	acquainted(t, s, storetest.NewResult(pair, 0, 0, 100))
	s.put(t, batch("p1", 5, names("p2"), storetest.NewResult(pair, 5, 0, 500)))
	s.now = storetest.At(6)
	for _, c := range []struct {
		at    time.Time
		state string
		rtt   float64
	}{
		{storetest.At(-1), wire.StatePending, 0},
		{storetest.At(1), wire.StateFresh, 100},
		{storetest.At(5).Add(-1), wire.StateStale, 100},
		{storetest.At(5), wire.StateFresh, 500},
		{storetest.At(6), wire.StateFresh, 500},
	} {
		m := s.matrix(t, "?at="+c.at.Format(time.RFC3339Nano))
		got := cell(t, m, "p1", "p2")
		if got.State != c.state || !m.At.Equal(c.at) || (got.RTTMinUS != nil) != (c.rtt != 0) || got.RTTMinUS != nil && *got.RTTMinUS != c.rtt {
			t.Errorf("at %v: %+v; want %s, %v µs", c.at, got, c.state, c.rtt)
		}
	}
	if m := s.matrix(t, "?at=2026-03-01T13:00:10%2B01:00"); m.At.Location() != time.UTC || cell(t, m, "p1", "p2").State != wire.StateFresh {
		t.Errorf("another time zone: %v, %v", m.At, states(m))
	}
}

func TestTotalLossHasNoRTT(t *testing.T) {
	s := serve(t, exchange)
	acquainted(t, s, storetest.NewResult(storetest.Pair("p1", "p2"), 0, 10))
	const want = `{"source":"p1","target":"p2","test":"fabric","family":4,"dscp":0,"state":"fresh","start":"2026-03-01T12:00:00Z","length_s":10,"age_s":0,` +
		`"sent":10,"received":0,"late":0,"lost":10,"lost_forward":0,"lost_backward":0,"lost_unplaced":10,"duplicates":0,"reordered":0,"refused":0,"unserved":0,"loss_ratio":1,"rtt_min_us":null,"rtt_p50_us":null,"rtt_p95_us":null,"rtt_max_us":null}`
	if got := s.get(t, "/api/v2/matrix?test=fabric&family=4"); !strings.Contains(got.body, want) {
		t.Errorf("there is no\n%s in\n%s", want, got.body)
	}
}

func TestPairThatLeftTheInventory(t *testing.T) {
	s := serve(t, exchange)
	acquainted(t, s, storetest.NewResult(storetest.Pair("p1", "p2"), 0, 0, 200))
	s.inventory = parse(t, strings.Replace(exchange, `p2, site: rome-2`, `p3, site: rome-2`, 1)[:strings.Index(exchange, "  - {name: marked")])
	want := map[string]string{"p1 p3 fabric 4 0": "pending", "p1 p3 fabric 6 0": "pending", "p1 rs1 fabric 4 0": "none",
		"p3 p1 fabric 4 0": "pending", "p3 p1 fabric 6 0": "pending", "p3 rs1 fabric 4 0": "pending"}
	m := s.matrix(t, "")
	if diff := cmp.Diff(want, states(m)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if m.Inventory != s.inventory.Version {
		t.Errorf("inventory %s; want %s", m.Inventory, s.inventory.Version)
	}
}

func TestStoreIsAway(t *testing.T) {
	s := serve(t, exchange)
	acquainted(t, s, storetest.NewResult(storetest.Pair("p1", "p2"), 0, 0, 200))
	damage(t, s.path, s.path+"-wal")
	for _, path := range []string{"/api/v2/matrix", "/api/v2/probes", "/api/v2/pairs/p1/p2/series", "/api/v2/pairs/p1/p2/flows"} {
		got := s.get(t, path)
		got.isProblem(t, http.StatusServiceUnavailable, "the store cannot be read now; the server's log says why")
		if strings.Contains(got.body, s.path) || !strings.Contains(s.log.String(), s.path) {
			t.Errorf("%s: said %s, logged %s", path, got.body, s.log)
		}
		s.log.Reset()
	}
	page := s.get(t, "/")
	if page.StatusCode != http.StatusServiceUnavailable || !strings.Contains(page.body, `role="alert">The store cannot be read now; the server&#39;s log says why.`) {
		t.Errorf("the page: %d, %s", page.StatusCode, page.body)
	}
	if !strings.Contains(page.body, "Example-IX") || strings.Contains(page.body, "No pair is to be measured") {
		t.Errorf("the page blames the inventory: %s", page.body)
	}
}

// damage takes the content of files, as a failing disk would. (A file that is
// moved away can still be read by who has it open.)
func damage(t *testing.T, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if err := os.Truncate(path, 0); err != nil {
			t.Fatal(err)
		}
	}
}
