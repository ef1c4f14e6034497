package sqlite

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
)

// nanoseconds is t as it is stored. A time that int64 cannot hold (before 1677,
// after 2262) becomes the first or last that it can: any bound may be asked for.
func nanoseconds(t time.Time) int64 {
	switch {
	case t.Before(time.Unix(0, math.MinInt64)):
		return math.MinInt64
	case t.After(time.Unix(0, math.MaxInt64)):
		return math.MaxInt64
	}
	return t.UnixNano()
}

func moment(ns int64) time.Time { return time.Unix(0, ns).UTC() }

// resultColumns are the columns of a result, as resultArguments writes and
// readResult reads them. Its detail is apart: not all who read want it.
const resultColumns = `start_ns, stored_at_ns, length_ns, kind,
	sent, received, late, lost_forward, lost_backward, lost_unplaced, duplicates, reordered, refused, unserved,
	first_rtt_ns, rtt_n, rtt_min_us, rtt_max_us, rtt_mean_us, rtt_m2_us2, rtt_sketch`

// resultArguments are the values of putResult.
func resultArguments(series int64, r ippm.Result, storedAt time.Time) []any {
	arguments := []any{series, nanoseconds(r.Start), nanoseconds(storedAt), int64(r.Length), r.Kind,
		int64(r.Sent), int64(r.Received), int64(r.Late), int64(r.Forward), int64(r.Backward), int64(r.Unplaced),
		int64(r.Duplicates), int64(r.Reordered), int64(r.Refused), int64(r.Unserved),
		nil, nil, nil, nil, nil, nil, nil, r.Detail.Encode()}
	if r.First != nil {
		arguments[15] = int64(*r.First)
	}
	if d := r.RTT; d.N > 0 {
		copy(arguments[16:], []any{int64(d.N), d.Min, d.Max, d.Mean, d.M2, d.Sketch.Encode()})
	}
	return arguments
}

// readSeen reads packed flows, what was heard of them, a detail and resultColumns.
func readSeen(series ippm.Series, p *packed) (store.Seen, error) {
	flows, heard := p.blob(), !p.null()
	var length time.Duration
	if heard {
		length = time.Duration(p.integer())
	}
	heardFlows := p.blobOrNull()
	s, err := readDetailed(series, p)
	if err != nil {
		return store.Seen{Stored: s}, err
	}
	if s.Flows, err = ippm.DecodeFlows(flows); err != nil {
		return store.Seen{Stored: s}, resultError(s.ID, err)
	}
	if !heard {
		return store.Seen{Stored: s}, nil
	}
	h := ippm.Heard{ID: s.ID, Length: length}
	if h.Flows, err = ippm.DecodeHeardFlows(heardFlows); err != nil {
		return store.Seen{Stored: s}, resultError(s.ID, err)
	}
	return store.Seen{Stored: s, Heard: &h}, nil
}

// readDetailed reads a packed detail and resultColumns.
func readDetailed(series ippm.Series, p *packed) (store.Stored, error) {
	detail := p.blobOrNull()
	s, err := readResult(series, p)
	if err != nil {
		return s, err
	}
	if s.Detail, err = ippm.DecodeDetail(detail); err != nil {
		return s, resultError(s.ID, err)
	}
	return s, nil
}

// readResult reads packed resultColumns. (Go calls functions in the order in
// which they are written.)
func readResult(series ippm.Series, p *packed) (store.Stored, error) {
	s := store.Stored{Result: ippm.Result{ID: ippm.ID{Series: series}}}
	s.Start, s.StoredAt = moment(p.integer()), moment(p.integer())
	s.Length, s.Kind = time.Duration(p.integer()), p.text()
	s.Counts = readCounts(p)
	if !p.null() {
		first := time.Duration(p.integer())
		s.First = &first
	}
	if !p.null() {
		s.RTT = readDelay(p)
	}
	if p.err != nil {
		return s, resultError(s.ID, p.err)
	}
	return s, nil
}

func resultError(id ippm.ID, err error) error {
	return fmt.Errorf("the result of %+v at %s: %w", id.Series, id.Start.Format(time.RFC3339Nano), err)
}

func readCounts(p *packed) ippm.Counts {
	next := func() int { return int(p.integer()) }
	return ippm.Counts{Sent: next(), Received: next(), Late: next(), Forward: next(), Backward: next(), Unplaced: next(),
		Duplicates: next(), Reordered: next(), Refused: next(), Unserved: next()}
}

func readDelay(p *packed) ippm.Delay {
	d := ippm.Delay{Moments: ippm.Moments{N: int(p.integer()), Min: p.real(), Max: p.real(), Mean: p.real(), M2: p.real()}}
	encoded := p.blob()
	if p.err != nil {
		return d
	}
	d.Sketch, p.err = ippm.DecodeSketch(encoded)
	if p.err == nil && d.Sketch.Count() != d.N {
		p.err = fmt.Errorf("%d round-trip times but a sketch of %d", d.N, d.Sketch.Count())
	}
	return d
}

// health is ippm.Health as JSON: what is stored must not change with a name in Go.
type health struct {
	Version      string    `json:"version"`
	StartedAt    time.Time `json:"started_at"`
	Waiting      int       `json:"waiting"`
	WaitingBytes int64     `json:"waiting_bytes"`
	SetAside     int       `json:"set_aside"`
	Dropped      int       `json:"dropped"`
	Missed       int       `json:"missed"`
	Troubles     []string  `json:"troubles"`
}

// reportArguments are the values of putReport.
func reportArguments(b ippm.Batch, storedAt time.Time) ([]any, error) {
	peers, err := json.Marshal(b.Peers)
	if err != nil {
		return nil, err
	}
	own := health(b.Health)
	own.StartedAt = own.StartedAt.UTC()
	state, err := json.Marshal(own)
	if err != nil {
		return nil, err
	}
	var views any
	if b.Views != nil {
		views = jsonList(b.Views)
	}
	return []any{b.Probe, nanoseconds(b.Start), nanoseconds(storedAt), b.Inventory, string(peers), string(state), b.Run, views}, nil
}

// scanReport reads a row of reports.
func scanReport(rows *sql.Rows) (r store.Report, err error) {
	var start, storedAt int64
	var peers, state, views []byte
	if err := rows.Scan(&r.Probe, &start, &storedAt, &r.Inventory, &peers, &state, &r.Run, &views); err != nil {
		return r, err
	}
	r.Start, r.StoredAt = moment(start), moment(storedAt)
	if err := json.Unmarshal(peers, &r.Peers); err != nil {
		return r, fmt.Errorf("the peers of %q: %w", r.Probe, err)
	}
	if views != nil {
		if err := json.Unmarshal(views, &r.Views); err != nil {
			return r, fmt.Errorf("the views of %q: %w", r.Probe, err)
		}
	}
	var own health
	if err := json.Unmarshal(state, &own); err != nil {
		return r, fmt.Errorf("the health of %q: %w", r.Probe, err)
	}
	r.Health = ippm.Health(own)
	return r, nil
}
