package influx

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"strconv"
	"time"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
)

// A row is the results of one source, test, family and DSCP in one interval,
// as far as they came in one batch. It is one point with the fields
//
//	cells, cells_1, …  the results, packed, so many in each: InfluxDB takes no
//	                   field of more than 1 MiB
//	targets            a hash of whom they are about
//
// A batch may come in pieces, and a piece must not write over another of the
// same interval: a point stands after the start of its interval by as many
// nanoseconds as the low bits of its hash tell. As a rule a probe reports always
// the same targets, so that from its last row all is known; whether that is so
// in a time shows by the hash alone (Latest).
const (
	rowPart = 256
	// rowVersion 1 had no unserved packets.
	rowVersion = 2

	cellsField   = "cells"
	targetsField = "targets"

	hashMask   = 1<<40 - 1
	offsetMask = 1<<20 - 1
	// maxOffset is how long after the start of its interval a row stands at most.
	maxOffset = time.Duration(offsetMask)
)

// rowOffset is how long after the start of its interval a row stands.
func rowOffset(hash int64) time.Duration { return time.Duration(hash & offsetMask) }

// row adds the point of the results at the given places, which are in order.
func (l *lines) row(results []ippm.Result, sketches [][]byte, places []int, storedAt time.Time) {
	places = lastOfEach(results, places)
	first := &results[places[0]]
	l.begin(rowMeasurement)
	l.number("dscp", first.DSCP)
	l.number("family", first.Family)
	l.tag("source", first.Source)
	l.tag("test", first.Test)
	packed := make([]byte, 0, 64+len(places)*512)
	field := cellsField
	for rest := places; len(rest) > 0; field = cellsField + "_" + strconv.Itoa((len(places)-len(rest))/rowPart) {
		some := rest[:min(rowPart, len(rest))]
		rest = rest[len(some):]
		packed = appendCells(packed[:0], results, sketches, some, storedAt)
		l.bytes(field, packed)
	}
	hash := targetsHash(results, places)
	l.integer(targetsField, hash)
	l.finish(rowMeasurement, first.Start.Add(rowOffset(hash)), places)
}

func targetsHash(results []ippm.Result, places []int) int64 {
	hash := fnv.New64a()
	for _, i := range places {
		hash.Write([]byte(results[i].Target))
		hash.Write([]byte{0}) // stands in no name
	}
	return int64(hash.Sum64()>>24) & hashMask
}

// lastOfEach leaves one result of each target, the last: it is the one that
// stays in qos too.
func lastOfEach(results []ippm.Result, places []int) []int {
	for n := 1; n < len(places); n++ {
		if results[places[n]].Target == results[places[n-1]].Target {
			return withoutDouble(results, places)
		}
	}
	return places
}

func withoutDouble(results []ippm.Result, places []int) (kept []int) {
	for n, i := range places {
		if n+1 == len(places) || results[places[n+1]].Target != results[i].Target {
			kept = append(kept, i)
		}
	}
	return kept
}

// appendCells packs results: a version, the start and the time of storing, then
// each with its target and what stands in no tag of the row, but for its detail
// and flows.
func appendCells(b []byte, results []ippm.Result, sketches [][]byte, places []int, storedAt time.Time) []byte {
	b = binary.AppendVarint(append(b, rowVersion), results[places[0]].Start.UnixNano())
	b = binary.AppendVarint(b, storedAt.UnixNano())
	for _, i := range places {
		b = appendCell(b, &results[i], sketches[i])
	}
	return b
}

func appendCell(b []byte, r *ippm.Result, sketch []byte) []byte {
	b = appendCounted(b, r.Target)
	b = appendCounted(b, r.Kind)
	b = binary.AppendUvarint(b, uint64(r.Length))
	for _, n := range []int{r.Sent, r.Received, r.Late, r.Forward, r.Backward, r.Unplaced, r.Duplicates, r.Reordered, r.Refused, r.Unserved} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	first := uint64(0) // none; else one more than it is
	if r.First != nil {
		first = uint64(*r.First) + 1
	}
	b = binary.AppendUvarint(b, first)
	b = binary.AppendUvarint(b, uint64(r.RTT.N))
	if r.RTT.N == 0 {
		return b
	}
	for _, v := range []float64{r.RTT.Min, r.RTT.Max, r.RTT.Mean, r.RTT.M2} {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	return appendCounted(b, sketch)
}

func appendCounted[T string | []byte](b []byte, value T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(value))), value...)
}

