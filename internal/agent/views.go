package agent

import (
	"sync"
	"time"

	"ixpqos/internal/inventory"
)

const (
	// takeUp is how long engines take at most, from when they have a new part
	// until they measure and reflect by it.
	takeUp = time.Second
	// keptViews bounds how many changes are remembered: of what began before the
	// first of them nothing is known.
	keptViews = 100
)

// viewLog remembers how the probe saw its pairs at which time: a result may be
// trusted only where that was one and the same for all of its interval.
type viewLog struct {
	mu  sync.Mutex
	all []viewed
}

// viewed are the views of a part, which took the place of those before it at some
// moment from begun to settled.
type viewed struct {
	begun, settled time.Time
	views          map[string]uint32
}

// begin says that the engines are about to be told of a part.
func (l *viewLog) begin(part inventory.Part, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, viewed{begun: now, views: part.Views()})
	l.all = l.all[max(len(l.all)-keptViews, 0):]
}

// settle says that the engines have the part that was begun last.
func (l *viewLog) settle(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.all) > 0 {
		l.all[len(l.all)-1].settled = now.Add(takeUp)
	}
}

// newest are the views of these peers as they are from now on.
func (l *viewLog) newest(peers []string) []uint32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	views := make([]uint32, len(peers))
	if len(l.all) > 0 {
		for i, peer := range peers {
			views[i] = l.all[len(l.all)-1].views[peer]
		}
	}
	return views
}

// during are the views of these peers in an interval: 0 where it changed, or was
// about to, or is not known.
func (l *viewLog) during(peers []string, from, until time.Time) []uint32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := len(l.all) - 1 // the one by which the interval began, for sure
	for first >= 0 && !l.all[first].ruled(from) {
		first--
	}
	views := make([]uint32, len(peers))
	if first < 0 {
		return views
	}
	for i, peer := range peers {
		views[i] = l.all[first].views[peer]
		for _, later := range l.all[first+1:] {
			if later.begun.Before(until) && later.views[peer] != views[i] {
				views[i] = 0
			}
		}
	}
	return views
}

// ruled tells whether all was done by it at a moment, unless by a later one.
func (v viewed) ruled(at time.Time) bool { return !v.settled.IsZero() && !v.settled.After(at) }
