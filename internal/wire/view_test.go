package wire_test

import (
	"encoding/json"
	"testing"
	"time"

	"ixpqos/internal/inventory"
	"ixpqos/internal/wire"
)

// TestWhatReadersGet compares whole texts: what was not measured is null, and
// derived percentiles stop at nanoseconds.
func TestWhatReadersGet(t *testing.T) {
	lost := result(t, "p2", 10)
	unsent := result(t, "p2", 0)
	unsent.Refused = 10
	unserved := result(t, "p2", 0)
	unserved.Unserved = 3
	series := lost.Series
	at := lost.End().Add(1500 * time.Millisecond)
	for _, c := range []struct {
		name string
		got  any
		want string
	}{
		{"total loss, shown", wire.Shown(lost, time.Time{}),
			`{"source":"p1","target":"p2","test":"ping","kind":"icmp","family":4,"dscp":0,"start":"2026-03-01T12:00:00Z","length_s":300,` +
				`"sent":10,"received":0,"lost_unplaced":10,"lost":10,"loss_ratio":1,"rtt_p50_us":null,"rtt_p95_us":null,"rtt_p99_us":null}`},
		{"nothing sent, shown", wire.Shown(unsent, start.In(time.FixedZone("CET", 3600))),
			`{"source":"p1","target":"p2","test":"ping","kind":"icmp","family":4,"dscp":0,"start":"2026-03-01T12:00:00Z","length_s":300,` +
				`"sent":0,"received":0,"refused":10,"lost":0,"loss_ratio":null,"rtt_p50_us":null,"rtt_p95_us":null,"rtt_p99_us":null,"stored_at":"2026-03-01T12:00:00Z"}`},
		{"partial loss, shown", wire.Shown(result(t, "p2", 1, 100, 300, 200), start),
			`{"source":"p1","target":"p2","test":"ping","kind":"icmp","family":4,"dscp":0,"start":"2026-03-01T12:00:00Z","length_s":300,` +
				`"sent":4,"received":3,"lost_unplaced":1,"rtt_count":3,"rtt_min_us":100,"rtt_mean_us":200,"rtt_max_us":300,"rtt_stddev_us":81.64965809277261,` +
				`"rtt_sketch":"` + sketch(t, 100, 300, 200) + `","lost":1,"loss_ratio":0.25,"rtt_p50_us":198.368,"rtt_p95_us":300,"rtt_p99_us":300,"stored_at":"2026-03-01T12:00:00Z"}`},
		{"flows, shown", wire.Shown(withFlows(t), time.Time{}),
			`{"source":"p1","target":"p6","test":"ping","kind":"stamp","family":4,"dscp":0,"start":"2026-03-01T12:00:00Z","length_s":10,` +
				`"sent":3,"received":2,"lost_unplaced":1,"rtt_count":2,"rtt_min_us":100,"rtt_mean_us":150,"rtt_max_us":200,"rtt_stddev_us":50,` +
				`"rtt_sketch":"` + sketch(t, 100, 200) + `","lost":1,"loss_ratio":0.3333333333333333,"rtt_p50_us":100.495,"rtt_p95_us":198.368,"rtt_p99_us":198.368,` +
				`"ipdv_forward_count":1,"ipdv_forward_mean_us":100,"ipdv_forward_max_us":100,"ipdv_forward_stddev_us":0,` +
				`"ipdv_backward_count":0,"ipdv_backward_mean_us":null,"ipdv_backward_max_us":null,"ipdv_backward_stddev_us":null,` +
				`"one_way_forward_min_us":null,"one_way_forward_mean_us":null,"one_way_forward_max_us":null,` +
				`"one_way_backward_min_us":50,"one_way_backward_mean_us":60,"one_way_backward_max_us":70,"one_way_error_us":12.5,` +
				`"remarked_forward":1,"remarked_backward":0,"low_ttl":2,"kernel_t1":2,"kernel_t2":0,"kernel_t3":0,"kernel_t4":1}`},
		{"nothing reached a reflector, shown", wire.Shown(unserved, time.Time{}),
			`{"source":"p1","target":"p2","test":"ping","kind":"icmp","family":4,"dscp":0,"start":"2026-03-01T12:00:00Z","length_s":300,` +
				`"sent":0,"received":0,"unserved":3,"lost":0,"loss_ratio":null,"rtt_p50_us":null,"rtt_p95_us":null,"rtt_p99_us":null}`},
		{"flows", wire.FlowsOf(withFlows(t), true),
			`{"test":"ping","family":4,"dscp":0,"start":"2026-03-01T12:00:00Z","length_s":10,"placed":true,` +
				`"sent":3,"received":2,"late":0,"lost":1,"loss_ratio":0.3333333333333333,"lost_forward":0,"lost_backward":0,"lost_unplaced":1,` +
				`"refused":0,"unserved":0,"duplicates":0,"reordered":0,"flows":[` +
				`{"port":61000,"sent":2,"received":2,"late":0,"lost":0,"loss_ratio":0,"lost_forward":0,"lost_backward":0,"lost_unplaced":0,` +
				`"refused":0,"unserved":0,"duplicates":0,"reordered":0,"lossy_seconds_forward":[],"lossy_seconds_backward":[],"lossy_seconds_unplaced":[],` +
				`"rtt_median_us":150.125,"rtt_max_us":200,"one_way_forward_us":-3500000000,"one_way_backward_us":3500000000},` +
				`{"port":61001,"sent":1,"received":0,"late":0,"lost":1,"loss_ratio":1,"lost_forward":0,"lost_backward":0,"lost_unplaced":1,` +
				`"refused":0,"unserved":0,"duplicates":0,"reordered":0,"lossy_seconds_forward":[],"lossy_seconds_backward":[],"lossy_seconds_unplaced":[0,9],` +
				`"rtt_median_us":null,"rtt_max_us":null,"one_way_forward_us":null,"one_way_backward_us":null}]}`},
		{"no flows", wire.FlowsOf(unserved, false),
			`{"test":"ping","family":4,"dscp":0,"start":"2026-03-01T12:00:00Z","length_s":300,"placed":false,` +
				`"sent":0,"received":0,"late":0,"lost":0,"loss_ratio":null,"lost_forward":0,"lost_backward":0,"lost_unplaced":0,` +
				`"refused":0,"unserved":3,"duplicates":0,"reordered":0,"flows":[]}`},
		{"a cell without a result", wire.NewCell(series, wire.StateNone),
			`{"source":"p1","target":"p2","test":"ping","family":4,"dscp":0,"state":"none","start":null,"length_s":null,"age_s":null,` +
				`"sent":null,"received":null,"late":null,"lost":null,"lost_forward":null,"lost_backward":null,"lost_unplaced":null,"duplicates":null,"reordered":null,"refused":null,"unserved":null,"loss_ratio":null,"rtt_min_us":null,"rtt_p50_us":null,"rtt_p95_us":null,"rtt_max_us":null}`},
		{"a cell of total loss", wire.NewCell(series, wire.StateFresh).WithResult(lost, at),
			`{"source":"p1","target":"p2","test":"ping","family":4,"dscp":0,"state":"fresh","start":"2026-03-01T12:00:00Z","length_s":300,"age_s":1.5,` +
				`"sent":10,"received":0,"late":0,"lost":10,"lost_forward":0,"lost_backward":0,"lost_unplaced":10,"duplicates":0,"reordered":0,"refused":0,"unserved":0,"loss_ratio":1,"rtt_min_us":null,"rtt_p50_us":null,"rtt_p95_us":null,"rtt_max_us":null}`},
		{"a cell whose interval is not over", wire.NewCell(series, wire.StateFresh).WithResult(result(t, "p2", 0, 100, 300), start),
			`{"source":"p1","target":"p2","test":"ping","family":4,"dscp":0,"state":"fresh","start":"2026-03-01T12:00:00Z","length_s":300,"age_s":0,` +
				`"sent":2,"received":2,"late":0,"lost":0,"lost_forward":0,"lost_backward":0,"lost_unplaced":0,"duplicates":0,"reordered":0,"refused":0,"unserved":0,"loss_ratio":0,"rtt_min_us":100,"rtt_p50_us":100.495,"rtt_p95_us":300,"rtt_max_us":300}`},
		{"links", wire.LinksOf("4f1d", []inventory.LinkCoverage{certain(64)}),
			`{"inventory":"4f1d","links":[{"link":"a-b","from":"sw1","to":"sw2","members":8,"hash":"l4","tuples":64,"covered":0.5,"detectable":0.25,"assumption":"uniform"}]}`},
		{"no links", wire.LinksOf("4f1d", nil), `{"inventory":"4f1d","links":[]}`},
		{"the coverage of a pair", wire.CoverageOf("4f1d", inventory.PairCoverage{Source: "p1", Target: "p2",
			Forward: []inventory.PairLink{{LinkCoverage: certain(64), OwnTuples: 16, Own: inventory.Certainty{Covered: 0.125}}},
			Own:     inventory.Certainty{Covered: 0.125}, All: inventory.Certainty{Covered: 0.5, Detectable: 0.25}}),
			`{"inventory":"4f1d","source":"p1","target":"p2","forward":[{"link":"a-b","from":"sw1","to":"sw2","members":8,"hash":"l4","tuples":64,` +
				`"covered":0.5,"detectable":0.25,"assumption":"uniform","own_tuples":16,"own_covered":0.125,"own_detectable":0}],"backward":[],` +
				`"total":{"covered":0.5,"detectable":0.25,"own_covered":0.125,"own_detectable":0}}`},
		{"a probe that was never heard", wire.Probe{Name: "p1", Site: "rome-1", Switch: "sw1"},
			`{"name":"p1","site":"rome-1","switch":"sw1","drain":false,"heard_at":null,"age_s":null,"inventory":null}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := marshal(t, c.got); string(got) != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func certain(tuples int) inventory.LinkCoverage {
	return inventory.LinkCoverage{Link: "a-b", From: "sw1", To: "sw2", Members: 8, Hash: inventory.HashL4, Tuples: tuples,
		Certainty: inventory.Certainty{Covered: 0.5, Detectable: 0.25}, Assumption: "uniform"}
}

func sketch(t *testing.T, rtts ...float64) string {
	var text string
	if err := json.Unmarshal(marshal(t, result(t, "p2", 0, rtts...).RTT.Sketch.Encode()), &text); err != nil {
		t.Fatal(err)
	}
	return text
}
