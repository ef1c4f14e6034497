package ippm

import "time"

// Batch is what a probe reports at once: the results of one interval, how the
// probe itself is, the inventory version it worked from and the peers it knows.
// A batch without results is a sign of life.
type Batch struct {
	Probe     string
	Inventory string
	// Peers are the probes and targets of the probe's configuration. A pair
	// counts only once every end that is a probe names the other.
	Peers []string
	Start time.Time
	// Run is made at random whenever the probe's process starts; empty where the
	// probe is too old to say. Two that go on side by side are two processes
	// under one name.
	Run     string
	Health  Health
	Results []Result
	// Heard is what the probe's Session-Reflector received in that interval.
	Heard []Heard
}

// Health is what a probe says about itself.
type Health struct {
	// Version is the probe binary's.
	Version string
	// StartedAt is when the process started.
	StartedAt time.Time
	// Waiting is the number of batches that the spool holds, Bytes their size.
	Waiting      int
	WaitingBytes int64
	// SetAside is the number of spool files and results that were put out of
	// the way because they were corrupt or refused; Dropped is the number of
	// batches that were lost because the disk was full or failed. Both since start.
	SetAside, Dropped int
	// Missed is the number of rounds that could not start in their interval, since start.
	Missed int
	// Troubles are sentences for a person: what is wrong here and what to do.
	Troubles []string
}
