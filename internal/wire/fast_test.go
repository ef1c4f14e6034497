package wire_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ixpqos/internal/ippm"
	"ixpqos/internal/wire"
)

// FuzzFastBatch: a body that may be read the fast way gives what it gives with
// a space behind it, which only encoding/json takes.
func FuzzFastBatch(f *testing.F) {
	for _, body := range fastBodies(f) {
		f.Add(body)
	}
	f.Fuzz(sameAsSlow)
}

// TestMutatedBatch does some of that work in every run.
func TestMutatedBatch(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const bytes = `"{}[],:.\-+eE0123456789nultrsf ` + "\x00\x7f\xc3\xa9"
	for _, body := range fastBodies(t) {
		sameAsSlow(t, body)
		for range 3000 {
			changed := slices.Clone(body)
			for range 1 + random.IntN(2) {
				at := random.IntN(len(changed))
				switch c := bytes[random.IntN(len(bytes))]; random.IntN(3) {
				case 0:
					changed[at] = c
				case 1:
					changed = slices.Insert(changed, at, c)
				case 2:
					changed = slices.Delete(changed, at, at+1)
				}
			}
			sameAsSlow(t, changed)
		}
	}
}

func sameAsSlow(t *testing.T, body []byte) {
	const most = 5
	batch, index, rejected, err := wire.DecodeBatch(body, most)
	want, wantIndex, wantRejected, wantErr := wire.DecodeBatch(append(slices.Clone(body), ' '), most)
	sketches := cmp.Comparer(func(a, b ippm.Sketch) bool { return slices.Equal(a.Encode(), b.Encode()) })
	if len(batch.Results) == 0 { // none, in one way or the other
		batch.Results, want.Results, index, wantIndex = nil, nil, nil, nil
	}
	if diff := cmp.Diff([]any{want, wantIndex, wantRejected, wantErr != nil}, []any{batch, index, rejected, err != nil}, sketches); diff != "" {
		t.Fatalf("%s\nslow - fast +:\n%s", body, diff)
	}
}

func fastBodies(t testing.TB) (all [][]byte) {
	t.Helper()
	batch := ippm.Batch{Probe: "p1", Start: start, Health: ippm.Health{StartedAt: start}}
	for _, target := range []string{"p2", "p3", "p 4"} {
		r := ippm.Result{Kind: "icmp", Length: 10 * 1e9, Counts: ippm.Counts{Sent: 3, Received: 2, Forward: 1}}
		r.Series, r.Start = ippm.Series{Source: "p1", Target: target, Test: "t", Family: 4}, start
		for _, us := range []float64{180.25, 0.5} {
			if err := r.RTT.Add(us); err != nil {
				t.Fatal(err)
			}
		}
		batch.Results = append(batch.Results, r)
	}
	body, err := wire.EncodeBatch(batch)
	if err != nil {
		t.Fatal(err)
	}
	text := string(body)
	// What only looks as if its results were the batch's.
	nested := strings.Replace(text, `,"results":[`, `,"x":{"y":1,"results":[`, 1) + "}"
	twice := strings.Replace(text, `,"results":[`, `,"Results":[{}],"results":[`, 1)
	quoted := strings.Replace(text, `"probe":"p1"`, `"probe":"p1,\"results\":["`, 1)
	more := strings.Replace(text, `"results":[`, `"results":[{},{},{},`, 1)
	for _, body := range []string{text, nested, twice, quoted, more, `{"results":[]}`, `{"probe":"p1","results":[]}`, `,"results":[]}`, `{,"results":[]}`, `{ ,"results":[]}`} {
		all = append(all, []byte(body))
	}
	return all
}
