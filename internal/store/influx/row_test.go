package influx

import (
	"encoding/base64"
	"reflect"
	"testing"
	"time"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
)

func packedRowOf(t testing.TB) []byte {
	first := time.Millisecond
	r := ippm.Result{Kind: "stamp", Length: 10 * time.Second, First: &first, Counts: ippm.Counts{Sent: 3, Received: 2, Forward: 1, Unserved: 7}}
	r.Source, r.Target, r.Start = "p1", "p2", time.Unix(1_800_000_000, 1).UTC()
	for _, us := range []float64{100, 250} {
		if err := r.RTT.Add(us); err != nil {
			t.Fatal(err)
		}
	}
	lost := r
	lost.Target, lost.RTT, lost.First = "p3", ippm.Delay{}, nil
	lost.Counts = ippm.Counts{Sent: 1, Unplaced: 1}
	return appendCells(nil, []ippm.Result{r, lost}, [][]byte{r.RTT.Sketch.Encode(), nil}, []int{0, 1}, time.Unix(1_800_000_011, 0))
}

// TestCutRow: a row that is cut anywhere is an error, but for the ends of its results.
func TestCutRow(t *testing.T) {
	whole := packedRowOf(t)
	for n := range len(whole) {
		results := 0
		err := readCells(ippm.Series{}, base64.StdEncoding.EncodeToString(whole[:n]), store.Filter{}, func(store.Stored) { results++ })
		if err == nil && results == 2 {
			t.Errorf("%d of %d bytes were enough", n, len(whole))
		}
	}
	later := append([]byte{rowVersion + 1}, whole[1:]...)
	if err := readCells(ippm.Series{}, base64.StdEncoding.EncodeToString(later), store.Filter{}, func(store.Stored) {}); err == nil {
		t.Error("a row of a later version was read")
	}
}

// TestFirstRowVersion: rows of the first release are read.
func TestFirstRowVersion(t *testing.T) {
	const first = "AYKAoLvSnfH6MYC41bWknvH6MQJwMgVzdGFtcIDIr6AlAwIAAQAAAAAAwYQ9AgAAAAAAAFlAAAAAAABAb0AAAAAAAOBlQAAAAAAA+cVABwUCzAMCXAIC" +
		"cDMFc3RhbXCAyK+gJQEAAAAAAQAAAAAA"
	var read, want []store.Stored
	for value, into := range map[string]*[]store.Stored{first: &read, base64.StdEncoding.EncodeToString(packedRowOf(t)): &want} {
		if err := readCells(ippm.Series{Source: "p1"}, value, store.Filter{}, func(s store.Stored) { *into = append(*into, s) }); err != nil {
			t.Fatal(err)
		}
	}
	for i := range want {
		want[i].Unserved = 0
	}
	if len(read) != 2 || !reflect.DeepEqual(read, want) {
		t.Errorf("read %+v, not %+v", read, want)
	}
}

func FuzzReadCells(f *testing.F) {
	f.Add(packedRowOf(f))
	f.Fuzz(func(t *testing.T, packed []byte) {
		_ = readCells(ippm.Series{}, base64.StdEncoding.EncodeToString(packed), store.Filter{}, func(store.Stored) {})
	})
}
