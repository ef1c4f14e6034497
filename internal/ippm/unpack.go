package ippm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// unpacker reads packed octets from the front. It keeps the first error, and
// reads nothing but zeros after it.
type unpacker struct {
	rest []byte
	err  error
}

// unpack begins a list whose members take at least so many octets each, and
// tells how many there are: 0 after an error.
func unpack(b []byte, least int) (u *unpacker, n int) {
	u = &unpacker{rest: b}
	u.version()
	n = u.count()
	u.check(n > 0 && n <= MaxFlows, "it has no flow, or too many")
	u.check(n <= len(u.rest)/least, "it is cut")
	if u.err != nil {
		return u, 0
	}
	return u, n
}

func (u *unpacker) check(ok bool, otherwise string) {
	if !ok && u.err == nil {
		u.err, u.rest = errors.New(otherwise), nil
	}
}

func (u *unpacker) version() {
	if version := u.octets(1); u.err == nil && version[0] != packVersion {
		u.err, u.rest = fmt.Errorf("version %d is not known", version[0]), nil
	}
}

// octets are the next n; zeros after an error.
func (u *unpacker) octets(n int) []byte {
	if len(u.rest) < n {
		u.check(false, "it is cut")
		return make([]byte, n)
	}
	next := u.rest[:n]
	u.rest = u.rest[n:]
	return next
}

func (u *unpacker) uvarint() uint64 {
	v, n := binary.Uvarint(u.rest)
	u.octets(max(n, 0))
	u.check(n > 0, "a number is cut or too large")
	return v
}

func (u *unpacker) varint() int64 {
	v, n := binary.Varint(u.rest)
	u.octets(max(n, 0))
	u.check(n > 0, "a number is cut or too large")
	return v
}

// count is at most maxCount, so that a few of them never overflow.
func (u *unpacker) count() int {
	v := u.uvarint()
	u.check(v <= maxCount, "a count is out of range")
	return int(min(v, maxCount))
}

// port is the one before and what is read more.
func (u *unpacker) port(before int) int {
	port := before + u.count()
	u.check(port <= math.MaxUint16, "a port is out of range")
	return port
}

func (u *unpacker) float() float64 {
	return math.Float64frombits(binary.BigEndian.Uint64(u.octets(8)))
}

func (u *unpacker) moments() (m Moments) {
	if m.N = u.count(); m.N > 0 {
		m.Min, m.Max, m.Mean, m.M2 = u.float(), u.float(), u.float(), u.float()
	}
	return m
}

func (u *unpacker) oneWay() (o OneWay) {
	if o.Moments = u.moments(); o.N > 0 {
		o.Error = u.float()
	}
	return o
}

// end tells what was wrong, octets that are left over too.
func (u *unpacker) end() error {
	u.check(len(u.rest) == 0, "there are octets left over")
	return u.err
}
