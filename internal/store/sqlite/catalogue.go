package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"maps"
	"slices"
	"sync"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
)

// numbered is a series and its row's id.
type numbered struct {
	ippm.Series
	id int64
}

// catalogue knows committed series, so that neither writing a result nor
// reading one has to look at their names. It may be behind the file, never
// ahead of it. That is enough, since series are never deleted or changed.
type catalogue struct {
	mu  sync.RWMutex
	ids map[ippm.Series]int64
	// sorted holds all series up to the id last. It is replaced, not changed:
	// parts of it are handed out.
	sorted []numbered
	last   int64
}

func (c *catalogue) id(series ippm.Series) (id int64, ok bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	id, ok = c.ids[series]
	return id, ok
}

// learn takes in what the caller has committed.
func (c *catalogue) learn(fresh map[ippm.Series]int64) {
	if len(fresh) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.Copy(c.ids, fresh)
}

// refresh takes in what anybody has committed. Ids rise, so that the new ones
// are those after the last.
func (c *catalogue) refresh(ctx context.Context, newSeries *sql.Stmt) error {
	c.mu.RLock()
	last := c.last
	c.mu.RUnlock()
	var added []numbered
	err := each(ctx, newSeries, []any{last}, func(rows *sql.Rows) error {
		var n numbered
		err := rows.Scan(&n.id, &n.Source, &n.Target, &n.Test, &n.Family, &n.DSCP)
		added = append(added, n)
		return err
	})
	if err == nil && len(added) > 0 {
		c.add(added)
	}
	return err
}

func (c *catalogue) add(added []numbered) {
	c.mu.Lock()
	defer c.mu.Unlock()
	sorted := slices.Clone(c.sorted)
	for _, n := range added {
		if n.id <= c.last {
			continue // another refresh was faster
		}
		c.ids[n.Series], c.last = n.id, n.id
		sorted = append(sorted, n)
	}
	slices.SortFunc(sorted, func(a, b numbered) int { return cmp.Or(comparePair(a, b), compareTest(a, b)) })
	c.sorted = sorted
}

// all is every series, in order.
func (c *catalogue) all() []numbered {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.sorted
}

// pair is every series of an ordered pair, in order.
func (c *catalogue) pair(source, target string) []numbered {
	all, wanted := c.all(), numbered{Series: ippm.Series{Source: source, Target: target}}
	first, _ := slices.BinarySearchFunc(all, wanted, comparePair)
	end := first
	for end < len(all) && comparePair(all[end], wanted) == 0 {
		end++
	}
	return all[first:end]
}

func comparePair(a, b numbered) int {
	return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Target, b.Target))
}

func compareTest(a, b numbered) int {
	return cmp.Or(cmp.Compare(a.Test, b.Test), cmp.Compare(a.Family, b.Family), cmp.Compare(a.DSCP, b.DSCP))
}

// passing are those of the series that the filter lets pass.
func passing(all []numbered, f store.Filter) []numbered {
	var some []numbered
	for _, s := range all {
		if f.Passes(s.Series) {
			some = append(some, s)
		}
	}
	return some
}
