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

// MaxAhead is how far ahead of the server's clock an interval may begin: what
// begins later is refused, and what does not is looked for.
const MaxAhead = 5 * time.Minute

// Batch is what a probe posts.
type Batch struct {
	Probe     string    `json:"probe" doc:"the probe that posts" minLength:"1" maxLength:"63"`
	Inventory string    `json:"inventory" doc:"version of the inventory that the probe worked from"`
	Peers     []string  `json:"peers" doc:"the probes and targets that the probe knows"`
	Start     time.Time `json:"start" doc:"beginning of the interval"`
	Health    Health    `json:"health"`
	Results   []Result  `json:"results"`
}

// Health is what a probe says about itself.
type Health struct {
	Version      string    `json:"version" doc:"version of the probe binary"`
	StartedAt    time.Time `json:"started_at" doc:"when the probe's process started"`
	Waiting      int       `json:"waiting" doc:"batches that wait in the spool"`
	WaitingBytes int64     `json:"waiting_bytes" doc:"their size"`
	SetAside     int       `json:"set_aside" doc:"spool files and results put out of the way since start"`
	Dropped      int       `json:"dropped" doc:"batches lost since start, because the disk was full or failed"`
	Missed       int       `json:"missed" doc:"rounds that could not start in their interval, since start"`
	Troubles     []string  `json:"troubles" doc:"what is wrong at the probe and what to do"`
}

// FromHealth is the health as a probe posts it and as it is shown.
func FromHealth(h ippm.Health) Health {
	return Health{Version: h.Version, StartedAt: h.StartedAt.UTC(), Waiting: h.Waiting, WaitingBytes: h.WaitingBytes,
		SetAside: h.SetAside, Dropped: h.Dropped, Missed: h.Missed, Troubles: orEmpty(h.Troubles)}
}

// Health turns the posted health into ours.
func (h Health) Health() ippm.Health {
	return ippm.Health{Version: h.Version, StartedAt: h.StartedAt.UTC(), Waiting: h.Waiting, WaitingBytes: h.WaitingBytes,
		SetAside: h.SetAside, Dropped: h.Dropped, Missed: h.Missed, Troubles: h.Troubles}
}

// Answer is what a probe gets for a batch. What it does not reject is stored.
type Answer struct {
	Stored   int        `json:"stored" doc:"results that are stored"`
	Rejected []Rejected `json:"rejected" doc:"results that never will be, and why"`
}

// Rejected names a result of the posted batch by its place and by its ID as far
// as that could be read.
type Rejected struct {
	Index  int        `json:"index" doc:"place in the posted results, from 0"`
	Source string     `json:"source,omitempty"`
	Target string     `json:"target,omitempty"`
	Test   string     `json:"test,omitempty"`
	Family uint8      `json:"family,omitempty"`
	DSCP   uint8      `json:"dscp,omitempty"`
	Start  *time.Time `json:"start,omitempty"`
	Reason string     `json:"reason"`
}

// EncodeBatch is the body that a probe posts.
func EncodeBatch(b ippm.Batch) ([]byte, error) {
	w := Batch{Probe: b.Probe, Inventory: b.Inventory, Peers: orEmpty(b.Peers), Start: b.Start.UTC(),
		Health: FromHealth(b.Health), Results: make([]Result, len(b.Results))}
	for i, r := range b.Results {
		w.Results[i] = FromResult(r)
	}
	body, err := json.Marshal(w)
	if err != nil {
		return nil, fmt.Errorf("encode the batch of %s: %w", b.Start.Format(time.RFC3339), err)
	}
	return body, nil
}

// ErrTooManyResults says that a batch has more results than are taken at once.
var ErrTooManyResults = errors.New("too many results in one batch")

// DecodeBatch reads a posted batch of at most maxResults. Results that are not
// what they should be are left out of the batch and named; the places of the
// others in the posted body come in index. An error means that the body as a
// whole cannot be read.
func DecodeBatch(body []byte, maxResults int) (batch ippm.Batch, index []int, rejected []Rejected, err error) {
	w, err := readPosted(body, maxResults)
	if err != nil {
		return batch, nil, nil, fmt.Errorf("the body is not a batch: %w", err)
	}
	for name, at := range map[string]time.Time{"start": w.Start, "health.started_at": w.Health.StartedAt} {
		if !writable(at) {
			return batch, nil, nil, fmt.Errorf("the body is not a batch: %s is no time that UTC can hold", name)
		}
	}
	if w.count() > maxResults {
		return batch, nil, nil, fmt.Errorf("%w: %d, at most %d", ErrTooManyResults, w.count(), maxResults)
	}
	batch = ippm.Batch{Probe: w.Probe, Inventory: w.Inventory, Peers: w.Peers, Start: w.Start.UTC(), Health: w.Health.Health()}
	if w.count() > 0 {
		batch.Results, index = make([]ippm.Result, 0, w.count()), make([]int, 0, w.count())
	}
	for i := range w.count() {
		posted, err := w.result(i)
		result := ippm.Result{}
		if err == nil {
			result, err = posted.Result()
		}
		if err != nil {
			rejected = append(rejected, reject(i, posted, err.Error()))
			continue
		}
		batch.Results = append(batch.Results, result)
		index = append(index, i)
	}
	return batch, index, rejected, nil
}

// postedBatch is a batch whose results are all read, or none of them yet.
type postedBatch struct {
	Batch
	Results []json.RawMessage `json:"results"`
	read    []Result
}

// readPosted reads a body the fast way where that is possible.
func readPosted(body []byte, maxResults int) (w postedBatch, err error) {
	if before, results, ok := fastResults(body, maxResults); ok {
		if err := unmarshalObject(before, &w); err == nil && len(w.Results) == 0 {
			w.read = results
			return w, nil
		}
	}
	w = postedBatch{}
	return w, unmarshalObject(body, &w)
}

func (w *postedBatch) count() int { return max(len(w.Results), len(w.read)) }

func (w *postedBatch) result(i int) (r Result, err error) {
	if w.read != nil {
		return w.read[i], nil
	}
	err = unmarshalObject(w.Results[i], &r)
	return r, err
}

// Reject names a decoded result as rejected.
func Reject(index int, id ippm.ID, reason string) Rejected {
	return reject(index, Result{Source: id.Source, Target: id.Target, Test: id.Test,
		Family: id.Family, DSCP: id.DSCP, Start: id.Start}, reason)
}

func reject(index int, r Result, reason string) Rejected {
	out := Rejected{Index: index, Source: clip(r.Source, ippm.MaxName), Target: clip(r.Target, ippm.MaxName), Test: clip(r.Test, ippm.MaxName),
		Family: r.Family, DSCP: r.DSCP, Reason: clip(reason, maxReason)}
	if !r.Start.IsZero() && writable(r.Start) {
		start := r.Start.UTC()
		out.Start = &start
	}
	return out
}

// maxReason bounds a reason in bytes, which may quote what was posted.
const maxReason = 300

// clip bounds what is echoed of a text that may be anything.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "")
}

// writable tells whether JSON can hold the time in UTC: with an offset, the
// last hours of the year 9999 are in the year 10000.
func writable(t time.Time) bool { return t.UTC().Year() >= 0 && t.UTC().Year() <= 9999 }

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

func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
