package wire

import (
	"encoding/json"
	"fmt"
	"time"

	"ixpqos/internal/ippm"
)

// MaxAhead is how far ahead of the server's clock an interval may begin: what
// begins later is refused, and what does not is looked for.
const MaxAhead = 5 * time.Minute

// runLength is the length of a batch's run.
const runLength = 16

// Batch is what a probe posts.
type Batch struct {
	Probe     string    `json:"probe" doc:"the probe that posts" minLength:"1" maxLength:"63"`
	Inventory string    `json:"inventory" doc:"version of the inventory that the probe worked from"`
	Run       string    `json:"run,omitempty" doc:"tells a process of the probe from others under its name: 16 hexadecimal digits, random at its start" maxLength:"16"`
	Peers     []string  `json:"peers" doc:"the probes and targets that the probe knows"`
	Views     []uint32  `json:"views,omitempty" doc:"for each of the peers a hash of what the pair's two ends must agree on: the same from both ends, and 0 where it changed within the interval; a pair counts where both are equal and not 0"`
	Start     time.Time `json:"start" doc:"beginning of the interval"`
	Health    Health    `json:"health"`
	// The results stand last, where they are read fast.
	Heard   []Heard  `json:"heard,omitempty" doc:"what the probe's Session-Reflector received; absent where it has none"`
	Results []Result `json:"results"`
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

// EncodeBatch is the body that a probe posts.
func EncodeBatch(b ippm.Batch) ([]byte, error) {
	w := Batch{Probe: b.Probe, Inventory: b.Inventory, Run: b.Run, Peers: orEmpty(b.Peers), Views: b.Views, Start: b.Start.UTC(),
		Health: FromHealth(b.Health), Results: make([]Result, len(b.Results))}
	for i, r := range b.Results {
		w.Results[i] = FromResult(r)
	}
	for _, h := range b.Heard {
		w.Heard = append(w.Heard, FromHeard(h))
	}
	body, err := json.Marshal(w)
	if err != nil {
		return nil, fmt.Errorf("encode the batch of %s: %w", b.Start.Format(time.RFC3339), err)
	}
	return body, nil
}

func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
