package ippm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// The packed forms are what flows and details are on the wire and in the stores:
// a version octet, then varints (encoding/binary) and floats in network order.
// Where there is nothing there are no octets.
const packVersion = 1

// EncodeFlows packs the flows of a result. Per flow: port (less that of the flow
// before), sent, which of the rare values are not 0 (a bit each), those, samples,
// and where there are some the four delays in nanoseconds. Received is the rest.
func EncodeFlows(flows []Flow) []byte {
	if len(flows) == 0 {
		return nil
	}
	b := binary.AppendUvarint([]byte{packVersion}, uint64(len(flows)))
	before := uint64(0)
	for i := range flows {
		f := &flows[i]
		b = binary.AppendUvarint(b, uint64(f.Port)-before)
		b = binary.AppendUvarint(b, uint64(f.Sent))
		b = f.appendRare(b)
		b = f.appendDelays(b)
		before = uint64(f.Port)
	}
	return b
}

// DecodeFlows reads what EncodeFlows wrote. The octets may come from anywhere:
// what comes out is flows as Result.Check wants them, and memory stays bounded.
func DecodeFlows(b []byte) ([]Flow, error) {
	if len(b) == 0 {
		return nil, nil
	}
	u, n := unpack(b, 4)
	flows := make([]Flow, 0, n)
	for port := 0; len(flows) < n && u.err == nil; {
		port = u.port(port)
		f := Flow{Port: uint16(port)}
		f.Sent = u.count()
		u.rare(&f)
		u.delays(&f)
		f.Received = f.Sent - f.Late - f.Lost()
		flows = append(flows, f)
	}
	if err := u.end(); err != nil {
		return nil, fmt.Errorf("flows: %w", err)
	}
	if err := checkFlows(flows); err != nil {
		return nil, fmt.Errorf("flows: %w", err)
	}
	return flows, nil
}

// rareCounts are 0 in a quiet interval, and so are rareSeconds.
func (f *Flow) rareCounts() [8]*int {
	return [...]*int{&f.Late, &f.Forward, &f.Backward, &f.Unplaced, &f.Duplicates, &f.Reordered, &f.Refused, &f.Unserved}
}

func (f *Flow) rareSeconds() [3]*uint64 {
	return [...]*uint64{&f.LossyForward, &f.LossyBackward, &f.LossyUnplaced}
}

func (f *Flow) appendRare(b []byte) []byte {
	var which uint64
	counts, seconds := f.rareCounts(), f.rareSeconds()
	for i, n := range counts {
		if *n != 0 {
			which |= 1 << i
		}
	}
	for i, bits := range seconds {
		if *bits != 0 {
			which |= 1 << (len(counts) + i)
		}
	}
	b = binary.AppendUvarint(b, which)
	for _, n := range counts {
		if *n != 0 {
			b = binary.AppendUvarint(b, uint64(*n))
		}
	}
	for _, bits := range seconds {
		if *bits != 0 {
			b = binary.AppendUvarint(b, *bits)
		}
	}
	return b
}

func (u *unpacker) rare(f *Flow) {
	counts, seconds := f.rareCounts(), f.rareSeconds()
	which := u.uvarint()
	u.check(which < 1<<(len(counts)+len(seconds)), "it has values that are not known")
	for i, n := range counts {
		if which&(1<<i) != 0 {
			*n = u.count()
		}
	}
	for i, bits := range seconds {
		if which&(1<<(len(counts)+i)) != 0 {
			*bits = u.uvarint()
		}
	}
}

func (f *Flow) delays() [4]*float64 {
	return [...]*float64{&f.Median, &f.Max, &f.OneWayForward, &f.OneWayBackward}
}

// maxNanoseconds is more than two timestamps of RFC 8762 can be apart, whose
// seconds have 32 bits.
const maxNanoseconds = 1 << 62