// readCells reads what appendCells wrote of results of this series, the
// target aside, and calls yield with every one that the filter lets pass.
func readCells(series ippm.Series, value string, filter store.Filter, yield func(store.Stored)) error {
	packed, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return err
	}
	id := ippm.ID{Series: series}
	c := cells{rest: packed}
	if version := c.take(1); c.err == nil {
		if c.version = version[0]; c.version < 1 || c.version > rowVersion {
			return fmt.Errorf("a row has version %d, but this program knows only up to %d: run the newer program that wrote it", c.version, rowVersion)
		}
	}
	id.Start = time.Unix(0, c.signed()).UTC()
	storedAt := time.Unix(0, c.signed()).UTC()
	for c.err == nil && len(c.rest) > 0 {
		id.Target = string(c.counted())
		passes := filter.Passes(id.Series)
		s := store.Stored{Result: c.result(id, passes), StoredAt: storedAt}
		if c.err == nil && passes {
			yield(s)
		}
	}
	return c.err
}

// cells reads packed values in order. After the first that is not there err is
// set and all others are zero.
type cells struct {
	version byte
	rest    []byte
	err     error
}

// result reads one, but for its target. Its delay is only skipped where that is
// not asked for. (Go calls functions in the order in which they are written.)
func (c *cells) result(id ippm.ID, delay bool) ippm.Result {
	r := ippm.Result{ID: id, Kind: string(c.counted())}
	r.Length = time.Duration(c.number())
	next := func() int { return int(c.number()) }
	r.Counts = ippm.Counts{Sent: next(), Received: next(), Late: next(), Forward: next(), Backward: next(), Unplaced: next(),
		Duplicates: next(), Reordered: next(), Refused: next()}
	if c.version >= 2 {
		r.Unserved = next()
	}
	if first := c.number(); first > 0 {
		rtt := time.Duration(first - 1)
		r.First = &rtt
	}
	switch n := next(); {
	case n > 0 && delay:
		r.RTT = c.delay(n)
	case n > 0:
		c.take(4 * 8)
		c.counted()
	}
	return r
}

func (c *cells) delay(n int) ippm.Delay {
	d := ippm.Delay{Moments: ippm.Moments{N: n, Min: c.real(), Max: c.real(), Mean: c.real(), M2: c.real()}}
	encoded := c.counted()
	if c.err != nil {
		return d
	}
	d.Sketch, c.err = ippm.DecodeSketch(encoded)
	if c.err == nil && d.Sketch.Count() != n {
		c.err = fmt.Errorf("a row has %d round-trip times but a sketch of %d", n, d.Sketch.Count())
	}
	return d
}

func (c *cells) number() uint64 {
	v, n := binary.Uvarint(c.rest)
	c.skip(n)
	return v
}

func (c *cells) signed() int64 {
	v, n := binary.Varint(c.rest)
	c.skip(n)
	return v
}

func (c *cells) real() float64 {
	b := c.take(8)
	if b == nil {
		return 0
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(b))
}

func (c *cells) counted() []byte { return c.take(c.number()) }

// skip cuts off a varint of n bytes; 0 and less mean that it was none.
func (c *cells) skip(n int) {
	if n <= 0 {
		n = len(c.rest) + 1
	}
	c.take(uint64(n))
}

// take cuts off n bytes; nil where there are not that many.
func (c *cells) take(n uint64) []byte {
	if c.err == nil && n > uint64(len(c.rest)) {
		c.err = errors.New("a row ends too early")
	}
	if c.err != nil {
		return nil
	}
	b := c.rest[:n]
	c.rest = c.rest[n:]
	return b
}
