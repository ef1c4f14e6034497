package ippm

import (
	"reflect"
	"testing"
	"time"
)

func flowResult(flows ...Flow) Result {
	r := result(Counts{}, Delay{})
	r.Kind, r.Flows = "stamp", flows
	for _, f := range flows {
		r.Counts = r.Counts.Plus(f.Counts)
	}
	return r
}

func TestJoinPlacesWhatIsUnplaced(t *testing.T) {
	for name, c := range map[string]struct {
		flow  Flow
		heard []HeardFlow
		want  Flow
	}{
		"silent, nothing heard": {
			flow: Flow{Counts: Counts{Sent: 40, Unplaced: 40}, LossyUnplaced: 7},
			want: Flow{Counts: Counts{Sent: 40, Forward: 40}, LossyForward: 7}},
		"silent, all heard and answered": {
			flow:  Flow{Counts: Counts{Sent: 40, Unplaced: 40}, LossyUnplaced: 7},
			heard: []HeardFlow{{Heard: 40, Answered: 40}},
			want:  Flow{Counts: Counts{Sent: 40, Backward: 40}, LossyBackward: 7}},
		"silent, all heard, none answered": {
			flow:  Flow{Counts: Counts{Sent: 40, Unplaced: 40}, LossyUnplaced: 7},
			heard: []HeardFlow{{Heard: 40}},
			want:  Flow{Counts: Counts{Unserved: 40}}},
		"silent, of all three some": {
			flow:  Flow{Counts: Counts{Sent: 40, Unplaced: 40}, LossyUnplaced: 7},
			heard: []HeardFlow{{Heard: 30, Answered: 25}},
			want:  Flow{Counts: Counts{Sent: 35, Forward: 10, Backward: 25, Unserved: 5}, LossyForward: 7, LossyBackward: 7}},
		"the end of an interval, all else placed": {
			flow: Flow{Counts: Counts{Sent: 40, Received: 30, Late: 1, Forward: 2, Backward: 3, Unplaced: 4, Unserved: 1, Duplicates: 5},
				LossyForward: 1, LossyBackward: 2, LossyUnplaced: 4},
			heard: []HeardFlow{{Heard: 37, Answered: 37}},
			want: Flow{Counts: Counts{Sent: 40, Received: 30, Late: 1, Forward: 3, Backward: 6, Unserved: 1, Duplicates: 5},
				LossyForward: 5, LossyBackward: 6}},
		"fewer heard than came back": {
			flow:  Flow{Counts: Counts{Sent: 40, Received: 30, Unplaced: 10}, LossyUnplaced: 4},
			heard: []HeardFlow{{Heard: 29, Answered: 29}},
			want:  Flow{Counts: Counts{Sent: 40, Received: 30, Unplaced: 10}, LossyUnplaced: 4}},
		"more heard than sent": {
			flow:  Flow{Counts: Counts{Sent: 40, Received: 30, Unplaced: 10}, LossyUnplaced: 4},
			heard: []HeardFlow{{Heard: 50, Answered: 50}},
			want:  Flow{Counts: Counts{Sent: 40, Received: 30, Unplaced: 10}, LossyUnplaced: 4}},
		"not answered, which seemed lost backward": {
			flow:  Flow{Counts: Counts{Sent: 40, Received: 30, Backward: 6, Unplaced: 4}, LossyBackward: 1, LossyUnplaced: 4},
			heard: []HeardFlow{{Heard: 40, Answered: 34}},
			want:  Flow{Counts: Counts{Sent: 34, Received: 30, Backward: 4, Unserved: 6}, LossyBackward: 5}},
		"more heard missing than unplaced": {
			flow:  Flow{Counts: Counts{Sent: 40, Received: 20, Forward: 5, Unplaced: 15}, LossyUnplaced: 4},
			heard: []HeardFlow{{Heard: 20, Answered: 20}},
			want:  Flow{Counts: Counts{Sent: 40, Received: 20, Forward: 20}, LossyForward: 4}},
		"another port is heard": {
			flow:  Flow{Counts: Counts{Sent: 2, Unplaced: 2}, LossyUnplaced: 1},
			heard: []HeardFlow{{Port: 1, Heard: 2, Answered: 2}},
			want:  Flow{Counts: Counts{Sent: 2, Forward: 2}, LossyForward: 1}},
	} {
		untouched := Flow{Port: 9, Counts: Counts{Sent: 3, Received: 3}, Samples: 3, Median: 1, Max: 2}
		r := flowResult(c.flow, untouched)
		got := Join(r, Heard{ID: r.ID, Length: r.Length, Flows: append(c.heard, HeardFlow{Port: 9, Heard: 3, Answered: 3})})
		if want := flowResult(c.want, untouched); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v; want %+v", name, got.Flows[0], c.want)
		}
		if err := got.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if r.Flows[0] != c.flow {
			t.Errorf("%s: the result that was given has changed", name)
		}
	}
}

