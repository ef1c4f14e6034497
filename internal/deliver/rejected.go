package deliver

import (
	"encoding/json"
	"fmt"
	"slices"

	"ixpqos/internal/wire"
)

// keepRejected sets the rejected results aside; then the batch is not needed any
// more. Where they cannot be written on their own, the batch is set aside as a
// whole, which takes no space.
func (u *Uploader) keepRejected(e Entry, body []byte, answer wire.Answer) bool {
	all := slices.Concat(answer.Rejected, answer.RejectedHeard)
	reason := fmt.Sprintf("the server rejected %d results, the first because: %.*q", len(all), maxQuoted, all[0].Reason)
	name := stem(e.Name) + ".rejected.json"
	content, err := rejectedFile(body, answer)
	if err == nil {
		err = u.spool.saveAside(name, content)
	}
	if err != nil {
		u.opts.Log.Error("rejected results cannot be written on their own", "error", err)
		u.spool.setAside(e, reason)
		return false
	}
	u.spool.countSetAside(len(all))
	u.opts.Log.Warn("results are set aside: "+reason, "file", name)
	return true
}

// rejectedFile holds each rejected result as it was posted, and why; the same of
// what was heard.
func rejectedFile(body []byte, answer wire.Answer) ([]byte, error) {
	type result struct {
		wire.Rejected
		Result *wire.Result `json:"result"`
	}
	type heard struct {
		wire.Rejected
		Heard *wire.Heard `json:"heard"`
	}
	var posted wire.Batch
	if err := json.Unmarshal(body, &posted); err != nil {
		return nil, err
	}
	file := struct {
		Probe         string   `json:"probe"`
		Rejected      []result `json:"rejected"`
		RejectedHeard []heard  `json:"rejected_heard,omitempty"`
	}{Probe: posted.Probe, Rejected: []result{}}
	for _, r := range answer.Rejected {
		file.Rejected = append(file.Rejected, result{r, memberAt(posted.Results, r.Index)})
	}
	for _, r := range answer.RejectedHeard {
		file.RejectedHeard = append(file.RejectedHeard, heard{r, memberAt(posted.Heard, r.Index)})
	}
	return json.MarshalIndent(file, "", "  ")
}

// memberAt is nil where the server names a place that there is not.
func memberAt[T any](list []T, index int) *T {
	if index < 0 || index >= len(list) {
		return nil
	}
	return &list[index]
}
