package wire_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

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
		for range 1200 {
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

// TestFastIsTaken: what EncodeBatch writes is read without encoding/json, which
// shows in what it allocates.
func TestFastIsTaken(t *testing.T) {
	decode := func(body []byte) float64 {
		return testing.AllocsPerRun(5, func() {
			if _, err := wire.DecodeBatch(body, 6); err != nil {
				t.Fatal(err)
			}
		})
	}
	for _, body := range fastBodies(t)[:2] {
		if fast, slow := decode(body), decode(append(slices.Clone(body), ' ')); fast >= slow {
			t.Errorf("%v allocations where encoding/json makes %v for\n%s", fast, slow, body)
		}
	}
}

func sameAsSlow(t *testing.T, body []byte) {
	const most = 6
	got, err := wire.DecodeBatch(body, most)
	want, wantErr := wire.DecodeBatch(append(slices.Clone(body), ' '), most)
	sketches := cmp.Comparer(func(a, b ippm.Sketch) bool { return slices.Equal(a.Encode(), b.Encode()) })
	// None is none, in one way or the other.
	if diff := cmp.Diff([]any{want, wantErr != nil}, []any{got, err != nil}, sketches, cmpopts.EquateEmpty()); diff != "" {
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
	batch.Results = append(batch.Results, withFlows(t))
	plain := string(encode(t, batch))
	batch.Heard = []ippm.Heard{heardFrom("p2")}
	text := string(encode(t, batch))
	// What only looks as if its results were the batch's.
	nested := strings.Replace(text, `,"results":[`, `,"x":{"y":1,"results":[`, 1) + "}"
	twice := strings.Replace(text, `,"results":[`, `,"Results":[{}],"results":[`, 1)
	quoted := strings.Replace(text, `"probe":"p1"`, `"probe":"p1,\"results\":["`, 1)
	more := strings.Replace(text, `"results":[`, `"results":[{},{},{},`, 1)
	heard := text[strings.Index(text, `,"heard":[`):strings.Index(text, `,"results":[`)]
	after := plain[:len(plain)-1] + heard + "}"
	alone := text[:strings.Index(text, `,"results":[`)] + `,"results":[]}`
	twiceHeard := strings.Replace(text, `,"heard":[`, `,"Heard":[{}],"heard":[`, 1)
	between := strings.Replace(text, `,"results":[`, `,"x":1,"results":[`, 1)
	nestedHeard := strings.Replace(text, `,"heard":[`, `,"x":{"y":1,"heard":[`, 1) + "}"
	for _, body := range []string{text, plain, after, alone, twiceHeard, between, nestedHeard, nested, twice, quoted, more, `{"results":[]}`, `{"probe":"p1","results":[]}`, `,"results":[]}`, `{,"results":[]}`, `{ ,"results":[]}`} {
		all = append(all, []byte(body))
	}
	return all
}
