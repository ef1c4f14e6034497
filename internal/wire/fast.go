package wire

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"time"
)

// fastResults reads the results of a body that is written as EncodeBatch writes
// it, with the results last and no space between anything: encoding/json looks
// at every byte of them four times, which was a third of what a batch cost.
// What is written in any other way, wrong or merely rare, is left to
// encoding/json: ok is false then, and nothing is said about the body. What
// comes before the results is given back as a JSON object of its own.
func fastResults(body []byte, maxResults int) (before []byte, results []Result, ok bool) {
	begin := []byte(`,"results":[`)
	at := bytes.Index(body, begin)
	if at < 1 || bytes.IndexByte([]byte("{ \t\r\n"), body[at-1]) >= 0 { // a comma with nothing before it
		return nil, nil, false
	}
	s := scanner{rest: body[at+len(begin):]}
	for more := !s.take("]"); more && !s.failed; more = !s.take("]") {
		if len(results) == maxResults || len(results) > 0 && !s.take(",") {
			return nil, nil, false
		}
		results = append(results, Result{})
		s.result(&results[len(results)-1])
	}
	if s.failed || !s.take("}") || len(s.rest) > 0 {
		return nil, nil, false
	}
	// This is an object only if the results were the whole body's, not those of
	// something in it.
	return append(bytes.Clone(body[:at]), '}'), results, true
}

// scanner reads the front of what is left. After the first thing that it does
// not know, failed is set.
type scanner struct {
	rest   []byte
	failed bool
	// What results have in common as a rule: the last of each.
	source, test, kind string
	startText          []byte
	start              time.Time
}

func (s *scanner) take(text string) bool {
	if len(s.rest) < len(text) || string(s.rest[:len(text)]) != text {
		return false
	}
	s.rest = s.rest[len(text):]
	return true
}

func (s *scanner) result(r *Result) {
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
		s.field(key, r)
	}
}

func (s *scanner) field(key []byte, r *Result) {
	switch string(key) {
	case "source":
		r.Source = s.same(&s.source)
	case "target":
		r.Target = string(s.text())
	case "test":
		r.Test = s.same(&s.test)
	case "kind":
		r.Kind = s.same(&s.kind)
	case "family":
		r.Family = s.octet()
	case "dscp":
		r.DSCP = s.octet()
	case "start":
		r.Start = s.time()
	case "length_s":
		r.LengthS = s.number()
	case "rtt_sketch":
		r.RTTSketch = s.bytes()
	default:
		s.measured(key, r)
	}
}

func (s *scanner) measured(key []byte, r *Result) {
	switch string(key) {
	case "sent":
		r.Sent = s.integer()
	case "received":
		r.Received = s.integer()
	case "late":
		r.Late = s.integer()
	case "lost_forward":
		r.Forward = s.integer()
	case "lost_backward":
		r.Backward = s.integer()
	case "lost_unplaced":
		r.Unplaced = s.integer()
	case "duplicates":
		r.Duplicates = s.integer()
	case "reordered":
		r.Reordered = s.integer()
	case "refused":
		r.Refused = s.integer()
	case "rtt_count":
		r.RTTCount = s.integer()
	case "rtt_min_us":
		r.RTTMinUS = s.pointer()
	case "rtt_mean_us":
		r.RTTMeanUS = s.pointer()
	case "rtt_max_us":
		r.RTTMaxUS = s.pointer()
	case "rtt_stddev_us":
		r.RTTStdDevUS = s.pointer()
	case "first_rtt_us":
		r.FirstRTTUS = s.pointer()
	default:
		s.failed = true
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