func (f *Flow) appendDelays(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(f.Samples))
	if f.Samples == 0 {
		return b
	}
	for _, us := range f.delays() {
		ns := math.Round(*us * 1000)
		b = binary.AppendVarint(b, int64(min(max(ns, -maxNanoseconds), maxNanoseconds)))
	}
	return b
}

func (u *unpacker) delays(f *Flow) {
	f.Samples = u.count()
	if f.Samples == 0 {
		return
	}
	for _, us := range f.delays() {
		ns := u.varint()
		u.check(ns >= -maxNanoseconds && ns <= maxNanoseconds, "a delay is out of range")
		*us = float64(ns) / 1000
	}
}

// EncodeHeardFlows packs what a reflector heard. Per flow: port (less that of
// the flow before), heard, and how many of them were not answered.
func EncodeHeardFlows(flows []HeardFlow) []byte {
	if len(flows) == 0 {
		return nil
	}
	b := binary.AppendUvarint([]byte{packVersion}, uint64(len(flows)))
	before := uint64(0)
	for _, f := range flows {
		b = binary.AppendUvarint(b, uint64(f.Port)-before)
		b = binary.AppendUvarint(b, uint64(f.Heard))
		b = binary.AppendUvarint(b, uint64(f.Heard-f.Answered))
		before = uint64(f.Port)
	}
	return b
}

// DecodeHeardFlows reads what EncodeHeardFlows wrote, with the care of DecodeFlows.
func DecodeHeardFlows(b []byte) ([]HeardFlow, error) {
	if len(b) == 0 {
		return nil, nil
	}
	u, n := unpack(b, 3)
	flows := make([]HeardFlow, 0, n)
	for port := 0; len(flows) < n && u.err == nil; {
		port = u.port(port)
		f := HeardFlow{Port: uint16(port), Heard: u.count()}
		f.Answered = f.Heard - u.count()
		flows = append(flows, f)
	}
	if err := u.end(); err != nil {
		return nil, fmt.Errorf("heard flows: %w", err)
	}
	if err := checkHeardFlows(flows); err != nil {
		return nil, fmt.Errorf("heard flows: %w", err)
	}
	return flows, nil
}

// Encode packs a detail: its four moments, each with its N and only where that
// is not 0 the rest, one-way delays with their error, then the seven counts.
func (d *Detail) Encode() []byte {
	if d == nil {
		return nil
	}
	b := appendMoments([]byte{packVersion}, d.IPDVForward)
	b = appendMoments(b, d.IPDVBackward)
	b = appendOneWay(b, d.OneWayForward)
	b = appendOneWay(b, d.OneWayBackward)
	for _, n := range d.counts() {
		b = binary.AppendUvarint(b, uint64(*n))
	}
	return b
}

// DecodeDetail reads what Encode wrote, with the care of DecodeFlows; nil for no
// octets.
func DecodeDetail(b []byte) (*Detail, error) {
	if len(b) == 0 {
		return nil, nil
	}
	u, d := unpacker{rest: b}, &Detail{}
	u.version()
	d.IPDVForward, d.IPDVBackward = u.moments(), u.moments()
	d.OneWayForward, d.OneWayBackward = u.oneWay(), u.oneWay()
	for _, n := range d.counts() {
		*n = u.count()
	}
	if err := errors.Join(u.end(), d.check()); err != nil {
		return nil, fmt.Errorf("detail: %w", err)
	}
	return d, nil
}

func appendMoments(b []byte, m Moments) []byte {
	b = binary.AppendUvarint(b, uint64(m.N))
	if m.N == 0 {
		return b
	}
	for _, us := range []float64{m.Min, m.Max, m.Mean, m.M2} {
		b = binary.BigEndian.AppendUint64(b, math.Float64bits(us))
	}
	return b
}

func appendOneWay(b []byte, o OneWay) []byte {
	b = appendMoments(b, o.Moments)
	if o.N == 0 {
		return b
	}
	return binary.BigEndian.AppendUint64(b, math.Float64bits(o.Error))
}
