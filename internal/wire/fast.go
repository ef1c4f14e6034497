package wire

import "bytes"

// fastLists reads what was heard and the results of a body that is written as
// EncodeBatch writes it, with these last and no space between anything:
// encoding/json looks at every byte of them four times, which was a third of
// what a batch cost. What is written in any other way, wrong or merely rare, is
// left to encoding/json: ok is false then, and nothing is said about the body.
// What comes before the lists is given back as a JSON object of its own.
func fastLists(body []byte, most int) (before []byte, heard []Heard, results []Result, ok bool) {
	const beginHeard, beginResults = `,"heard":[`, `,"results":[`
	at := bytes.Index(body, []byte(beginResults))
	if first := bytes.Index(body[:max(at, 0)], []byte(beginHeard)); first >= 0 {
		at = first
	}
	if at < 1 || bytes.IndexByte([]byte("{ \t\r\n"), body[at-1]) >= 0 { // a comma with nothing before it
		return nil, nil, nil, false
	}
	s := scanner{rest: body[at:]}
	if s.take(beginHeard) {
		heard = list(&s, most, s.heard)
	}
	if s.take(beginResults) {
		results = list(&s, most, s.result)
	}
	if s.failed || !s.take("}") || len(s.rest) > 0 {
		return nil, nil, nil, false
	}
	// This is an object only if the lists were the whole body's, not those of
	// something in it.
	return append(bytes.Clone(body[:at]), '}'), heard, results, true
}

func (s *scanner) heard(h *Heard) {
	s.object(func(key []byte) { s.heardField(key, h) })
}

func (s *scanner) heardField(key []byte, h *Heard) {
	switch string(key) {
	case "source":
		h.Source = string(s.text())
	case "target":
		h.Target = s.same(&s.target)
	case "test":
		h.Test = s.same(&s.test)
	case "family":
		h.Family = s.octet()
	case "dscp":
		h.DSCP = s.octet()
	case "start":
		h.Start = s.time()
	case "length_s":
		h.LengthS = s.number()
	case "flows":
		h.Flows = string(s.text())
	default:
		s.failed = true
	}
}

func (s *scanner) result(r *Result) {
	s.object(func(key []byte) { s.field(key, r) })
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
	case "flows":
		r.Flows = string(s.text())
	case "detail":
		r.Detail = string(s.text())
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
	case "unserved":
		r.Unserved = s.integer()
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
