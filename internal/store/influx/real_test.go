package influx_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
	"ixpqos/internal/store/influx"
	"ixpqos/internal/store/storetest"
)

// TestInit: a second run finds what the first made, and tokens may do what they
// are for and nothing else (TestUnavailable).
func TestInit(t *testing.T) {
	keep := influx.Retention{Raw: 2 * time.Hour, FiveMinutes: 3 * time.Hour, Hours: 0, Flows: 4 * time.Hour, Rows: 5 * time.Hour}
	w := newWorldKeeping(t, keep)
	again, err := influx.Init(t.Context(), w.URL, w.Org, w.Token, w.buckets, influx.DefaultRetention)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []influx.Bucket{{Name: w.buckets.Raw, Keeps: keep.Raw}, {Name: w.buckets.FiveMinutes, Keeps: keep.FiveMinutes},
		{Name: w.buckets.Hours, Keeps: keep.Hours}, {Name: w.buckets.Flows, Keeps: keep.Flows}, {Name: w.buckets.Rows, Keeps: keep.Rows}} {
		if again.Buckets[i] != want {
			t.Errorf("then %+v, not %+v", again.Buckets[i], want)
		}
		want.Made = true
		if w.tokens.Buckets[i] != want {
			t.Errorf("first %+v, not %+v", w.tokens.Buckets[i], want)
		}
	}
	for _, use := range []struct {
		use   influx.Use
		token influx.Token
	}{{influx.Writing, again.Write}, {influx.Reading, again.Read}, {influx.ReadingAndWriting, again.Evaluate}, {influx.Writing, w.tokens.Write}} {
		opts := w.options()
		opts.Token, opts.Use = use.token.Secret, use.use
		if err := open(t, opts).Ready(t.Context()); err != nil {
			t.Errorf("use %d: %v", use.use, err)
		}
	}
	for org, token := range map[string]string{w.Org: "nonsense", "nobody": w.Token, w.Org + " ": w.tokens.Evaluate.Secret} {
		_, err := influx.Init(t.Context(), w.URL, org, token, w.buckets, influx.DefaultRetention)
		if err == nil {
			t.Errorf("Init of %q with %q succeeded", org, token)
		} else if !strings.Contains(err.Error(), "operator's token") && !strings.Contains(err.Error(), "that of an operator") || strings.Contains(err.Error(), "ixpqos-server init") {
			t.Errorf("Init of %q with another token advises: %v", org, err)
		}
	}
}

// TestFirstVersionsPoints: dashboards of the first version find theirs.
func TestFirstVersionsPoints(t *testing.T) {
	w := newWorld(t)
	s := open(t, w.options())
	six := storetest.NewPing("p1", "p2", 0)
	six.Family = 6
	lost := store.Ping{Source: "p1", Target: "p3", Family: 4, At: storetest.At(0), Loss: 1}
	if _, err := s.PutPings(t.Context(), []store.Ping{storetest.NewPing("p1", "p2", 0), six, lost}); err != nil {
		t.Fatal(err)
	}
	got := w.Query(t, fmt.Sprintf(`from(bucket: %q) |> range(start: 2026-01-01T00:00:00Z)
		|> filter(fn: (r) => r._measurement == "Ping" and r.status == "ok") |> keep(columns: ["_time", "_field", "_value", "source", "target"])`, w.buckets.Raw))
	for _, want := range []string{"avg,0.3,p1,p2", "jitter,0.04,p1,p2", "loss,0.1,p1,p2", "max,0.3333333333333333,p1,p2", "min,0.25,p1,p2", "loss,1,p1,p3"} {
		part := strings.Split(want, ",")
		for _, at := range []string{"2026-03-01T12:00:00Z", "2026-03-01T12:00:00.000000001Z"} {
			if part[3] == "p3" && strings.HasSuffix(at, "1Z") {
				continue
			}
			if line := strings.Join([]string{"", "_result", "", at, part[1], part[0], part[2], part[3]}, ","); !contains(got, line) {
				t.Errorf("no %q in\n%s", line, got)
			}
		}
	}
	if strings.Contains(got, "avg,p1,p3") {
		t.Errorf("an average where all was lost:\n%s", got)
	}
}

// contains looks for a record, whatever the number of its table.
func contains(answer, line string) bool {
	want := strings.Split(line, ",")
	for _, record := range strings.Split(answer, "\r\n") {
		got := strings.Split(record, ",")
		if len(got) > 2 {
			got[2] = ""
		}
		slices.Sort(got)
		sorted := slices.Clone(want)
		slices.Sort(sorted)
		if slices.Equal(got, sorted) {
			return true
		}
	}
	return false
}

