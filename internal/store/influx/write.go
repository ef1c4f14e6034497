package influx

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// A request has at most so many lines, which InfluxDB takes best, and bytes.
const (
	maxLines = 5000
	maxBytes = 4 << 20
)

// span is a part of lines.
type span struct {
	text  []byte
	begin int // of text
	all   []line
}

func (l *lines) whole() span { return span{l.text, 0, l.all} }

func (s span) bytes() []byte { return s.text[s.begin:s.all[len(s.all)-1].end] }

// cut makes two of it, of which the first has n lines.
func (s span) cut(n int) (span, span) {
	return span{s.text, s.begin, s.all[:n]}, span{s.text, s.all[n-1].end, s.all[n:]}
}

// fitting is how many of its lines go into one request.
func (s span) fitting() int {
	n := 1
	for n < min(len(s.all), maxLines) && s.all[n].end-s.begin <= maxBytes {
		n++
	}
	return n
}

// half is where to cut to find out which lines are refused: between
// measurements where it can, since their fields are refused or taken together.
func (s span) half() int {
	for n := 1; n < len(s.all); n++ {
		if s.all[n].measurement != s.all[n-1].measurement {
			return n
		}
	}
	return len(s.all) / 2
}

// refused are lines that InfluxDB does not take, and why.
type refused struct {
	lines  []line
	reason string
}

// write sends all lines to a bucket and says which InfluxDB refused; all others are stored.
func (s *Store) write(ctx context.Context, to *bucket, l *lines) (all []refused, err error) {
	for rest := l.whole(); len(rest.all) > 0; {
		n := rest.fitting()
		part, after := rest, span{}
		if n < len(rest.all) {
			part, after = rest.cut(n)
		}
		some, err := s.writePart(ctx, to, part)
		if err != nil {
			return nil, err
		}
		all, rest = append(all, some...), after
	}
	return all, nil
}

// writePart sends one request, and where some of its lines are refused smaller
// ones, until it is clear which. Writing a line again changes nothing.
func (s *Store) writePart(ctx context.Context, to *bucket, part span) ([]refused, error) {
	err := s.post(ctx, to, part.bytes())
	code, message := status(err)
	switch {
	case err == nil || !refusal(err):
		return nil, err
	case len(part.all) == 1 || code == http.StatusUnprocessableEntity && dropsAll(message, len(part.all)):
		return []refused{{part.all, message}}, nil
	}
	first, second := part.cut(part.half())
	all, err := s.writePart(ctx, to, first)
	if err != nil {
		return nil, err
	}
	more, err := s.writePart(ctx, to, second)
	return append(all, more...), err
}

// refusal says whether InfluxDB took offence at the lines: at one at least, of
// which it then stored none (400, 413) or the others (422).
func refusal(err error) bool {
	code, _ := status(err)
	switch code {
	case http.StatusBadRequest:
		return transient(err) == ""
	case http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

// dropsAll says whether InfluxDB tells that it dropped so many lines.
func dropsAll(message string, n int) bool {
	return strings.HasSuffix(message, fmt.Sprintf(" dropped=%d", n))
}

// outdated says whether lines were refused because the bucket does not keep
// anything so old.
func (r refused) outdated() bool { return strings.Contains(r.reason, "outside retention policy") }

// reasons are why what lines tell of was refused, by its place.
func reasons(all []refused) map[int]string {
	why := map[int]string{}
	for _, r := range all {
		for _, l := range r.lines {
			for _, i := range l.results {
				why[i] = r.reason
			}
		}
	}
	return why
}

func (r refused) error(what string) error {
	return errors.New("InfluxDB refuses " + what + " for good: " + r.reason)
}
