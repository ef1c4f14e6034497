package wire

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"time"
)

// scanner reads the front of what is left. After the first thing that it does
// not know, failed is set.
type scanner struct {
	rest   []byte
	failed bool
	// What members of a list have in common as a rule: the last of each.
	source, target, test, kind string
	startText                  []byte
	start                      time.Time
}

func (s *scanner) take(text string) bool {
	if len(s.rest) < len(text) || string(s.rest[:len(text)]) != text {
		return false
	}
	s.rest = s.rest[len(text):]
	return true
}

// list reads a list of at most so many members from behind its bracket.
func list[T any](s *scanner, most int, read func(*T)) (all []T) {
	for more := !s.take("]"); more && !s.failed; more = !s.take("]") {
		if len(all) == most || len(all) > 0 && !s.take(",") {
			s.failed = true
			return nil
		}
		var none T
		all = append(all, none)
		read(&all[len(all)-1])
	}
	return all
}

// object reads an object, of which field reads what stands behind a key.
func (s *scanner) object(field func(key []byte)) {
	if !s.take("{") {
		s.failed = true
		return
	}
	for first := true; !s.failed && (first || !s.take("}")); first = false {
		if !first && !s.take(",") {
			s.failed = true
			return
		}
		key := s.text()
		if !s.take(":") {
			s.failed = true
			return
		}
		field(key)
	}
}

// text is what stands between quotation marks, if nothing in it is escaped and
// all of it is ASCII.
func (s *scanner) text() []byte {
	if !s.take(`"`) {
		s.failed = true
		return nil
	}
	end := bytes.IndexByte(s.rest, '"')
	if end < 0 {
		s.failed = true
		return nil
	}
	text := s.rest[:end]
	for _, c := range text {
		if c < ' ' || c > '~' || c == '\\' {
			s.failed = true
			return nil
		}
	}
	s.rest = s.rest[end+1:]
	return text
}

// same is text that is the same as the last one as a rule.
func (s *scanner) same(last *string) string {
	if text := s.text(); string(text) != *last {
		*last = string(text)
	}
	return *last
}

func (s *scanner) time() time.Time {
	before := s.rest
	text := s.text()
	if s.failed {
		return time.Time{}
	}
	if s.startText == nil || !bytes.Equal(text, s.startText) {
		s.startText = text
		s.failed = s.start.UnmarshalJSON(before[:len(text)+2]) != nil
	}
	return s.start
}

func (s *scanner) bytes() []byte {
	text := s.text()
	decoded := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, err := base64.StdEncoding.Decode(decoded, text)
	s.failed = s.failed || err != nil
	return decoded[:n]
}

// digits is how many there are at the front.
func (s *scanner) digits(from int) (n int) {
	for from+n < len(s.rest) && s.rest[from+n] >= '0' && s.rest[from+n] <= '9' {
		n++
	}
	return n
}

// integer is one of at most 15 digits. What follows it is none of a number.
func (s *scanner) integer() (n int) {
	length := s.digits(0)
	if length == 0 || length > 15 || length > 1 && s.rest[0] == '0' {
		s.failed = true
		return 0
	}
	for _, c := range s.rest[:length] {
		n = 10*n + int(c-'0')
	}
	s.rest = s.rest[length:]
	return n
}

func (s *scanner) octet() uint8 {
	n := s.integer()
	s.failed = s.failed || n > 255
	return uint8(n)
}

// number is one without sign and exponent.
func (s *scanner) number() float64 {
	length := s.digits(0)
	if length == 0 || length > 1 && s.rest[0] == '0' {
		s.failed = true
		return 0
	}
	if length < len(s.rest) && s.rest[length] == '.' {
		fraction := s.digits(length + 1)
		s.failed = s.failed || fraction == 0
		length += 1 + fraction
	}
	value, err := strconv.ParseFloat(string(s.rest[:length]), 64)
	s.failed = s.failed || err != nil
	s.rest = s.rest[length:]
	return value
}

func (s *scanner) pointer() *float64 {
	value := s.number()
	return &value
}
