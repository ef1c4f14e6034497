package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"ixpqos/internal/ippm"
)

// ErrTooManyResults says that a batch has more results than are taken at once.
var ErrTooManyResults = errors.New("too many results in one batch")

// Posted is a batch as it came in, and what became of the members of its lists.
type Posted struct {
	ippm.Batch
	ResultsSorted, HeardSorted Sorted
}

// Sorted tells of a posted list which members were left out of the batch.
type Sorted struct {
	// Places are where the others stand in it.
	Places   []int
	Rejected []Rejected
}

// DecodeBatch reads a posted batch of at most so many results, what was heard
// counted with them. Of both, those that are not what they should be are left
// out of the batch and named. An error means that the body as a whole cannot be
// read.
func DecodeBatch(body []byte, most int) (p Posted, err error) {
	w, err := readPosted(body, most)
	if err != nil {
		return p, fmt.Errorf("the body is not a batch: %w", err)
	}
	for name, at := range map[string]time.Time{"start": w.Start, "health.started_at": w.Health.StartedAt} {
		if !writable(at) {
			return p, fmt.Errorf("the body is not a batch: %s is no time that UTC can hold", name)
		}
	}
	if n := len(w.Run); n > runLength {
		return p, fmt.Errorf("the body is not a batch: run has %d characters; it must be %d hexadecimal digits", n, runLength)
	}
	if n := len(w.Views); n > 0 && n != len(w.Peers) {
		return p, fmt.Errorf("the body is not a batch: views has %d entries for %d peers; give one for each, or none", n, len(w.Peers))
	}
	results, heard := members[Result]{w.Results, w.readResults}, members[Heard]{w.Heard, w.readHeard}
	if n := results.count() + heard.count(); n > most {
		return p, fmt.Errorf("%w: %d, at most %d", ErrTooManyResults, n, most)
	}
	p.Batch = ippm.Batch{Probe: w.Probe, Inventory: w.Inventory, Run: w.Run, Peers: w.Peers, Views: w.Views, Start: w.Start.UTC(), Health: w.Health.Health()}
	p.Results, p.ResultsSorted = sortOut(results, Result.id, Result.Result)
	p.Heard, p.HeardSorted = sortOut(heard, Heard.id, Heard.Heard)
	return p, nil
}

// postedBatch is a batch whose lists are read, or not yet.
type postedBatch struct {
	Batch
	Heard       []json.RawMessage `json:"heard"`
	Results     []json.RawMessage `json:"results"`
	readHeard   []Heard
	readResults []Result
}

// readPosted reads a body the fast way where that is possible.
func readPosted(body []byte, most int) (w postedBatch, err error) {
	if before, heard, results, ok := fastLists(body, most); ok {
		if err := unmarshalObject(before, &w); err == nil && len(w.Heard)+len(w.Results) == 0 {
			w.readHeard, w.readResults = heard, results
			return w, nil
		}
	}
	w = postedBatch{}
	return w, unmarshalObject(body, &w)
}

// members are those of a list, all of which are read, or none of them yet.
type members[W any] struct {
	raw  []json.RawMessage
	read []W
}

func (m members[W]) count() int { return max(len(m.raw), len(m.read)) }

func (m members[W]) at(i int) (w W, err error) {
	if m.read != nil {
		return m.read[i], nil
	}
	err = unmarshalObject(m.raw[i], &w)
	return w, err
}

// sortOut decodes the members one by one.
func sortOut[W, T any](m members[W], id func(W) ippm.ID, decode func(W) (T, error)) (good []T, s Sorted) {
	if m.count() > 0 {
		good, s.Places = make([]T, 0, m.count()), make([]int, 0, m.count())
	}
	for i := range m.count() {
		posted, err := m.at(i)
		var decoded T
		if err == nil {
			decoded, err = decode(posted)
		}
		if err != nil {
			s.Rejected = append(s.Rejected, Reject(i, id(posted), err.Error()))
			continue
		}
		good, s.Places = append(good, decoded), append(s.Places, i)
	}
	return good, s
}

// unmarshalObject reads a JSON object. To encoding/json null is one too.
func unmarshalObject(body []byte, into any) error {
	if bytes.Equal(bytes.TrimSpace(body), []byte("null")) {
		return errors.New("a JSON null is not what belongs here")
	}
	return plain(json.Unmarshal(body, into))
}

// plain makes encoding/json's errors say what a person needs to know.
func plain(err error) error {
	var (
		kind   *json.UnmarshalTypeError
		moment *time.ParseError
		base64 base64.CorruptInputError
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &kind) && kind.Field != "":
		return fmt.Errorf("%s: a JSON %.40s is not what belongs here", kind.Field, kind.Value)
	case errors.As(err, &kind):
		return fmt.Errorf("a JSON %.40s is not what belongs here", kind.Value)
	case errors.As(err, &moment):
		return fmt.Errorf("%.40q is no time: a time is text as in RFC 3339", moment.Value)
	case errors.As(err, &base64): // there is one field of bytes
		return fmt.Errorf("rtt_sketch: %w", err)
	case strings.HasPrefix(err.Error(), "Time.UnmarshalJSON"): // it has no type
		return errors.New("a time is text as in RFC 3339")
	}
	return err
}
