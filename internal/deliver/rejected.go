package deliver

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"ixpqos/internal/wire"
)

// keepRejected sets the rejected results aside; then they are not needed in the
// batch any more. Where they cannot be written on their own, the batch is set
// aside as a whole, which takes no space; or it waits, where the server takes
// others of its results later.
func (u *Uploader) keepRejected(e Entry, body []byte, answer verdict) bool {
	all := slices.Concat(answer.Rejected, answer.RejectedHeard)
	reason := fmt.Sprintf("the server rejected %d results, the first because: %.*q", len(all), maxQuoted, all[0].Reason)
	name := u.spool.freeAside(stem(e.Name), rejectedSuffix)
	content, err := rejectedFile(body, answer)
	if err == nil {
		err = u.spool.saveAside(name, content)
	}
	if err != nil {
		u.opts.Log.Error("rejected results cannot be written on their own", "error", err)
		if len(answer.Later)+len(answer.LaterHeard) > 0 {
			u.spool.putOff(e, reason)
		} else {
			u.spool.setAside(e, reason)
		}
		return false
	}
	u.spool.countSetAside(len(all))
	u.opts.Log.Warn("results are set aside: "+reason, "file", name)
	return true
}

// rejected is a file of rejected results: each as it was posted, and why; the
// same of what was heard; and of their batch what it takes to post them again.
type rejected struct {
	Probe         string           `json:"probe"`
	Inventory     string           `json:"inventory"`
	Run           string           `json:"run,omitempty"`
	Peers         []string         `json:"peers"`
	Views         []uint32         `json:"views,omitempty"`
	Start         time.Time        `json:"start"`
	Health        wire.Health      `json:"health"`
	Rejected      []rejectedResult `json:"rejected"`
	RejectedHeard []rejectedHeard  `json:"rejected_heard,omitempty"`
}

type rejectedResult struct {
	wire.Rejected
	Result *wire.Result `json:"result"`
}

type rejectedHeard struct {
	wire.Rejected
	Heard *wire.Heard `json:"heard"`
}

func rejectedFile(body []byte, answer verdict) ([]byte, error) {
	var posted wire.Batch
	if err := json.Unmarshal(body, &posted); err != nil {
		return nil, err
	}
	file := rejected{Probe: posted.Probe, Inventory: posted.Inventory, Run: posted.Run, Peers: posted.Peers, Views: posted.Views, Start: posted.Start,
		Health: posted.Health, Rejected: []rejectedResult{}}
	for _, r := range answer.Rejected {
		file.Rejected = append(file.Rejected, rejectedResult{r, memberAt(posted.Results, r.Index)})
	}
	for _, r := range answer.RejectedHeard {
		file.RejectedHeard = append(file.RejectedHeard, rejectedHeard{r, memberAt(posted.Heard, r.Index)})
	}
	return json.MarshalIndent(file, "", "  ")
}

// rejectedBatch makes a batch of a file of rejected results.
func rejectedBatch(content []byte) (batch wire.Batch, why string, err error) {
	var file rejected
	if err := json.Unmarshal(content, &file); err != nil {
		return batch, "", err
	}
	if file.Start.IsZero() {
		return batch, "", errors.New("a release before this one wrote it, without the start of its batch")
	}
	batch = wire.Batch{Probe: file.Probe, Inventory: file.Inventory, Run: file.Run, Peers: file.Peers, Views: file.Views, Start: file.Start, Health: file.Health, Results: []wire.Result{}}
	for _, r := range file.Rejected {
		if why = cmp.Or(why, r.Reason); r.Result != nil {
			batch.Results = append(batch.Results, *r.Result)
		}
	}
	for _, h := range file.RejectedHeard {
		if why = cmp.Or(why, h.Reason); h.Heard != nil {
			batch.Heard = append(batch.Heard, *h.Heard)
		}
	}
	return batch, why, nil
}

// keepLater makes of a batch one with only the results that the server takes
// later. Where there is no space for that, the whole batch waits: what is stored
// already may come twice.
func (u *Uploader) keepLater(e Entry, body []byte, answer verdict) {
	all := slices.Concat(answer.Later, answer.LaterHeard)
	why := fmt.Sprintf("the server takes %d results later, the first because: %.*q", len(all), maxQuoted, all[0].Reason)
	if smaller, err := onlyLater(body, answer); err == nil {
		u.spool.shrink(e, seal(smaller))
	}
	u.spool.putOff(e, why)
}

func onlyLater(body []byte, answer verdict) ([]byte, error) {
	var posted wire.Batch
	if err := json.Unmarshal(body, &posted); err != nil {
		return nil, err
	}
	results, heard := posted.Results, posted.Heard
	posted.Results, posted.Heard = []wire.Result{}, nil
	for _, r := range answer.Later {
		if one := memberAt(results, r.Index); one != nil {
			posted.Results = append(posted.Results, *one)
		}
	}
	for _, r := range answer.LaterHeard {
		if one := memberAt(heard, r.Index); one != nil {
			posted.Heard = append(posted.Heard, *one)
		}
	}
	return json.Marshal(posted)
}

// memberAt is nil where the server names a place that there is not.
func memberAt[T any](list []T, index int) *T {
	if index < 0 || index >= len(list) {
		return nil
	}
	return &list[index]
}
