package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ixpqos/internal/ippm"
	"ixpqos/internal/wire"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// result makes a good result; breakIt may change it.
func result(t testing.TB, target string, lost int, rtts ...float64) ippm.Result {
	t.Helper()
	r := ippm.Result{
		ID:     ippm.ID{Series: ippm.Series{Source: "p1", Target: target, Test: "ping", Family: 4}, Start: start},
		Counts: ippm.Counts{Sent: len(rtts) + lost, Received: len(rtts), Unplaced: lost},
		Kind:   "icmp", Length: 5 * time.Minute,
	}
	for _, us := range rtts {
		if err := r.RTT.Add(us); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// withFlows is a good result of which everything is known.
func withFlows(t testing.TB) ippm.Result {
	t.Helper()
	r := result(t, "p6", 1, 100, 200)
	r.Kind, r.Length = "stamp", 10*time.Second
	r.Flows = []ippm.Flow{
		{Port: 61000, Counts: ippm.Counts{Sent: 2, Received: 2}, Samples: 2, Median: 150.125, Max: 200, OneWayForward: -3.5e9, OneWayBackward: 3.5e9},
		{Port: 61001, Counts: ippm.Counts{Sent: 1, Unplaced: 1}, LossyUnplaced: 1<<9 | 1},
	}
	r.Detail = &ippm.Detail{IPDVForward: ippm.Moments{N: 1, Min: 100, Max: 100, Mean: 100},
		OneWayBackward:  ippm.OneWay{Moments: ippm.Moments{N: 2, Min: 50, Max: 70, Mean: 60, M2: 200}, Error: 12.5},
		RemarkedForward: 1, LowTTL: 2, KernelT1: 2, KernelT4: 1}
	return r
}

func heardFrom(source string) ippm.Heard {
	return ippm.Heard{ID: ippm.ID{Series: ippm.Series{Source: source, Target: "p1", Test: "fabric", Family: 6, DSCP: 46}, Start: start},
		Length: 10 * time.Second, Flows: []ippm.HeardFlow{{Port: 61000, Heard: 40, Answered: 39}}}
}

// same compares sketches by their bytes, and what goes through a square root
// and back to a billionth.
var same = cmp.Options{
	cmp.Comparer(func(a, b ippm.Sketch) bool { return string(a.Encode()) == string(b.Encode()) }),
	cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".M2" }, cmpopts.EquateApprox(1e-9, 0)),
	cmpopts.EquateEmpty(),
}

