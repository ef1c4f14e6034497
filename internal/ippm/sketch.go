package ippm

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/DataDog/sketches-go/ddsketch/encoding"
	"github.com/DataDog/sketches-go/ddsketch/mapping"
)

// SketchAccuracy is the relative error of every quantile.
const SketchAccuracy = 0.01

var sketchMapping = mustMapping()

func mustMapping() mapping.IndexMapping {
	m, err := mapping.NewLogarithmicMapping(SketchAccuracy)
	if err != nil {
		panic(err)
	}
	return m
}

// Sketch is a quantile sketch (DDSketch, Masson et al., VLDB 2019) of delays in
// microseconds, in the library's mapping and binary format. It takes no more
// memory than its samples ask for, whatever they are. The zero value is an empty
// sketch.
type Sketch struct{ of *samples }

// samples are those above, below and at 0.
type samples struct {
	positive, negative bins
	zeros              float64
}

// Add takes one sample. A sample that is not finite is an error and leaves
// the sketch as it was.
func (s *Sketch) Add(us float64) error {
	if math.IsNaN(us) || math.Abs(us) > sketchMapping.MaxIndexableValue() {
		return fmt.Errorf("sketch: %v is not a delay", us)
	}
	if s.of == nil {
		s.of = &samples{}
	}
	switch least := sketchMapping.MinIndexableValue(); {
	case us > least:
		s.of.positive.add(int32(sketchMapping.Index(us)), 1)
	case us < -least:
		s.of.negative.add(int32(sketchMapping.Index(-us)), 1)
	default:
		s.of.zeros++
	}
	return nil
}

// Count is the number of samples.
func (s Sketch) Count() int { return int(s.count()) }

func (s Sketch) count() float64 {
	if s.of == nil {
		return 0
	}
	return s.of.negative.total() + s.of.zeros + s.of.positive.total()
}

// Quantile gives the smallest sample that at least the share q (0 to 1) of the
// samples does not exceed (the nearest rank), with a relative error of
// SketchAccuracy; false where the sketch is empty. Of few samples a high
// quantile is thus the largest, not one below it.
func (s Sketch) Quantile(q float64) (us float64, ok bool) {
	n := s.count()
	if n == 0 {
		return 0, false
	}
	rank := min(max(math.Ceil(q*n)-1, 0), n-1)
	below := s.of.negative.total()
	switch {
	case rank < below:
		return -sketchMapping.Value(s.of.negative.at(below - 1 - rank)), true
	case rank < below+s.of.zeros:
		return 0, true
	}
	return sketchMapping.Value(s.of.positive.at(rank - below - s.of.zeros)), true
}

// Merged is a new sketch of the samples of both.
func (s Sketch) Merged(other Sketch) Sketch {
	if s.of == nil {
		s, other = other, s
	}
	if s.of == nil {
		return Sketch{}
	}
	if other.of == nil {
		return Sketch{&samples{slices.Clone(s.of.positive), slices.Clone(s.of.negative), s.of.zeros}}
	}
	return Sketch{&samples{s.of.positive.merged(other.of.positive), s.of.negative.merged(other.of.negative), s.of.zeros + other.of.zeros}}
}

// Encode writes the sketch in the library's binary format, without its
// mapping, which is fixed. An empty sketch is no bytes.
func (s Sketch) Encode() (b []byte) {
	if s.count() == 0 {
		return nil
	}
	if s.of.zeros > 0 {
		encoding.EncodeFlag(&b, encoding.FlagZeroCountVarFloat)
		encoding.EncodeVarfloat64(&b, s.of.zeros)
	}
	b = s.of.positive.encode(b, encoding.FlagTypePositiveStore)
	return s.of.negative.encode(b, encoding.FlagTypeNegativeStore)
}

// DecodeSketch reads what Encode wrote. The bytes may come from anywhere: what
// is cut, empty of samples, negative, not finite, fractional or out of range is
// an error, and memory stays in proportion to the bytes.
func DecodeSketch(b []byte) (Sketch, error) {
	if len(b) == 0 {
		return Sketch{}, nil
	}
	s := Sketch{&samples{}}
	for len(b) > 0 {
		if err := s.of.decode(&b); err != nil {
			return Sketch{}, fmt.Errorf("sketch: %w", err)
		}
	}
	if err := checkCount(s.count()); err != nil {
		return Sketch{}, fmt.Errorf("sketch: %w", err)
	}
	if s.count() == 0 {
		return Sketch{}, errors.New("sketch: it has no samples")
	}
	return s, nil
}

// decode reads the next part.
func (s *samples) decode(b *[]byte) error {
	flag, err := encoding.DecodeFlag(b)
	if err != nil {
		return err
	}
	switch {
	case flag.Type() == encoding.FlagTypePositiveStore:
		return s.positive.decode(b, flag.SubFlag())
	case flag.Type() == encoding.FlagTypeNegativeStore:
		return s.negative.decode(b, flag.SubFlag())
	case flag == encoding.FlagZeroCountVarFloat:
		n, err := encoding.DecodeVarfloat64(b)
		s.zeros += n
		return errors.Join(err, checkCount(n))
	}
	return errors.New("it has a part that is not known")
}

// bounds are the least and the largest sample, within SketchAccuracy, and whether
// the least is known only to be no larger, since the span was too wide for the
// bins. The sketch is not empty.
func (s Sketch) bounds() (least, most float64, collapsed bool) {
	least, _ = s.Quantile(0)
	most, _ = s.Quantile(1)
	return least, most, s.of.positive.isWide() || s.of.negative.isWide()
}

// isWide tells whether bins may have become one.
func (b bins) isWide() bool { return len(b) > 0 && b[len(b)-1].index-b[0].index >= sketchBins-1 }
