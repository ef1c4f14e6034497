package ippm

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/DataDog/sketches-go/ddsketch/encoding"
)

const (
	// sketchBins bounds the span of one half of a sketch. At 1 % accuracy 2048 bins
	// span seventeen decimal orders, so no honest delay ever collapses one.
	sketchBins = 2048
	// maxSketchIndex bounds the indices of bytes from outside: that of 1e9 seconds
	// in microseconds is below 1,800.
	maxSketchIndex = 4096
)

// bin is how many samples lie in one logarithmic bin.
type bin struct {
	index int32
	count float64
}

// bins are those of one sign, in order, and only those that hold samples: an
// array over their span would make 32 kB of a sketch of 60 octets.
type bins []bin

// add counts samples in. Where the span is too wide, the lowest bins become one.
func (b *bins) add(index int32, count float64) {
	if n := len(*b); n > 0 {
		index = max(index, (*b)[n-1].index-(sketchBins-1))
	}
	at := b.search(index)
	if at < len(*b) && (*b)[at].index == index {
		(*b)[at].count += count
		return
	}
	*b = slices.Insert(*b, at, bin{index, count})
	b.collapse()
}

// search finds the first bin that is not below the index.
func (b bins) search(index int32) int {
	low, high := 0, len(b)
	if high > 0 && b[high-1].index < index { // bins are read in order
		return high
	}
	for low < high {
		if mid := int(uint(low+high) >> 1); b[mid].index < index {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}

func (b *bins) collapse() {
	all := *b
	floor := all[len(all)-1].index - (sketchBins - 1)
	if all[0].index >= floor {
		return
	}
	below, count := 0, 0.0
	for all[below].index < floor {
		count += all[below].count
		below++
	}
	if all[below].index == floor {
		all[below].count += count
	} else {
		below--
		all[below] = bin{floor, count}
	}
	*b = slices.Delete(all, 0, below)
}

func (b bins) total() (n float64) {
	for _, e := range b {
		n += e.count
	}
	return n
}

// at is the index of the bin in which the sample of that rank (from 0) lies. The
// bins are not empty.
func (b bins) at(rank float64) int {
	n := 0.0
	for _, e := range b {
		if n += e.count; n > rank {
			return int(e.index)
		}
	}
	return int(b[len(b)-1].index)
}

func (b bins) merged(o bins) bins {
	sum := make(bins, 0, len(b)+len(o))
	for len(b) > 0 && len(o) > 0 {
		switch {
		case b[0].index < o[0].index:
			sum, b = append(sum, b[0]), b[1:]
		case b[0].index > o[0].index:
			sum, o = append(sum, o[0]), o[1:]
		default:
			sum = append(sum, bin{b[0].index, b[0].count + o[0].count})
			b, o = b[1:], o[1:]
		}
	}
	sum = append(append(sum, b...), o...)
	if len(sum) > 0 {
		sum.collapse()
	}
	return sum
}

// encode writes the bins in the library's format: their counts in a row, or each
// with its distance to the one before, whichever is shorter.
func (b bins) encode(to []byte, half encoding.FlagType) []byte {
	if len(b) == 0 {
		return to
	}
	sparse := b.encodeSparse(nil, half)
	if span := int(b[len(b)-1].index-b[0].index) + 1; span < len(sparse) { // a count takes an octet at least
		if row := b.encodeRow(nil, half, span); len(row) <= len(sparse) {
			return append(to, row...)
		}
	}
	return append(to, sparse...)
}

func (b bins) encodeRow(to []byte, half encoding.FlagType, span int) []byte {
	encoding.EncodeFlag(&to, encoding.NewFlag(half, encoding.BinEncodingContiguousCounts))
	encoding.EncodeUvarint64(&to, uint64(span))
	encoding.EncodeVarint64(&to, int64(b[0].index))
	encoding.EncodeVarint64(&to, 1)
	for next, rest := b[0].index, b; len(rest) > 0; next++ {
		count := 0.0
		if rest[0].index == next {
			count, rest = rest[0].count, rest[1:]
		}
		encoding.EncodeVarfloat64(&to, count)
	}
	return to
}

func (b bins) encodeSparse(to []byte, half encoding.FlagType) []byte {
	encoding.EncodeFlag(&to, encoding.NewFlag(half, encoding.BinEncodingIndexDeltasAndCounts))
	encoding.EncodeUvarint64(&to, uint64(len(b)))
	before := int32(0)
	for _, e := range b {
		encoding.EncodeVarint64(&to, int64(e.index-before))
		encoding.EncodeVarfloat64(&to, e.count)
		before = e.index
	}
	return to
}

// decode reads bins in any of the library's forms, and what is wrong with them.
func (b *bins) decode(from *[]byte, form encoding.SubFlag) error {
	n, err := encoding.DecodeUvarint64(from)
	if err != nil {
		return err
	}
	read, err := reader(from, form)
	if err != nil {
		return err
	}
	*b = slices.Grow(*b, int(min(n, uint64(len(*from)), sketchBins))) // a bin takes an octet at least
	for range n {
		index, count, err := read()
		if err != nil {
			return err
		}
		if err := checkBin(index, count); err != nil {
			return err
		}
		if count > 0 {
			b.add(int32(index), count)
		}
	}
	return nil
}

// reader gives the next bin at each call.
func reader(from *[]byte, form encoding.SubFlag) (next func() (index int64, count float64, err error), err error) {
	var index int64
	deltas := func() (_ int64, _ float64, err error) {
		delta, err := encoding.DecodeVarint64(from)
		index += delta
		return index, 1, err
	}
	switch form {
	case encoding.BinEncodingIndexDeltas:
		return deltas, nil
	case encoding.BinEncodingIndexDeltasAndCounts:
		return func() (_ int64, count float64, err error) {
			if _, _, err := deltas(); err != nil {
				return 0, 0, err
			}
			count, err = encoding.DecodeVarfloat64(from)
			return index, count, err
		}, nil
	case encoding.BinEncodingContiguousCounts:
		first, err := encoding.DecodeVarint64(from)
		if err != nil {
			return nil, err
		}
		step, err := encoding.DecodeVarint64(from)
		index = first - step
		return func() (_ int64, count float64, err error) {
			index += step
			count, err = encoding.DecodeVarfloat64(from)
			return index, count, err
		}, err
	}
	return nil, errors.New("its bins are in a form that is not known")
}

func checkBin(index int64, count float64) error {
	if index < -maxSketchIndex || index > maxSketchIndex {
		return fmt.Errorf("bin %d is out of range", index)
	}
	return checkCount(count)
}

func checkCount(n float64) error {
	if n < 0 || n != math.Trunc(n) || n > math.MaxInt32 {
		return fmt.Errorf("%v is not a number of samples", n)
	}
	return nil
}
