package ippm

import (
	"errors"
	"fmt"
	"math"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/encoding"
	"github.com/DataDog/sketches-go/ddsketch/mapping"
	"github.com/DataDog/sketches-go/ddsketch/store"
)

const (
	// SketchAccuracy is the relative error of every quantile.
	SketchAccuracy = 0.01
	// sketchBins bounds the memory of one sketch. At 1 % accuracy 2048 bins
	// span seventeen decimal orders, so no honest delay ever collapses one.
	sketchBins = 2048
	// maxSketchIndex bounds what bytes from outside may ask for: the index of
	// 1e9 seconds in microseconds is below 1,800.
	maxSketchIndex = 4096
)

var sketchMapping = mustMapping()

func mustMapping() mapping.IndexMapping {
	m, err := mapping.NewLogarithmicMapping(SketchAccuracy)
	if err != nil {
		panic(err)
	}
	return m
}

// Sketch is a quantile sketch (DDSketch, Masson et al., VLDB 2019) of delays in
// microseconds. The zero value is an empty sketch.
type Sketch struct{ dd *ddsketch.DDSketch }

func newDDSketch() *ddsketch.DDSketch {
	return ddsketch.NewDDSketchFromStoreProvider(sketchMapping, newBoundedStore)
}

// Add takes one sample. A sample that is not finite is an error and leaves
// the sketch as it was.
func (s *Sketch) Add(us float64) error {
	if math.IsNaN(us) || math.IsInf(us, 0) {
		return fmt.Errorf("sketch: %v is not a delay", us)
	}
	if s.dd == nil {
		s.dd = newDDSketch()
	}
	return s.dd.Add(us)
}

// Count is the number of samples.
func (s Sketch) Count() int {
	if s.dd == nil {
		return 0
	}
	return int(s.dd.GetCount())
}

// Quantile gives the smallest sample that at least the share q (0 to 1) of the
// samples does not exceed (the nearest rank), with a relative error of
// SketchAccuracy; false where the sketch is empty. Of few samples a high
// quantile is thus the largest, not one below it.
func (s Sketch) Quantile(q float64) (us float64, ok bool) {
	if s.dd == nil || s.dd.IsEmpty() {
		return 0, false
	}
	n := s.dd.GetCount()
	rank := max(math.Ceil(q*n)-1, 0)
	// The library takes the share of n-1 and rounds down: half a rank more keeps
	// a rounding error from falling to the rank below.
	us, err := s.dd.GetValueAtQuantile(min((rank+0.5)/max(n-1, 1), 1))
	return us, err == nil
}

// Merged is a new sketch of the samples of both.
func (s Sketch) Merged(other Sketch) Sketch {
	if s.dd == nil {
		s, other = other, s
	}
	if s.dd == nil {
		return Sketch{}
	}
	sum := s.dd.Copy()
	if other.dd == nil {
		return Sketch{sum}
	}
	if err := sum.MergeWith(other.dd); err != nil {
		panic("ippm: two sketches of one mapping do not merge: " + err.Error())
	}
	return Sketch{sum}
}

// Encode writes the sketch in the library's binary format, without its
// mapping, which is fixed. An empty sketch is no bytes.
func (s Sketch) Encode() []byte {
	if s.dd == nil || s.dd.IsEmpty() {
		return nil
	}
	var b []byte
	s.dd.Encode(&b, true)
	return b
}

// DecodeSketch reads what Encode wrote. The bytes may come from anywhere: what
// is cut, empty of samples, negative, not finite, fractional or out of range is
// an error, and memory stays bounded.
func DecodeSketch(b []byte) (Sketch, error) {
	if len(b) == 0 {
		return Sketch{}, nil
	}
	positive, negative := &checkedStore{}, &checkedStore{}
	positive.CollapsingLowestDenseStore = *store.NewCollapsingLowestDenseStore(sketchBins)
	negative.CollapsingLowestDenseStore = *store.NewCollapsingLowestDenseStore(sketchBins)
	dd := ddsketch.NewDDSketch(sketchMapping, positive, negative)
	if err := dd.DecodeAndMergeWith(b); err != nil {
		return Sketch{}, fmt.Errorf("sketch: %w", err)
	}
	if err := errors.Join(positive.err, negative.err, checkCount(dd.GetZeroCount()), checkCount(dd.GetCount())); err != nil {
		return Sketch{}, fmt.Errorf("sketch: %w", err)
	}
	if dd.GetCount() == 0 {
		return Sketch{}, errors.New("sketch: it has no samples")
	}
	// The checks are done: the plain stores below them behave as any other.
	return Sketch{ddsketch.NewDDSketch(sketchMapping, &positive.CollapsingLowestDenseStore,
		&negative.CollapsingLowestDenseStore)}.withZeros(dd.GetZeroCount()), nil
}

func (s Sketch) withZeros(n float64) Sketch {
	if n > 0 {
		// Adding the value 0 cannot fail: it is in every mapping's range.
		_ = s.dd.AddWithCount(0, n)
	}
	return s
}

func newBoundedStore() store.Store { return store.NewCollapsingLowestDenseStore(sketchBins) }

func checkCount(n float64) error {
	if n < 0 || n != math.Trunc(n) || n > math.MaxInt32 {
		return fmt.Errorf("%v is not a number of samples", n)
	}
	return nil
}

// checkedStore is the store that bytes from outside are decoded into. The
// library trusts its input: an index from the wire would size an allocation.
type checkedStore struct {
	store.CollapsingLowestDenseStore
	err error
}

func (c *checkedStore) AddWithCount(index int, count float64) {
	if err := checkCount(count); err != nil {
		c.err = err
		return
	}
	if index < -maxSketchIndex || index > maxSketchIndex {
		c.err = fmt.Errorf("bin %d is out of range", index)
		return
	}
	c.CollapsingLowestDenseStore.AddWithCount(index, count)
}

func (c *checkedStore) Add(index int) { c.AddWithCount(index, 1) }

// DecodeAndMergeWith keeps its error: the library's caller drops it, and would
// go on in the middle of what could not be read.
func (c *checkedStore) DecodeAndMergeWith(b *[]byte, mode encoding.SubFlag) error {
	err := store.DecodeAndMergeWith(c, b, mode)
	if err != nil && c.err == nil {
		c.err = err
	}
	return err
}