// TestJoinBlamesTheHost: what a host did not answer or may have missed is
// unserved, whichever direction it seemed to be lost in.
func TestJoinBlamesTheHost(t *testing.T) {
	for name, c := range map[string]struct {
		flow   Flow
		heard  HeardFlow
		missed int
		want   Flow
	}{
		"not answered, and not numbered": {
			flow:  Flow{Counts: Counts{Sent: 40, Received: 30, Forward: 6, Unplaced: 4}, LossyForward: 1, LossyUnplaced: 4},
			heard: HeardFlow{Heard: 36, Answered: 30},
			want:  Flow{Counts: Counts{Sent: 34, Received: 30, Forward: 4, Unserved: 6}, LossyForward: 1}},
		"not answered is all": {
			flow:  Flow{Counts: Counts{Sent: 40, Received: 36, Forward: 4}, LossyForward: 1},
			heard: HeardFlow{Heard: 40, Answered: 36},
			want:  Flow{Counts: Counts{Sent: 36, Received: 36, Unserved: 4}}},
		"not answered, numbered and not": {
			flow:  Flow{Counts: Counts{Sent: 40, Received: 30, Forward: 3, Backward: 3, Unplaced: 4}, LossyForward: 1, LossyBackward: 2, LossyUnplaced: 4},
			heard: HeardFlow{Heard: 40, Answered: 32},
			want:  Flow{Counts: Counts{Sent: 32, Received: 30, Backward: 2, Unserved: 8}, LossyBackward: 6}},
		"nothing listened": {
			flow: Flow{Counts: Counts{Sent: 40, Unplaced: 40}, LossyUnplaced: 7}, missed: Unheard,
			want: Flow{Counts: Counts{Unserved: 40}}},
		"nothing listened from some moment on, and what was heard before is not known": {
			flow: Flow{Counts: Counts{Sent: 40, Received: 20, Backward: 2, Unplaced: 18}, LossyBackward: 1, LossyUnplaced: 6}, missed: Unheard,
			want: Flow{Counts: Counts{Sent: 22, Received: 20, Backward: 2, Unserved: 18}, LossyBackward: 1}},
		"it missed fewer than are lost": {
			flow:  Flow{Counts: Counts{Sent: 40, Received: 20, Forward: 12, Unplaced: 8}, LossyForward: 3, LossyUnplaced: 4},
			heard: HeardFlow{Heard: 25, Answered: 25}, missed: 5,
			want: Flow{Counts: Counts{Sent: 35, Received: 20, Forward: 10, Backward: 5, Unserved: 5}, LossyForward: 7, LossyBackward: 4}},
		"it missed others than are lost": {
			flow:  Flow{Counts: Counts{Sent: 40, Received: 30, Backward: 10}, LossyBackward: 3},
			heard: HeardFlow{Heard: 40, Answered: 40}, missed: 5,
			want: Flow{Counts: Counts{Sent: 40, Received: 30, Backward: 10}, LossyBackward: 3}},
	} {
		c.flow.Port, c.heard.Port, c.want.Port = 9, 9, 9
		r := flowResult(c.flow)
		h := Heard{ID: r.ID, Length: r.Length, Flows: []HeardFlow{c.heard}}
		if c.missed > 0 {
			h.Flows = []HeardFlow{Missed(c.missed), c.heard}
		}
		if err := h.Check(); err != nil {
			t.Errorf("%s: what was heard: %v", name, err)
		}
		packed, err := DecodeHeardFlows(EncodeHeardFlows(h.Flows))
		if err != nil || !reflect.DeepEqual(packed, h.Flows) {
			t.Errorf("%s: packed it is %+v, %v", name, packed, err)
		}
		got := Join(r, h)
		if want := flowResult(c.want); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v; want %+v", name, got.Flows[0], c.want)
		}
		if err := got.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAHostMissesAPacketOnce: what it missed is taken from its flows together.
func TestAHostMissesAPacketOnce(t *testing.T) {
	lost := func(port uint16) Flow {
		return Flow{Port: port, Counts: Counts{Sent: 10, Unplaced: 10}, LossyUnplaced: 1}
	}
	r := flowResult(lost(1), lost(2), lost(3))
	got := Join(r, Heard{ID: r.ID, Length: r.Length, Flows: []HeardFlow{Missed(15)}})
	if got.Unserved != 15 || got.Forward != 15 || got.Sent != 15 {
		t.Errorf("%+v; want 15 unserved and 15 lost forward", got.Counts)
	}
}

func TestJoinLeavesWhatDoesNotBelongTogether(t *testing.T) {
	lost := Flow{Counts: Counts{Sent: 2, Unplaced: 2}}
	for name, change := range map[string]func(*Result, *Heard){
		"another test":   func(_ *Result, h *Heard) { h.Test = "other" },
		"another start":  func(_ *Result, h *Heard) { h.Start = h.Start.Add(time.Second) },
		"another length": func(_ *Result, h *Heard) { h.Length *= 2 },
		"no flows":       func(r *Result, _ *Heard) { r.Flows = nil },
	} {
		r := flowResult(lost)
		h := Heard{ID: r.ID, Length: r.Length}
		change(&r, &h)
		if got := Join(r, h); !reflect.DeepEqual(got, r) {
			t.Errorf("%s: %+v; want it unchanged", name, got)
		}
	}
}

func TestMergeAddsDetailsAndDropsFlows(t *testing.T) {
	at := func(i int, detail *Detail) Result {
		r := flowResult(Flow{Port: 1, Counts: Counts{Sent: 1, Received: 1}})
		r.Start, r.Detail = start.Add(time.Duration(i)*r.Length), detail
		return r
	}
	one := func(us, bound float64) *Detail {
		m := Moments{N: 1, Min: us, Max: us, Mean: us}
		return &Detail{IPDVForward: m, IPDVBackward: m, OneWayForward: OneWay{m, bound}, OneWayBackward: OneWay{m, bound},
			RemarkedForward: 1, RemarkedBackward: 2, LowTTL: 3, KernelT1: 4, KernelT2: 5, KernelT3: 6, KernelT4: 7}
	}
	first := one(10, 1)
	merged, err := Merge(at(0, nil), at(1, first), at(2, one(30, 5)), at(3, nil))
	if err != nil {
		t.Fatal(err)
	}
	m := Moments{N: 2, Min: 10, Max: 30, Mean: 20, M2: 200}
	want := &Detail{IPDVForward: m, IPDVBackward: m, OneWayForward: OneWay{m, 5}, OneWayBackward: OneWay{m, 5},
		RemarkedForward: 2, RemarkedBackward: 4, LowTTL: 6, KernelT1: 8, KernelT2: 10, KernelT3: 12, KernelT4: 14}
	if !reflect.DeepEqual(merged.Detail, want) {
		t.Errorf("detail = %+v; want %+v", merged.Detail, want)
	}
	if merged.Flows != nil || merged.Sent != 4 {
		t.Errorf("flows = %+v, sent = %d; want none of several intervals, and 4", merged.Flows, merged.Sent)
	}
	if !reflect.DeepEqual(first, one(10, 1)) {
		t.Error("merging changed a part")
	}
	if merged, _ := Merge(at(0, first)); len(merged.Flows) != 1 {
		t.Error("one result alone has lost its flows")
	}
	if merged, _ := Merge(at(0, nil), at(1, nil)); merged.Detail != nil {
		t.Errorf("detail = %+v of nothing", merged.Detail)
	}
}
