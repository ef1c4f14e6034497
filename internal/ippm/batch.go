package ippm

import "time"

// Batch is what a probe reports at once: the results of one interval, how the
// probe itself is, the inventory version it worked from and the peers it knows.
// A batch without results is a sign of life.
type Batch struct {
	Probe     string
	Inventory string
	// Run tells a process of the probe from others under its name: 16 hexadecimal
	// digits, random at its start. Empty where the probe is too old to say it.
	Run string
	// Peers are the probes and targets of the probe's configuration. A pair
	// counts only once every end that is a probe names the other.
	Peers []string
	// Views are, for each of the peers, a hash of what the pair's ends must agree
	// on: one for the same from both ends, and 0 where that changed within the
	// interval. Nil where the probe is too old to say it.
	Views   []uint32
	Start   time.Time
	Health  Health
	Results []Result
	// Heard is what the probe's Session-Reflector received in that interval.
	Heard []Heard
}

// KeepPeers leaves those of the peers, and their views, whose names are to be kept.
func (b *Batch) KeepPeers(keep func(name string) bool) {
	var peers []string
	var views []uint32
	for i, name := range b.Peers {
		if !keep(name) {
			continue
		}
		peers = append(peers, name)
		if i < len(b.Views) {
			views = append(views, b.Views[i])
		}
	}
	b.Peers, b.Views = peers, views
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
