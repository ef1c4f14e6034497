package storetest

import (
	"errors"
	"testing"
	"time"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
)

func flowsBetween(t *testing.T, s Subject, source, target string, f store.Filter, from, until time.Time) (got []joint) {
	t.Helper()
	err := s.Reader.Flows(t.Context(), source, target, f, from, until, func(r store.Stored, heard *ippm.Heard) error {
		checkStored(t, []store.Stored{r})
		got = append(got, joint{r.Result, heard})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// checkFlows wants these and no other flows from source to target.
func checkFlows(t *testing.T, s Subject, source, target string, want ...joint) {
	t.Helper()
	got := flowsBetween(t, s, source, target, store.Filter{}, time.Time{}, At(1e6))
	if diff := diffJoint(want, got); diff != "" {
		t.Errorf("flows from %q to %q (-want +got):\n%s", source, target, diff)
	}
}

// unheard are results of which no reflector has said anything.
func unheard(results ...ippm.Result) (all []joint) {
	for _, r := range results {
		all = append(all, joint{r, nil})
	}
	return all
}

// checkWithoutFlows wants no flow where none was asked for.
func checkWithoutFlows(t *testing.T, s Subject, r ippm.Result) {
	t.Helper()
	r.Flows = nil
	if diff := DiffResults([]ippm.Result{r}, between(t, s, r.Source, r.Target, store.Filter{}, r.Start, r.End())); diff != "" {
		t.Errorf("range (-want +got):\n%s", diff)
	}
	r.Detail = nil
	if diff := DiffResults([]ippm.Result{r}, latest(t, s, store.Filter{Test: r.Test}, r.Start, r.Start)); diff != "" {
		t.Errorf("latest (-want +got):\n%s", diff)
	}
}

func detailTwice(t *testing.T, s Subject) {
	r := NewResult(Pair("p1", "p2"), 0, 0, 200)
	one := NewDetail(7)
	one.KernelT3, one.LowTTL = 0, 0
	for _, d := range []*ippm.Detail{NewDetail(1, 2, 4), NewDetail(), one, nil, NewDetail(5, -1e9)} {
		r.Detail = d
		put(t, s, NewBatch("p1", 0, r))
		checkWithoutFlows(t, s, r)
	}
}

func flowsRoundTrip(t *testing.T, s Subject) {
	few, many := WithFlows(NewResult(Pair("p1", "p2"), 0, 0, 200), 16), WithFlows(NewResult(Pair("p1", "p3"), 0, 0), 186)
	none := NewResult(Pair("p1", "p4"), 0, 0, 200)
	empty := none
	empty.Target, empty.Flows = "p5", []ippm.Flow{}
	few.Detail = NewDetail(1, 1.0/3)
	var flows []ippm.Flow
	for port := range ippm.MaxFlows {
		flows = append(flows, ippm.Flow{Port: uint16(1024 + port), Counts: ippm.Counts{Sent: 1 << 30, Received: 1 << 30}, Samples: 1 << 30,
			Median: 1e6, Max: 2e9, OneWayForward: -4e15, OneWayBackward: 4e15})
	}
	most := withFlows(NewResult(Pair("p1", "p6"), 0, 0, 200), flows)
	put(t, s, NewBatch("p1", 0, few, many, none, empty, most))
	checkFlows(t, s, "p1", "p2", unheard(few)...)
	checkFlows(t, s, "p1", "p3", unheard(many)...)
	checkFlows(t, s, "p1", "p4")
	checkFlows(t, s, "p1", "p5")
	checkFlows(t, s, "p1", "p6", unheard(most)...)
	few.Flows = nil
	if diff := DiffResults([]ippm.Result{few}, everything(t, s, "p1", "p2")); diff != "" {
		t.Errorf("range (-want +got):\n%s", diff)
	}
}

func flowsTwice(t *testing.T, s Subject) {
	r := NewResult(Pair("p1", "p2"), 0, 0, 200)
	for _, flows := range []int{16, 3, 16, 0, 4} {
		again := WithFlows(r, flows)
		put(t, s, NewBatch("p1", 0, again))
		checkWithoutFlows(t, s, again)
		if flows > 0 {
			checkFlows(t, s, "p1", "p2", unheard(again)...)
		} else {
			checkFlows(t, s, "p1", "p2")
		}
	}
	other := WithFlows(r, 5)
	other.Kind = "other"
	put(t, s, NewBatch("p1", 0, other))
	checkFlows(t, s, "p1", "p2", unheard(other)...)
	other.Flows = nil
	put(t, s, NewBatch("p1", 0, other))
	checkFlows(t, s, "p1", "p2")
}

func flowsBounds(t *testing.T, s Subject) {
	all := make([]ippm.Result, 5)
	for n := range all {
		all[n] = WithFlows(NewResult(Pair("p1", "p2"), n, 0, float64(n)), n+1)
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
			if diff := diffJoint(unheard(c.want...), flowsBetween(t, s, "p1", "p2", store.Filter{}, c.from, c.until)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func flowsFilter(t *testing.T, s Subject) {
	forth, back := variants("p1", "p2"), variants("p2", "p1")
	var heard []ippm.Heard
	var joined []joint
	for i := range forth {
		forth[i], back[i] = WithFlows(forth[i], 1+i), WithFlows(back[i], 9+i)
		heard = append(heard, HeardOf(forth[i]))
		joined = append(joined, joint{forth[i], &heard[i]})
	}
	put(t, s, NewBatch("p1", 0, forth...), NewBatch("p2", 0, back...), NewHeardBatch("p2", 0, heard...))
	for _, f := range filters {
		t.Run(f.what, func(t *testing.T) {
			var want []joint
			for _, i := range f.want {
				want = append(want, joined[i])
			}
			if diff := diffJoint(want, flowsBetween(t, s, "p1", "p2", f.filter, At(0), At(1))); diff != "" {
				t.Errorf("forth (-want +got):\n%s", diff)
			}
			if diff := diffJoint(unheard(pick(back, f.want)...), flowsBetween(t, s, "p2", "p1", f.filter, At(0), At(1))); diff != "" {
				t.Errorf("back (-want +got):\n%s", diff)
			}
		})
	}
}

// flowsMany has more than any page, of which some have no flows, a long gap, and
// what was heard of every second.
func flowsMany(t *testing.T, s Subject) {
	batch := NewBatch("p1", 0)
	var want []joint
	for n := range 1100 {
		r := NewResult(Pair("p1", "p2"), n, 0, float64(n))
		if n >= 600 {
			r.Start = r.Start.Add(24 * time.Hour)
		}
		if n%7 > 0 {
			r = WithFlows(r, 1+n%5)
			want = append(want, joint{Result: r})
			if n%2 > 0 {
				heard := HeardOf(r)
				want[len(want)-1].heard = &heard
			}
		}
		if n%2 > 0 {
			batch.Heard = append(batch.Heard, HeardOf(r))
		}
		batch.Results = append(batch.Results, r)
	}
	put(t, s, batch)
	checkFlows(t, s, "p1", "p2", want...)
}

func flowsError(t *testing.T, s Subject) {
	for n := range 3 {
		put(t, s, NewBatch("p1", n, WithFlows(NewResult(Pair("p1", "p2"), n, 0, 200), 2)))
	}
	calls := 0
	err := s.Reader.Flows(t.Context(), "p1", "p2", store.Filter{}, At(0), At(3), func(store.Stored, *ippm.Heard) error {
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

func flowsNested(t *testing.T, s Subject) {
	put(t, s, NewBatch("p1", 0, WithFlows(NewResult(Pair("p1", "p2"), 0, 0, 200), 2)))
	var deep func(store.Stored, *ippm.Heard) error
	depth := 0
	deep = func(store.Stored, *ippm.Heard) error {
		if depth++; depth == 20 { // more than any pool of connections that one would keep
			put(t, s, NewBatch("p1", 1, WithFlows(NewResult(Pair("p1", "p2"), 1, 0, 200), 2)))
			return errStop
		}
		return s.Reader.Flows(t.Context(), "p1", "p2", store.Filter{}, At(0), At(1), deep)
	}
	if err := deep(store.Stored{}, nil); !errors.Is(err, errStop) {
		t.Error(err)
	}
}

func flowsOddNames(t *testing.T, s Subject) {
	var want []joint
	for _, name := range hardNames {
		r := WithFlows(NewResult(ippm.Series{Source: name, Target: "middle", Test: name, Family: 4}, 0, 0), 2)
		r.Kind = name
		heard := HeardOf(r)
		put(t, s, NewBatch(name, 0, r), NewHeardBatch("middle", 0, heard))
		want = append(want, joint{r, &heard})
	}
	for i, name := range hardNames {
		checkFlows(t, s, name, "middle", want[i])
	}
}
