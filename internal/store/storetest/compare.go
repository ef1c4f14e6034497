package storetest

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
)

// DiffResults tells how what came out differs from what was put in, line by
// line; it is empty where nothing does. Sketches are compared by what they
// answer, the deviation to a billionth: a store may keep it as such, or as M2.
func DiffResults(want []ippm.Result, got []store.Stored) string {
	var results []ippm.Result
	for _, s := range got {
		results = append(results, s.Result)
	}
	return diff(want, results, sameResult, showResult)
}

// DiffReports tells how reports differ from the batches that they are of.
func DiffReports(want []ippm.Batch, got []store.Report) string {
	var batches []ippm.Batch
	for _, r := range got {
		batches = append(batches, r.Batch)
	}
	return diff(want, batches, sameReport, func(b ippm.Batch) string { return fmt.Sprintf("%+v", b) })
}

func diff[T any](want, got []T, same func(want, got T) bool, show func(T) string) string {
	var b strings.Builder
	for i := range max(len(want), len(got)) {
		if i < len(want) && i < len(got) && same(want[i], got[i]) {
			continue
		}
		if i < len(want) {
			fmt.Fprintf(&b, "-%d %s\n", i, show(want[i]))
		}
		if i < len(got) {
			fmt.Fprintf(&b, "+%d %s\n", i, show(got[i]))
		}
	}
	return b.String()
}

func sameResult(want, got ippm.Result) bool {
	if !sameSketch(want.RTT.Sketch, got.RTT.Sketch) || !nearly(want.RTT.M2, got.RTT.M2) {
		return false
	}
	want.RTT.Sketch, want.RTT.M2 = got.RTT.Sketch, got.RTT.M2
	want.Start = want.Start.UTC()
	want.Detail = sameDeviations(want.Detail, got.Detail)
	return reflect.DeepEqual(want, got)
}

// sameDeviations is want with the deviations of got where they are nearly the same.
func sameDeviations(want, got *ippm.Detail) *ippm.Detail {
	if want == nil || got == nil {
		return want
	}
	like, from := *want, *got
	for to, m2 := range map[*float64]float64{&like.IPDVForward.M2: from.IPDVForward.M2, &like.IPDVBackward.M2: from.IPDVBackward.M2,
		&like.OneWayForward.M2: from.OneWayForward.M2, &like.OneWayBackward.M2: from.OneWayBackward.M2} {
		if nearly(*to, m2) {
			*to = m2
		}
	}
	return &like
}

// joint is what Flows yields.
type joint struct {
	ippm.Result
	heard *ippm.Heard
}

// diffJoint tells how what Flows yielded differs from what was put in.
func diffJoint(want, got []joint) string {
	return diff(want, got, func(want, got joint) bool {
		return sameResult(want.Result, got.Result) && reflect.DeepEqual(want.heard, got.heard)
	}, func(j joint) string {
		return fmt.Sprintf("%s, flows %+v, heard %+v", showResult(j.Result), j.Flows, j.heard)
	})
}

func sameSketch(a, b ippm.Sketch) bool {
	for _, q := range []float64{0, 0.01, 0.05, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.95, 0.99, 1} {
		x, okX := a.Quantile(q)
		y, okY := b.Quantile(q)
		if x != y || okX != okY {
			return false
		}
	}
	return a.Count() == b.Count()
}

func nearly(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(math.Abs(a), math.Abs(b)) }

func showResult(r ippm.Result) string {
	first := "none"
	if r.First != nil {
		first = r.First.String()
	}
	quantile, _ := r.RTT.Quantile(0.5)
	return fmt.Sprintf("%+v at %s, %s of %v, %+v, RTT %d, min %v, mean %v, median %v, max %v, M2 %v, first %s, detail %+v, %d flows", r.Series,
		r.Start.Format(time.RFC3339Nano), r.Kind, r.Length, r.Counts, r.RTT.N, r.RTT.Min, r.RTT.Mean, quantile, r.RTT.Max, r.RTT.M2, first,
		r.Detail, len(r.Flows))
}

func sameReport(want, got ippm.Batch) bool {
	want.Results, want.Heard = nil, nil
	want.Start, want.Health.StartedAt = want.Start.UTC(), want.Health.StartedAt.UTC()
	for _, list := range []*[]string{&want.Peers, &want.Health.Troubles, &got.Peers, &got.Health.Troubles} {
		if len(*list) == 0 {
			*list = nil // whether there was no list or an empty one means nothing
		}
	}
	return reflect.DeepEqual(want, got)
}