// TestNamesThroughTags lets InfluxDB's own parser read names of the characters
// that its line protocol and its query language treat specially.
func TestNamesThroughTags(t *testing.T) {
	s := open(t, newWorld(t).options())
	alphabet := []string{`\`, `\`, ",", "=", " ", `"`, "$", "{", "}", "é", "a", "n", "#", "'", "\u00a0", "\u2028", "🎯", "/*", "//", "|>"}
	names := map[string]bool{}
	for len(names) < 2000 {
		name := ""
		for range 1 + rand.IntN(6) {
			name += alphabet[rand.IntN(len(alphabet))]
		}
		if ippm.CheckName(name) == nil && name != "p1" {
			names[name] = true
		}
	}
	var want []string
	var pings []store.Ping
	for name := range names {
		want = append(want, name)
		pings = append(pings, storetest.NewPing("p1", name, 0))
	}
	slices.Sort(want)
	for _, name := range want[:100] {
		pings = append(pings, storetest.NewPing(name, "p1", 0))
	}
	if _, err := s.PutPings(t.Context(), pings); err != nil {
		t.Fatal(err)
	}
	checkTargets(t, s, "p1", want)
	for _, name := range want[:100] {
		checkTargets(t, s, name, []string{"p1"})
	}
	for _, hostile := range []string{`") or true or ("`, `${1}`, "\x00\xff", "a\nb", `\`, "", `" |> drop(columns: ["source"])`} {
		checkTargets(t, s, hostile, nil)
	}
}

func checkTargets(t *testing.T, s *influx.Store, source string, want []string) {
	t.Helper()
	pings, err := s.LastPings(t.Context(), source)
	if err != nil {
		t.Errorf("%q: %v", source, err)
	}
	var got []string
	for _, p := range pings {
		got = append(got, p.Target)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q has %d targets, not %d", source, len(got), len(want))
	}
}

// TestPieces: pieces of one row come one after the other, and one again.
func TestPieces(t *testing.T) {
	s := open(t, newWorld(t).options())
	whole := batchOf("p2", "p3", "p4")
	piece := batchOf("p2")
	other := batchOf("p3", "p4", "p5")
	put(t, s, whole, piece, other, whole, piece)
	want := append(slices.Clone(whole.Results), other.Results[2])
	got, err := s.Latest(t.Context(), store.Filter{}, storetest.At(0), storetest.At(0))
	if err != nil {
		t.Fatal(err)
	}
	if diff := storetest.DiffResults(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestLarge is a batch of more lines than one request has, in rows of more
// results than one field has, and with a result of one series twice.
func TestLarge(t *testing.T) {
	for _, gzip := range []bool{false, true} {
		t.Run(fmt.Sprint("gzip ", gzip), func(t *testing.T) {
			opts := newWorld(t).options()
			opts.Gzip = gzip
			s := open(t, opts)
			batch := storetest.NewBatch("p1", 0)
			for i := range 5500 {
				batch.Results = append(batch.Results, storetest.NewResult(storetest.Pair("p1", fmt.Sprintf("t%04d", i)), 0, 0, float64(i)))
			}
			want := slices.Clone(batch.Results)
			old := batch.Results[7]
			old.Sent, old.Unplaced = old.Sent+1, 1
			batch.Results = append([]ippm.Result{old}, batch.Results...)
			put(t, s, batch)
			got, err := s.Latest(t.Context(), store.Filter{}, storetest.At(0), storetest.At(0))
			if err != nil {
				t.Fatal(err)
			}
			if diff := storetest.DiffResults(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := storetest.DiffResults(want[7:8], between(t, s, "p1", want[7].Target)); diff != "" {
				t.Errorf("range (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRewritten: a result that comes again with less in it leaves nothing of
// the first, though InfluxDB merges fields.
func TestRewritten(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 11, 987654321, time.FixedZone("CET", 3600))
	opts := newWorld(t).options()
	opts.Now = func() time.Time { return now }
	s := open(t, opts)
	put(t, s, batchOf("p2"))
	now = now.Add(time.Minute)
	lost := storetest.NewResult(storetest.Pair("p1", "p2"), 0, 1)
	lost.Kind = "icmp"
	put(t, s, storetest.NewBatch("p1", 0, lost))
	got, err := s.Latest(t.Context(), store.Filter{}, storetest.At(0), storetest.At(0))
	if err != nil {
		t.Fatal(err)
	}
	for what, got := range map[string][]store.Stored{"latest": got, "range": between(t, s, "p1", "p2")} {
		if diff := storetest.DiffResults([]ippm.Result{lost}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
		if got[0].StoredAt != now.UTC() {
			t.Errorf("%s: stored at %v, not %v", what, got[0].StoredAt, now.UTC())
		}
	}
}