func encode(t testing.TB, b ippm.Batch) []byte {
	t.Helper()
	body, err := wire.EncodeBatch(b)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestBatchComesBackAsItWas(t *testing.T) {
	first := 1234567 * time.Nanosecond
	nothing := time.Duration(0)
	full := result(t, "p2", 0, 180.25, 200.5, 1e-3, 0, 7e6, 200.5, 1.0/3)
	full.Counts = ippm.Counts{Sent: 31, Received: 7, Late: 3, Forward: 5, Backward: 6, Unplaced: 10, Duplicates: 2, Reordered: 1, Refused: 4, Unserved: 8}
	full.First = &first
	six := result(t, "p2", 0, 55.5)
	six.Family, six.DSCP, six.First = 6, 63, &nothing
	odd := result(t, `“¿p=3?”, "<b>" & \n`, 1, 1e-9, math.MaxInt32)
	odd.Source, odd.Test, odd.Kind = "a, b", "日本", "null"
	odd.Start, odd.Length = start.Add(123456789), 1234567891*time.Nanosecond
	untimed := result(t, "p3", 0)
	untimed.Sent, untimed.Received = 3, 3
	unsent := result(t, "p4", 0)
	unsent.Refused = 10
	batch := ippm.Batch{Probe: "p1", Inventory: "4f1d", Run: "0123456789abcdef", Peers: []string{"p2", "日本"}, Views: []uint32{0, math.MaxUint32}, Start: start,
		Health: ippm.Health{Version: "1.2.3", StartedAt: start.Add(-123456789), Waiting: 1, WaitingBytes: 1 << 40, SetAside: 2,
			Dropped: 3, Missed: 4, Troubles: []string{"line\nbreak", "“¿qué?”"}},
		Results: []ippm.Result{full, six, odd, untimed, unsent, result(t, "p5", 10), withFlows(t)},
		Heard:   []ippm.Heard{heardFrom("p2"), {ID: heardFrom("日本").ID, Length: time.Nanosecond}}}
	for _, r := range batch.Results {
		if err := r.Check(); err != nil {
			t.Fatal(err)
		}
	}
	got, err := wire.DecodeBatch(encode(t, batch), len(batch.Results)+len(batch.Heard))
	if err != nil {
		t.Fatal(err)
	}
	want := wire.Posted{Batch: batch, ResultsSorted: wire.Sorted{Places: []int{0, 1, 2, 3, 4, 5, 6}}, HeardSorted: wire.Sorted{Places: []int{0, 1}}}
	if diff := cmp.Diff(want, got, same); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTimesComeBackInUTC(t *testing.T) {
	abroad := time.FixedZone("UTC+5:45", 20700)
	r := result(t, "p2", 0, 200)
	r.Start = r.Start.In(abroad)
	batch := ippm.Batch{Probe: "p1", Start: start.In(abroad), Health: ippm.Health{StartedAt: start.In(abroad)}, Results: []ippm.Result{r}}
	body := encode(t, batch)
	if strings.Contains(string(body), "+05:45") {
		t.Errorf("a time is not written in UTC: %s", body)
	}
	body = []byte(strings.ReplaceAll(string(body), "2026-03-01T12:00:00Z", "2026-03-01T17:45:00+05:45"))
	got, err := wire.DecodeBatch(body, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []time.Time{got.Start, got.Health.StartedAt, got.Results[0].Start} {
		if at != start {
			t.Errorf("%v came back as %v", start, at)
		}
	}
}

func TestSignOfLife(t *testing.T) {
	batch := ippm.Batch{Probe: "p1", Start: start}
	const want = `{"probe":"p1","inventory":"","peers":[],"start":"2026-03-01T12:00:00Z","health":{"version":"","started_at":"0001-01-01T00:00:00Z",` +
		`"waiting":0,"waiting_bytes":0,"set_aside":0,"dropped":0,"missed":0,"troubles":[]},"results":[]}`
	body := encode(t, batch)
	if string(body) != want {
		t.Errorf("got  %s\nwant %s", body, want)
	}
	got, err := wire.DecodeBatch(body, 0)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wire.Posted{Batch: batch}, got, same); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestBatchWithATimeThatJSONCannotHoldIsAnError(t *testing.T) {
	_, err := wire.EncodeBatch(ippm.Batch{Probe: "p1", Start: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)})
	if err == nil || !strings.Contains(err.Error(), "encode the batch of 10000-01-01T00:00:00Z") {
		t.Errorf("error = %v", err)
	}
}

// posted is a good result as JSON, with some fields replaced; nil removes one.
func posted(t testing.TB, changes map[string]any) json.RawMessage {
	t.Helper()
	fields := map[string]any{}
	body, err := json.Marshal(wire.FromResult(result(t, "p2", 1, 100, 200)))
	if err == nil {
		err = json.Unmarshal(body, &fields)
	}
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(fields, changes)
	maps.DeleteFunc(fields, func(_ string, value any) bool { return value == nil })
	return marshal(t, fields)
}

func marshal(t testing.TB, value any) json.RawMessage {
	t.Helper()
	body, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestBadResultIsNamedAndCostsNoOther(t *testing.T) {
	long := strings.Repeat("é", 4000)
	named := wire.Rejected{Index: 1, Source: "p1", Target: "p2", Test: "ping", Family: 4, Start: &start}
	unread := wire.Rejected{Index: 1, Source: "p1", Family: 4} // what stood before it
	with := func(change func(*wire.Rejected)) wire.Rejected { r := named; change(&r); return r }
	for _, c := range []struct {
		name, reason string
		bad          json.RawMessage
		want         wire.Rejected
	}{
		{"null", "a JSON null is not what belongs here", json.RawMessage("null"), wire.Rejected{Index: 1}},
		{"a number", "a JSON number is not what belongs here", json.RawMessage("5"), wire.Rejected{Index: 1}},
		{"a list", "a JSON array is not what belongs here", json.RawMessage("[1]"), wire.Rejected{Index: 1}},
		{"an empty object", `source "" is empty`, json.RawMessage("{}"), wire.Rejected{Index: 1}},
		{"a count as text", "sent: a JSON string is not what belongs here", posted(t, map[string]any{"sent": "3"}), named},
		{"half a packet", "sent: a JSON number 1.5 is not what belongs here", posted(t, map[string]any{"sent": 1.5}), named},
		{"a count beyond all", "received: a JSON number 1e30 is not what belongs here", posted(t, map[string]any{"received": json.RawMessage("1e30")}), named},
		{"a family that no byte holds", "family: a JSON number 300 is not what belongs here", posted(t, map[string]any{"family": 300}),
			with(func(r *wire.Rejected) { r.Family = 0 })},
		{"source as a number", "source: a JSON number is not what belongs here", posted(t, map[string]any{"source": 1}),
			with(func(r *wire.Rejected) { r.Source = "" })},
		{"negative sent", "sent is -3; it cannot be negative", posted(t, map[string]any{"sent": -3}), named},
		{"negative loss", "lost_forward is -1; it cannot be negative", posted(t, map[string]any{"lost_forward": -1, "lost_unplaced": 2}), named},
		{"negative duplicates", "duplicates is -1; it cannot be negative", posted(t, map[string]any{"duplicates": -1}), named},
		{"loss that does not add up", "sent is 3, but received 2, late 0 and lost 2 make 4", posted(t, map[string]any{"lost_unplaced": 2}), named},
		{"counts that wrap around", "received is 9223372036854775807; it is at most", posted(t, map[string]any{
			"sent": 0, "received": math.MaxInt64, "late": math.MaxInt64, "lost_unplaced": 2}), named},
		{"negative RTT", "rtt_min_us is -1; it cannot be negative", posted(t, map[string]any{"rtt_min_us": -1}), named},
		{"negative first RTT", "first_rtt_us is -1; it is out of range", posted(t, map[string]any{"first_rtt_us": -1}), named},
		{"endless first RTT", "first_rtt_us is 1e+300; it is out of range", posted(t, map[string]any{"first_rtt_us": 1e300}), named},
		{"negative deviation", "rtt_stddev_us is -1; it cannot be negative", posted(t, map[string]any{"rtt_stddev_us": -1}), named},
		{"an RTT that no float holds", "rtt_max_us: a JSON number 1e400 is not what belongs here", posted(t, map[string]any{"rtt_max_us": json.RawMessage("1e400")}), named},
		{"a deviation whose square no float holds", "rtt has a value that is not finite", posted(t, map[string]any{"rtt_stddev_us": 1e300}), named},
		{"RTTs out of order", "rtt has min 500, mean 150, max 200: not in order", posted(t, map[string]any{"rtt_min_us": 500}), named},
		{"more RTTs than replies", "3 round-trip times for 2 received packets", posted(t, map[string]any{"rtt_count": 3}), named},
		{"negative number of RTTs", "rtt has a negative number of samples", posted(t, map[string]any{"rtt_count": -2}), named},
		{"no RTT, but values", "rtt_count is 0, but there are round-trip times", posted(t, map[string]any{"rtt_count": 0}), named},
		{"no RTT, but a sketch", "rtt_count is 0, but there is a sketch", posted(t, map[string]any{"rtt_count": nil,
			"rtt_min_us": nil, "rtt_mean_us": nil, "rtt_max_us": nil, "rtt_stddev_us": nil}), named},
		{"RTTs without a mean", "rtt_mean_us, rtt_max_us or rtt_stddev_us is missing", posted(t, map[string]any{"rtt_mean_us": nil}), named},
		{"RTTs without a sketch", "rtt has 2 samples but a sketch of 0", posted(t, map[string]any{"rtt_sketch": nil}), named},
		{"a sketch that is no base64", "rtt_sketch: illegal base64 data at input byte 0", posted(t, map[string]any{"rtt_sketch": "!!!"}), named},
		{"a sketch as a number", "rtt_sketch: a JSON number is not what belongs here", posted(t, map[string]any{"rtt_sketch": 5}), named},
		{"a sketch of broken bytes", "rtt_sketch: ", posted(t, map[string]any{"rtt_sketch": []byte{0xff}}), named},
		{"a sketch that is cut", "rtt_sketch: ", posted(t, map[string]any{"rtt_sketch": result(t, "p2", 1, 100, 200).RTT.Sketch.Encode()[:3]}), named},
		{"negative unserved", "unserved is -1; it cannot be negative", posted(t, map[string]any{"unserved": -1}), named},
		{"flows that are no base64", "flows: illegal base64 data at input byte 0", posted(t, map[string]any{"flows": "!!!"}), named},
		{"flows as a list", "flows: a JSON array is not what belongs here", posted(t, map[string]any{"flows": []any{}}), named},
		{"flows of broken bytes", "flows: version 255 is not known", posted(t, map[string]any{"flows": []byte{0xff}}), named},
		{"a detail that is no base64", "detail: illegal base64 data at input byte 0", posted(t, map[string]any{"detail": "!!!"}), named},
		{"a detail that is cut", "detail: it is cut", posted(t, map[string]any{"detail": withFlows(t).Detail.Encode()[:9]}), named},
		{"no start", "start is 0001-01-01T00:00:00Z; that is no time of a measurement", posted(t, map[string]any{"start": nil}),
			with(func(r *wire.Rejected) { r.Start = nil })},
		{"a start that is no time", `"yesterday" is no time`, posted(t, map[string]any{"start": "yesterday"}), unread},
		{"a start as a number", "a time is text as in RFC 3339", posted(t, map[string]any{"start": 1772366400}), unread},
		{"a start that UTC cannot hold", "that is no time of a measurement", posted(t, map[string]any{"start": "9999-12-31T23:59:59-23:00"}),
			with(func(r *wire.Rejected) { r.Start = nil })},
		{"no length", "length is 0s", posted(t, map[string]any{"length_s": nil}), named},
		{"negative length", "length_s is -1; it is out of range", posted(t, map[string]any{"length_s": -1}), named},
		{"endless length", "length_s is 1e+300; it is out of range", posted(t, map[string]any{"length_s": 1e300}), named},
		{"no kind", `kind "" is empty`, posted(t, map[string]any{"kind": nil}), named},
		{"no family", "family is 0; it is 4 or 6", posted(t, map[string]any{"family": nil}), with(func(r *wire.Rejected) { r.Family = 0 })},
		{"a reason that quotes much", `"` + strings.Repeat("x", 40) + `" is no time`, posted(t, map[string]any{"start": strings.Repeat("x", 1000)}), unread},
		{"a DSCP beyond 63", "dscp is 64; it is 0 to 63", posted(t, map[string]any{"dscp": 64}), with(func(r *wire.Rejected) { r.DSCP = 64 })},
		{"a long name", `target "éé`, posted(t, map[string]any{"target": long}), with(func(r *wire.Rejected) { r.Target = strings.Repeat("é", 31) })},
		{"to itself", "source and target are the same", posted(t, map[string]any{"target": "p1"}), with(func(r *wire.Rejected) { r.Target = "p1" })},
	} {
		t.Run(c.name, func(t *testing.T) {
			good := []ippm.Result{result(t, "p3", 0, 300), result(t, "p4", 1)}
			body := marshal(t, map[string]any{"probe": "p1", "start": start,
				"results": []any{wire.FromResult(good[0]), c.bad, wire.FromResult(good[1])}})
			batch, err := wire.DecodeBatch(body, 3)
			rejected := batch.ResultsSorted.Rejected
			if err != nil || len(rejected) != 1 {
				t.Fatalf("%v, rejected %+v", err, rejected)
			}
			if !strings.Contains(rejected[0].Reason, c.reason) {
				t.Errorf("reason = %q; want one with %q", rejected[0].Reason, c.reason)
			}
			if len(rejected[0].Reason) > 300 {
				t.Errorf("the reason has %d bytes", len(rejected[0].Reason))
			}
			c.want.Reason = rejected[0].Reason
			if diff := cmp.Diff(c.want, rejected[0]); diff != "" {
				t.Errorf("named (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(good, batch.Results, same); diff != "" {
				t.Errorf("the others (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]int{0, 2}, batch.ResultsSorted.Places); diff != "" {
				t.Errorf("their places (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBadHeardIsNamedAndCostsNoOther(t *testing.T) {
	change := func(change func(*wire.Heard)) wire.Heard {
		h := wire.FromHeard(heardFrom("p2"))
		change(&h)
		return h
	}
	named := wire.Rejected{Index: 1, Source: "p2", Target: "p1", Test: "fabric", Family: 6, DSCP: 46, Start: &start}
	for reason, bad := range map[string]any{
		"a JSON number is not what":                   5,
		"a JSON null is not what":                     nil,
		"length_s is -1; it is out of range":          change(func(h *wire.Heard) { h.LengthS = -1 }),
		"length is 0s":                                change(func(h *wire.Heard) { h.LengthS = 0 }),
		"flows: illegal base64":                       change(func(h *wire.Heard) { h.Flows = "!" }),
		"heard flows: there are octets left over":     change(func(h *wire.Heard) { h.Flows = "AQEAAAAA" }),
		"heard flows: flow 0: answered -1 of 0 heard": change(func(h *wire.Heard) { h.Flows = "AQEAAAE=" }),
	} {
		good, r := []ippm.Heard{heardFrom("p3"), heardFrom("p4")}, result(t, "p3", 0, 300)
		body := marshal(t, map[string]any{"probe": "p1", "start": start, "results": []any{wire.FromResult(r)},
			"heard": []any{wire.FromHeard(good[0]), bad, wire.FromHeard(good[1])}})
		batch, err := wire.DecodeBatch(body, 4)
		rejected := batch.HeardSorted.Rejected
		if err != nil || len(rejected) != 1 || !strings.Contains(rejected[0].Reason, reason) {
			t.Fatalf("%v, rejected %+v; want one with %q", err, rejected, reason)
		}
		want := wire.Rejected{Index: 1}
		if _, read := bad.(wire.Heard); read {
			want = named
		}
		want.Reason = rejected[0].Reason
		if diff := cmp.Diff(want, rejected[0]); diff != "" {
			t.Errorf("named (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]any{good, []int{0, 2}, []ippm.Result{r}}, []any{batch.Heard, batch.HeardSorted.Places, batch.Results}, same); diff != "" {
			t.Errorf("the others (-want +got):\n%s", diff)
		}
	}
}

// TestUnknownAndDerivedFieldsAreIgnored: a newer probe says more, and what
// readers get can be posted.
func TestUnknownAndDerivedFieldsAreIgnored(t *testing.T) {
	want := result(t, "p2", 1, 100, 200)
	for name, r := range map[string]json.RawMessage{
		"unknown": posted(t, map[string]any{"members": []any{map[string]any{"port": 5}}, "trust": nil}),
		"derived": marshal(t, wire.Shown(want, start)),
		"lies":    posted(t, map[string]any{"lost": -7, "loss_ratio": 9, "rtt_p50_us": -1}),
	} {
		t.Run(name, func(t *testing.T) {
			body := marshal(t, map[string]any{"probe": "p1", "start": start, "felt": []int{1},
				"health": map[string]any{"mood": "good", "waiting": 2}, "results": []any{r}})
			batch, err := wire.DecodeBatch(body, 1)
			if err != nil || len(batch.ResultsSorted.Rejected) > 0 {
				t.Fatalf("%v, %+v", err, batch.ResultsSorted)
			}
			if diff := cmp.Diff([]ippm.Result{want}, batch.Results, same); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if batch.Health.Waiting != 2 {
				t.Errorf("health = %+v", batch.Health)
			}
		})
	}
}

func TestBodyThatIsNoBatch(t *testing.T) {
	good := string(encode(t, ippm.Batch{Probe: "p1", Start: start, Results: []ippm.Result{result(t, "p2", 0, 100)}}))
	for _, c := range []struct{ name, body, want string }{
		{"nothing", "", "unexpected end of JSON input"},
		{"no JSON", "source=p1", "invalid character 's'"},
		{"views of other peers", strings.Replace(good, `"peers":[]`, `"peers":["p2","p3"],"views":[1]`, 1), "views has 1 entries for 2 peers; give one for each, or none"},
		{"a view that is none", strings.Replace(good, `"peers":[]`, `"peers":["p2"],"views":[-1]`, 1), "number -1"},
		{"a long run", strings.Replace(good, `"peers":[]`, `"peers":[],"run":"0123456789abcdef0"`, 1), "run has 17 characters; it must be 16"},
		{"null", "null", "a JSON null is not what belongs here"},
		{"null with space", " \n null ", "a JSON null is not what belongs here"},
		{"a list", "[]", "a JSON array is not what belongs here"},
		{"a text", `"batch"`, "a JSON string is not what belongs here"},
		{"a number", "1", "a JSON number is not what belongs here"},
		{"cut", good[:len(good)/2], "unexpected end of JSON input"},
		{"two", good + good, "invalid character '{' after top-level value"},
		{"results are no list", `{"results":{}}`, "results: a JSON object is not what belongs here"},
		{"probe is a number", `{"probe":1}`, "probe: a JSON number is not what belongs here"},
		{"health is a list", `{"health":[]}`, "health: a JSON array is not what belongs here"},
		{"heard is no list", `{"heard":1}`, "heard: a JSON number is not what belongs here"},
		{"peers are numbers", `{"peers":[1]}`, "peers: a JSON number is not what belongs here"},
		{"start is beyond UTC", `{"start":"9999-12-31T23:59:59-23:59"}`, "start is no time that UTC can hold"},
		{"started_at is beyond UTC", `{"health":{"started_at":"0000-01-01T00:00:00+01:00"}}`, "health.started_at is no time that UTC can hold"},
		{"start is no time", `{"start":"noon"}`, `"noon" is no time`},
		{"started_at is no time", `{"health":{"started_at":true}}`, "a time is text as in RFC 3339"},
		{"deeper than deep", strings.Repeat(`{"a":`, 20_000), "exceeded max depth"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := wire.DecodeBatch([]byte(c.body), 10)
			if err == nil || !strings.HasPrefix(err.Error(), "the body is not a batch: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v; want one with %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "wire.") {
				t.Errorf("the error speaks Go: %v", err)
			}
		})
	}
}

func TestTooManyResults(t *testing.T) {
	body := fmt.Appendf(nil, `{"probe":"p1","results":[%s1]}`, strings.Repeat("1,", 10))
	heard := bytes.Replace(body, []byte("{"), []byte(`{"heard":[1,2],`), 1)
	for n, body := range map[int][]byte{11: body, 13: heard} {
		if got, err := wire.DecodeBatch(body, n); err != nil || len(got.ResultsSorted.Rejected)+len(got.HeardSorted.Rejected) != n {
			t.Errorf("%v, rejected %+v", err, got)
		}
		if _, err := wire.DecodeBatch(body, n-1); !errors.Is(err, wire.ErrTooManyResults) || !strings.Contains(err.Error(), fmt.Sprintf("%d, at most %d", n, n-1)) {
			t.Errorf("error = %v", err)
		}
	}
}

func TestRejectNamesTheResult(t *testing.T) {
	id := ippm.ID{Series: ippm.Series{Source: "p1", Target: "p2", Test: "ping", Family: 6, DSCP: 46}, Start: start.In(time.FixedZone("CET", 3600))}
	const want = `{"index":7,"source":"p1","target":"p2","test":"ping","family":6,"dscp":46,"start":"2026-03-01T12:00:00Z","reason":"no"}`
	if got := marshal(t, wire.Reject(7, id, "no")); string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// FuzzDecodeBatch: any bytes may be refused, but what is decoded is a result,
// every posted one is decoded or named, and all of it can be written again.
func FuzzDecodeBatch(f *testing.F) {
	good := encode(f, ippm.Batch{Probe: "p1", Start: start, Peers: []string{"p2"}, Results: []ippm.Result{result(f, "p2", 1, 100, 200), result(f, "p3", 5)}})
	f.Add(encode(f, ippm.Batch{Results: []ippm.Result{withFlows(f)}, Heard: []ippm.Heard{heardFrom("p2")}}))
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte(`{"start":"9999-12-31T23:59:59-23:59","health":{"started_at":"0000-01-01T00:00:00+01:00"},"results":[null,{"start":"9999-12-31T23:59:59-23:59"}]}`))
	f.Add([]byte(`{"results":[` + string(posted(f, map[string]any{"rtt_sketch": []byte{5, 2, 0xff}})) + `]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		const most = 100
		posted, err := wire.DecodeBatch(body, most)
		if err != nil {
			return
		}
		for _, r := range posted.Results {
			if err := r.Check(); err != nil {
				t.Fatalf("what was decoded is no result: %v", err)
			}
		}
		for _, h := range posted.Heard {
			if err := h.Check(); err != nil {
				t.Fatalf("what was decoded cannot be heard: %v", err)
			}
		}
		checkPlaces(t, posted.ResultsSorted, len(posted.Results), most)
		checkPlaces(t, posted.HeardSorted, len(posted.Heard), most)
		again, err := wire.DecodeBatch(encode(t, posted.Batch), most)
		if err != nil || len(again.Results) != len(posted.Results) || len(again.Heard) != len(posted.Heard) {
			t.Fatalf("written and read again: %v, %+v", err, again)
		}
	})
}

// checkPlaces wants every posted member to be decoded or named, and not both.
func checkPlaces(t *testing.T, sorted wire.Sorted, decoded, most int) {
	t.Helper()
	if len(sorted.Places) != decoded || decoded+len(sorted.Rejected) > most {
		t.Fatalf("%d places, %d decoded, %d rejected", len(sorted.Places), decoded, len(sorted.Rejected))
	}
	places := map[int]bool{}
	for _, place := range sorted.Places {
		places[place] = true
	}
	for _, r := range sorted.Rejected {
		places[r.Index] = true
	}
	if len(places) != decoded+len(sorted.Rejected) {
		t.Fatalf("a member was decoded and named: %+v", sorted)
	}
	marshal(t, sorted.Rejected)
}
