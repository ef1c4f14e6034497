package collect

import (
	"hash/maphash"
	"sync"
	"time"

	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
)

// What one probe's key may add to the store that the inventory does not ask for.
// A probe that was away for days, while an exchange renamed everything, has less.
const (
	maxStrangers = 10_000
	strangersFor = 24 * time.Hour
)

// strangers counts the series that the inventory does not ask for, by probe.
//
// They are stored as they are: their names may have left the inventory since, or
// have not come to this server yet, and no reader asks for them until they do. So
// nothing has to be remembered over a restart or between Lambda instances. Only a
// key in wrong hands makes up names without end, and every series costs the store
// for as long as it keeps results: hence the bound. What is above it may come later.
type strangers struct {
	mu   sync.Mutex
	seed maphash.Seed
	of   map[string]*admitted
}

// admitted are the hashes of series since a moment.
type admitted struct {
	since  time.Time
	series map[uint64]struct{}
}

func (s *strangers) admit(probe string, series ippm.Series, kind string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil {
		s.seed, s.of = maphash.MakeSeed(), map[string]*admitted{}
	}
	have := s.of[probe]
	// A clock that was set back must not hold the bound for as long.
	if have == nil || now.Before(have.since) || now.Sub(have.since) >= strangersFor {
		have = &admitted{since: now, series: map[uint64]struct{}{}}
		s.of[probe] = have
	}
	hash := maphash.Comparable(s.seed, stranger{series, kind})
	if _, known := have.series[hash]; !known && len(have.series) >= maxStrangers {
		return false
	}
	have.series[hash] = struct{}{}
	return true
}

type stranger struct {
	ippm.Series
	kind string
}

// asked is what one inventory asks for, so that it need not be searched for
// every result.
type asked struct {
	inventory *inventory.Inventory
	ends      map[string]bool
	tests     map[testKey]bool
}

// testKey is what a test's results carry of it. What was heard carries no kind.
type testKey struct {
	name, kind string
	dscp       uint8
}

func newAsked(inv *inventory.Inventory) *asked {
	a := &asked{inventory: inv, ends: map[string]bool{}, tests: map[testKey]bool{}}
	for _, p := range inv.Probes {
		a.ends[p.Name] = true
	}
	for _, t := range inv.Targets {
		a.ends[t.Name] = true
	}
	for _, t := range inv.Tests {
		a.tests[testKey{t.Name, t.Kind, t.DSCP}] = true
		a.tests[testKey{t.Name, "", t.DSCP}] = true
	}
	return a
}

func (a *asked) asks(end string, test testKey) bool { return a.ends[end] && a.tests[test] }

// asked is that of the inventory as it is now.
func (c *Collector) asked() *asked {
	inv := c.Inventory()
	if a := c.newest.Load(); a != nil && a.inventory == inv {
		return a
	}
	a := newAsked(inv)
	c.newest.Store(a)
	return a
}
