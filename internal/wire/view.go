package wire

import (
	"time"

	"ixpqos/internal/ippm"
)

// Matrix is the newest result of every pair.
type Matrix struct {
	Exchange  string    `json:"exchange"`
	Inventory string    `json:"inventory" doc:"version of the inventory"`
	At        time.Time `json:"at" doc:"the moment that the matrix shows"`
	Cells     []Cell    `json:"cells" doc:"one per pair, test, family and DSCP"`
}

// The states of a cell.
const (
	// StatePending: not both ends know of each other yet, or the same; it is not judged.
	StatePending = "pending"
	// StateNone: both know, but nothing has been measured yet.
	StateNone = "none"
	// StateFresh: the newest result is as new as it should be.
	StateFresh = "fresh"
	// StateStale: results should have come since.
	StateStale = "stale"
)

// Cell is one pair as one test sees it.
type Cell struct {
	Source string `json:"source"`
	Target string `json:"target"`
	Test   string `json:"test"`
	Family uint8  `json:"family"`
	DSCP   uint8  `json:"dscp"`
	State  string `json:"state" enum:"pending,none,fresh,stale" doc:"pending: an end does not know the other yet, or both do not know the same addresses, ports and tests of the pair; none: nothing measured yet; stale: results should have come since"`

	Start    *time.Time `json:"start" doc:"beginning of the newest result's interval" nullable:"true"`
	LengthS  *float64   `json:"length_s" doc:"its length in seconds" nullable:"true"`
	AgeS     *float64   `json:"age_s" doc:"seconds since its end" nullable:"true"`
	Sent     *int       `json:"sent" nullable:"true"`
	Received *int       `json:"received" nullable:"true"`
	Late     *int       `json:"late" nullable:"true"`
	Lost     *int       `json:"lost" doc:"lost_forward + lost_backward + lost_unplaced" nullable:"true"`
	Forward  *int       `json:"lost_forward" doc:"packets lost from source to target" nullable:"true"`
	Backward *int       `json:"lost_backward" doc:"packets lost from target to source" nullable:"true"`
	Unplaced *int       `json:"lost_unplaced" doc:"packets lost in a direction that neither end could tell" nullable:"true"`

	Duplicates *int `json:"duplicates" doc:"further copies of replies" nullable:"true"`
	Reordered  *int `json:"reordered" doc:"replies that were overtaken" nullable:"true"`
	Refused    *int `json:"refused" doc:"packets that the source's own kernel refused to send; not in sent" nullable:"true"`
	Unserved   *int `json:"unserved" doc:"packets that reached the target, where nothing reflected them; not in sent" nullable:"true"`

	LossRatio *float64 `json:"loss_ratio" nullable:"true"`
	RTTMinUS  *float64 `json:"rtt_min_us" nullable:"true"`
	RTTP50US  *float64 `json:"rtt_p50_us" nullable:"true"`
	RTTP95US  *float64 `json:"rtt_p95_us" nullable:"true"`
	RTTMaxUS  *float64 `json:"rtt_max_us" nullable:"true"`

	Troubled []string `json:"troubled,omitempty" doc:"the pair's ends whose own reports tell of a trouble of it, such as an address that is gone: see their health"`
}

// NewCell is a cell without a result.
func NewCell(s ippm.Series, state string) Cell {
	return Cell{Source: s.Source, Target: s.Target, Test: s.Test, Family: s.Family, DSCP: s.DSCP, State: state}
}

// WithResult is the cell with its newest result, as seen at the given moment.
func (c Cell) WithResult(r ippm.Result, at time.Time) Cell {
	v := &values{start: r.Start.UTC(), lengthS: r.Length.Seconds(), sent: r.Sent, received: r.Received, late: r.Late, lost: r.Lost(),
		forward: r.Forward, backward: r.Backward, unplaced: r.Unplaced,
		duplicates: r.Duplicates, reordered: r.Reordered, refused: r.Refused, unserved: r.Unserved, rttMinUS: r.RTT.Min, rttMaxUS: r.RTT.Max}
	v.ageS = max(at.Sub(r.End()).Seconds(), 0) // the interval may not be over
	c.Start, c.LengthS, c.AgeS = &v.start, &v.lengthS, &v.ageS
	c.Sent, c.Received, c.Late, c.Lost = &v.sent, &v.received, &v.late, &v.lost
	c.Forward, c.Backward, c.Unplaced = &v.forward, &v.backward, &v.unplaced
	c.Duplicates, c.Reordered, c.Refused, c.Unserved = &v.duplicates, &v.reordered, &v.refused, &v.unserved
	c.LossRatio = LossRatio(r.Counts)
	if r.RTT.N > 0 {
		c.RTTMinUS, c.RTTMaxUS = &v.rttMinUS, &v.rttMaxUS
		c.RTTP50US, c.RTTP95US = Quantile(r.RTT, 0.50), Quantile(r.RTT, 0.95)
	}
	return c
}

// values are what a cell points to, in one piece: a matrix has tens of
// thousands of cells, and the whole results would stay with them.
type values struct {
	start                       time.Time
	lengthS, ageS               float64
	sent, received, late, lost  int
	forward, backward, unplaced int
	duplicates, reordered       int
	refused, unserved           int
	rttMinUS, rttMaxUS          float64
}

// Series are the results of one pair over time.
type Series struct {
	Source  string    `json:"source"`
	Target  string    `json:"target"`
	From    time.Time `json:"from"`
	Until   time.Time `json:"until"`
	Results []Result  `json:"results" doc:"by test, family and DSCP, then by time; lost packets are placed by what the target's reflector heard, as long as flows are kept"`
	// Complete is false where there were more than are given at once.
	Complete bool `json:"complete" doc:"false where there are more results than are given at once; ask for less time"`
}

// Probes are all probes and how they are.
type Probes struct {
	Inventory string  `json:"inventory" doc:"version of the server's inventory"`
	Probes    []Probe `json:"probes"`
}

// Probe is one probe of the inventory and what it last said.
type Probe struct {
	Name      string     `json:"name"`
	Site      string     `json:"site"`
	Switch    string     `json:"switch"`
	Drain     bool       `json:"drain" doc:"measured but not judged"`
	HeardAt   *time.Time `json:"heard_at" doc:"when it last reported; null where it never did" nullable:"true"`
	AgeS      *float64   `json:"age_s" doc:"seconds since then" nullable:"true"`
	Inventory *string    `json:"inventory" doc:"version of the inventory that it worked from" nullable:"true"`
	Run       string     `json:"run,omitempty" doc:"tells its process from others under its name; absent where it is too old to say it"`
	Health    *Health    `json:"health,omitempty" doc:"what the probe says of itself; absent where it never reported"`
}
