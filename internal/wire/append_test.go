package wire_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"ixpqos/internal/wire"
)

// TestAppendedMatrix: what is written by hand is, byte for byte, what
// encoding/json writes.
func TestAppendedMatrix(t *testing.T) {
	texts := []string{"", "p1", `a "b" \c`, "<&>", "Zürich 日本", "tab\t", "\x7f", "bad\xff", "line\u2028", "~ !"}
	numbers := []float64{0, math.Copysign(0, -1), 1, -1.5, 0.1, 1e-6, 9.9e-7, -1e-9, 1e20, 1e21, 1e300, 123.456789012345678, math.MaxFloat64, math.SmallestNonzeroFloat64}
	integers := []int{0, 1, -1, 640, math.MaxInt64, math.MinInt64}
	times := []time.Time{{}, start, start.Add(123456789), start.In(time.FixedZone("CET", 3600))}
	m := wire.Matrix{Exchange: "<Ex>", Inventory: "4f1d", At: start.Add(time.Nanosecond), Cells: []wire.Cell{}}
	sameAsJSON(t, m)
	for range 500 {
		cell := wire.Cell{Source: some(texts), Target: some(texts), Test: some(texts), State: some(texts),
			Family: uint8(rand.IntN(256)), DSCP: uint8(rand.IntN(256)), Start: orNil(times),
			LengthS: orNil(numbers), AgeS: orNil(numbers), Sent: orNil(integers), Received: orNil(integers), Late: orNil(integers),
			Lost: orNil(integers), Forward: orNil(integers), Backward: orNil(integers), Unplaced: orNil(integers), LossRatio: orNil(numbers), RTTMinUS: orNil(numbers), RTTP50US: orNil(numbers),
			RTTP95US: orNil(numbers), RTTMaxUS: orNil(numbers)}
		m.Cells = append(m.Cells, cell)
	}
	sameAsJSON(t, m)
	sameAsJSON(t, wire.Matrix{})
}

// TestNoFieldIsForgotten sets each field of a cell and expects its name.
func TestNoFieldIsForgotten(t *testing.T) {
	var c wire.Cell
	fields := reflect.ValueOf(&c).Elem()
	for i := range fields.NumField() {
		if f := fields.Field(i); f.Kind() == reflect.Pointer {
			f.Set(reflect.New(f.Type().Elem()))
		}
	}
	sameAsJSON(t, wire.Matrix{Cells: []wire.Cell{c}})
}

func TestWhatJSONCannotSay(t *testing.T) {
	nan, late := math.NaN(), time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, m := range []wire.Matrix{{At: late}, {Cells: []wire.Cell{{AgeS: &nan}}}, {Cells: []wire.Cell{{Start: &late}}}} {
		if got, err := m.AppendJSON(nil); err == nil {
			t.Errorf("wrote %s", got)
		}
	}
}

func sameAsJSON(t *testing.T, m wire.Matrix) {
	t.Helper()
	want, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.AppendJSON([]byte("before"))
	if err != nil || string(got) != "before"+string(want) {
		t.Errorf("%v\ngot  %s\nwant %s", err, got, want)
	}
}

func some[T any](of []T) T { return of[rand.IntN(len(of))] }

func orNil[T any](of []T) *T {
	if rand.IntN(4) == 0 {
		return nil
	}
	v := some(of)
	return &v
}
