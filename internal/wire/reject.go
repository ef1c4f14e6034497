package wire

import (
	"strings"
	"time"

	"ixpqos/internal/ippm"
)

// Answer is what a probe gets for a batch. What it names in none of its lists is
// stored.
type Answer struct {
	Stored        int        `json:"stored" doc:"results that are stored"`
	Rejected      []Rejected `json:"rejected" doc:"results that never will be, and why"`
	RejectedHeard []Rejected `json:"rejected_heard,omitempty" doc:"the same of what was heard; absent where all of it is stored"`
	// A probe keeps exactly these, and sends them again.
	Later      []Rejected `json:"later,omitempty" doc:"results that cannot be stored now but may be later, and why: send them again"`
	LaterHeard []Rejected `json:"later_heard,omitempty" doc:"the same of what was heard"`
}

// Rejected names a member of one of the posted batch's lists by its place and by
// its ID as far as that could be read.
type Rejected struct {
	Index  int        `json:"index" doc:"place in the posted list, from 0"`
	Source string     `json:"source,omitempty"`
	Target string     `json:"target,omitempty"`
	Test   string     `json:"test,omitempty"`
	Family uint8      `json:"family,omitempty"`
	DSCP   uint8      `json:"dscp,omitempty"`
	Start  *time.Time `json:"start,omitempty"`
	Reason string     `json:"reason"`
}

// Reject names what was posted, whatever its ID is, as rejected.
func Reject(index int, id ippm.ID, reason string) Rejected {
	out := Rejected{Index: index, Source: clip(id.Source, ippm.MaxName), Target: clip(id.Target, ippm.MaxName), Test: clip(id.Test, ippm.MaxName),
		Family: id.Family, DSCP: id.DSCP, Reason: clip(reason, maxReason)}
	if !id.Start.IsZero() && writable(id.Start) {
		start := id.Start.UTC()
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
