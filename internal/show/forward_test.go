package show_test

import (
	"testing"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store/storetest"
)

// TestWhatTheHostMissedIsNoLoss: a reflector whose socket drops packets gives them
// no number, so that they seem lost forward; its host tells that it missed them.
func TestWhatTheHostMissedIsNoLoss(t *testing.T) {
	s := serve(t, exchange)
	r := storetest.NewResult(storetest.Pair("p1", "p2"), 0, 0)
	r.Flows = []ippm.Flow{{Port: 61000, Counts: ippm.Counts{Sent: 40, Received: 30, Forward: 10}}}
	r.Counts, r.RTT = r.Flows[0].Counts, ippm.Delay{}
	acquainted(t, s, r)
	told := storetest.NewHeardBatch("p2", 0, ippm.Heard{ID: r.ID, Length: r.Length,
		Flows: []ippm.HeardFlow{ippm.Missed(10), {Port: 61000, Heard: 30, Answered: 30}}})
	told.Peers = names("p1")
	s.put(t, told)
	m := cell(t, s.matrix(t, ""), "p1", "p2")
	series, flows := s.series(t, "p1/p2/series").Results[0], s.flows(t, "p1/p2/flows?from="+at(0)).Results[0]
	for what, got := range map[string][3]int{
		"matrix": {*m.Sent, *m.Forward, *m.Unserved},
		"series": {series.Sent, series.Forward, series.Unserved},
		"flows":  {flows.Sent, flows.Forward, flows.Unserved},
	} {
		if want := [3]int{30, 0, 10}; got != want {
			t.Errorf("%s: sent, lost forward and unserved are %v; want %v", what, got, want)
		}
	}
}
