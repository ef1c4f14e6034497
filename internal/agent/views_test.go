package agent

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
	"ixpqos/internal/wire"
)

// partOfTwo is p1's, to which p2 has one address and p3 always the same.
func partOfTwo(address string) inventory.Part {
	return inventory.Part{Probe: "p1", Peers: []inventory.Peer{
		{Name: "p2", Addresses: []inventory.Address{{Family: 4, Host: address}}},
		{Name: "p3", Addresses: []inventory.Address{{Family: 4, Host: "192.0.2.3"}}},
	}}
}

// TestViewsOfAnInterval: an interval in which a view changed, or was about to,
// has none.
func TestViewsOfAnInterval(t *testing.T) {
	begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(s float64) time.Time { return begin.Add(time.Duration(s * float64(time.Second))) }
	old, young := partOfTwo("192.0.2.2"), partOfTwo("192.0.2.22")
	before, after, other := old.Views()["p2"], young.Views()["p2"], old.Views()["p3"]
	if before == after {
		t.Fatal("the views are the same")
	}
	l := &viewLog{}
	l.begin(old, at(0))
	l.settle(at(0.5))
	l.begin(old, at(30)) // of another inventory, which is no matter of these
	l.settle(at(30))
	l.begin(young, at(65))
	l.settle(at(69.5))
	for _, c := range []struct {
		what        string
		from, until float64
		want        []uint32
	}{
		{"before the first configuration", -10, 0, []uint32{0, 0, 0}},
		{"while the first was taken up", 1, 11, []uint32{0, 0, 0}},
		{"once it was", 10, 20, []uint32{before, other, 0}},
		{"over one that changes nothing", 20, 40, []uint32{before, other, 0}},
		{"up to the change", 55, 65, []uint32{before, other, 0}},
		{"in which it changed", 60, 70, []uint32{0, other, 0}},
		{"that began before all was done", 70, 80, []uint32{0, other, 0}},
		{"after the change", 80, 90, []uint32{after, other, 0}},
		{"around it", 10, 310, []uint32{0, other, 0}},
	} {
		if got := l.during([]string{"p2", "p3", "gone"}, at(c.from), at(c.until)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %x; want %x", c.what, got, c.want)
		}
	}
	if got := l.newest([]string{"p3", "p2"}); !slices.Equal(got, []uint32{other, after}) {
		t.Errorf("from now on: %x", got)
	}
	l.begin(old, at(100)) // and the engines do not have it yet
	if got := l.during([]string{"p2"}, at(100), at(110)); got[0] != 0 {
		t.Errorf("while it is not known when the engines have it: %x", got)
	}
}

// TestViewsAreForgotten: of what is longer ago than the kept changes nothing is known.
func TestViewsAreForgotten(t *testing.T) {
	begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	l := &viewLog{}
	for n := range 2 * keptViews {
		l.begin(partOfTwo("192.0.2.2"), begin.Add(time.Duration(n)*time.Minute))
		l.settle(begin.Add(time.Duration(n) * time.Minute))
	}
	early := l.during([]string{"p2"}, begin.Add(90*time.Minute), begin.Add(91*time.Minute))
	late := l.during([]string{"p2"}, begin.Add(190*time.Minute), begin.Add(191*time.Minute))
	if len(l.all) != keptViews || early[0] != 0 || late[0] == 0 {
		t.Errorf("%d kept; %x and %x", len(l.all), early, late)
	}
}

// spooled takes the oldest batch of the spool.
func (r *reporting) spooled(t *testing.T) ippm.Batch {
	t.Helper()
	e, ok := r.spool.Oldest()
	if !ok {
		t.Fatal("there is no batch")
	}
	body, err := r.spool.Read(e)
	if err != nil {
		t.Fatal(err)
	}
	posted, err := wire.DecodeBatch(body, 10)
	if err := errors.Join(err, r.spool.Remove(e)); err != nil {
		t.Fatal(err)
	}
	return posted.Batch
}

// TestBatchesTellRunAndViews: a sign of life tells how things are now, and a
// result how they were in all of its interval.
func TestBatchesTellRunAndViews(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	clock := clockwork.NewFakeClockAt(now)
	rep := newReporting(t, "http://127.0.0.1:1", clock)
	other := newReporting(t, "http://127.0.0.1:1", clock)
	if len(rep.process) != 16 || rep.process == other.process {
		t.Errorf("runs %q and %q", rep.process, other.process)
	}
	expect := func(what string, want ...uint32) {
		t.Helper()
		if got := rep.spooled(t); got.Run != rep.process || !slices.Equal(got.Peers, []string{"p2", "p3"}) || !slices.Equal(got.Views, want) {
			t.Errorf("%s: run %q, peers %q, views %x; want %x", what, got.Run, got.Peers, got.Views, want)
		}
	}
	take := func(part inventory.Part) {
		t.Helper()
		rep.taking(part)
		if err := rep.alive(t.Context(), part); err != nil {
			t.Fatal(err)
		}
	}
	measured := func(part inventory.Part, start time.Time) {
		t.Helper()
		r := ippm.Result{ID: ippm.ID{Series: ippm.Series{Source: "p1", Target: "p2", Test: "ping", Family: 4}, Start: start}, Kind: "icmp", Length: 10 * time.Second}
		if err := rep.emit(t.Context(), ippm.Batch{Probe: "p1", Peers: part.PeerNames(), Start: start, Results: []ippm.Result{r}}); err != nil {
			t.Fatal(err)
		}
	}
	old, young := partOfTwo("192.0.2.2"), partOfTwo("192.0.2.22")
	before, after, same := old.Views()["p2"], young.Views()["p2"], old.Views()["p3"]
	start := now.Add(10 * time.Second)
	take(old)
	expect("the first configuration", before, same)
	clock.Advance(start.Add(15 * time.Second).Sub(now))
	take(young)
	expect("the next", after, same)
	for n, want := range []uint32{before, 0, after} {
		measured(young, start.Add(time.Duration(n)*10*time.Second))
		expect("a result", want, same)
	}
}

// TestAnchored: moments are compared by the clock that does not step, as those at
// which views were taken up, which time.Time does only where both have a reading of it.
func TestAnchored(t *testing.T) {
	now := time.Now()
	start := now.Add(-10 * time.Second).UTC().Truncate(time.Second)
	got := anchored(now, start)
	if !got.Equal(start) || !strings.Contains(got.String(), "m=") {
		t.Errorf("anchored is %v; want %v with a monotonic reading", got, start)
	}
}
