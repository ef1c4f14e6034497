package influx

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
)

// reportField holds all of a report, so that reading it takes one field.
const reportField = "report"

// report is a batch without its results as JSON: what is stored must not change
// with a name in Go.
type report struct {
	StoredAt     time.Time `json:"stored_at"`
	Inventory    string    `json:"inventory"`
	Run          string    `json:"run,omitempty"`
	Peers        []string  `json:"peers"`
	Views        []uint32  `json:"views,omitempty"`
	Version      string    `json:"version"`
	StartedAt    time.Time `json:"started_at"`
	Waiting      int       `json:"waiting"`
	WaitingBytes int64     `json:"waiting_bytes"`
	SetAside     int       `json:"set_aside"`
	Dropped      int       `json:"dropped"`
	Missed       int       `json:"missed"`
	Troubles     []string  `json:"troubles"`
}

// report adds the point of a batch.
func (l *lines) report(b ippm.Batch, storedAt time.Time) error {
	if err := ippm.CheckName(b.Probe); err != nil {
		return fmt.Errorf("the name %q %w", b.Probe, err)
	}
	h := b.Health
	all, err := json.Marshal(report{storedAt.UTC(), b.Inventory, b.Run, b.Peers, b.Views, h.Version, h.StartedAt.UTC(), h.Waiting, h.WaitingBytes,
		h.SetAside, h.Dropped, h.Missed, h.Troubles})
	if err != nil {
		return err
	}
	l.begin(probeMeasurement)
	l.tag("probe", b.Probe)
	l.string(reportField, string(all))
	l.integer("waiting", int64(h.Waiting))
	l.integer("waiting_bytes", h.WaitingBytes)
	l.integer("set_aside", int64(h.SetAside))
	l.integer("dropped", int64(h.Dropped))
	l.integer("missed", int64(h.Missed))
	l.integer("troubles", int64(len(h.Troubles)))
	l.integer("stored_at", storedAt.UnixNano())
	l.finish(probeMeasurement, b.Start, nil)
	return nil
}

// Reports is the newest batch of every probe that began at or before the given moment.
func (s *Store) Reports(ctx context.Context, at time.Time) (all []store.Report, err error) {
	const tried = "read the reports"
	from, until, ok := bounds(time.Time{}, at.Add(1))
	if !ok {
		return nil, ctx.Err()
	}
	flux := inBucket(s.buckets.Raw, from, until) + is("_measurement", probeMeasurement) + is("_field", reportField) +
		" |> last()" + keep("_time", "_value", "probe")
	err = s.query(ctx, flux, func(r record) error {
		report, err := readReport(r)
		all = append(all, report)
		return err
	})
	if err != nil {
		return nil, s.explain(tried, err)
	}
	slices.SortFunc(all, func(a, b store.Report) int { return strings.Compare(a.Probe, b.Probe) })
	return all, nil
}

func readReport(r record) (store.Report, error) {
	start, err := r.time()
	if err != nil {
		return store.Report{}, err
	}
	probe := strings.Clone(r.get("probe"))
	var own report
	if err := json.Unmarshal([]byte(r.get("_value")), &own); err != nil {
		return store.Report{}, fmt.Errorf("the report of %q: %w", probe, err)
	}
	return store.Report{StoredAt: own.StoredAt, Batch: ippm.Batch{Probe: probe, Inventory: own.Inventory, Run: own.Run,
		Peers: own.Peers, Views: own.Views, Start: start,
		Health: ippm.Health{Version: own.Version, StartedAt: own.StartedAt, Waiting: own.Waiting, WaitingBytes: own.WaitingBytes,
			SetAside: own.SetAside, Dropped: own.Dropped, Missed: own.Missed, Troubles: own.Troubles}}}, nil
}
