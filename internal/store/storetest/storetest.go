// Package storetest is what every store must pass: the promises of package
// store, each as a test. It knows nothing about how a store does it, and makes
// it go away only in ways that its caller has found in reality.
package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
)

// Subject is an empty store under test.
type Subject struct {
	Writer store.Writer
	Reader store.Reader
	// Outages are the ways in which this store can go away, if any.
	Outages []Outage
}

// Outage is a real way in which a store goes away and comes back.
type Outage struct {
	Name string
	// Reads says that reading fails too, or may fail.
	Reads bool
	// Begin and End make and end it. Begin may skip the test.
	Begin, End func(t *testing.T)
}

// Run runs all cases, each on a store of its own, which open opens and cleans
// up after the test.
func Run(t *testing.T, open func(t *testing.T) Subject) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, Subject)
	}{
		{"a batch comes out as it went in", roundTrip},
		{"nanoseconds and other time zones", times},
		{"total loss has no round-trip time", totalLoss},
		{"odd names", oddNames},
		{"storing twice", twice},
		{"a series has one result an interval", oneAnInterval},
		{"latest: bounds", latestBounds},
		{"latest: filter", latestFilter},
		{"latest: only some series", latestOnly},
		{"latest: targets that come and go", latestTargets},
		{"latest: order", latestOrder},
		{"latest: late data", latestLateData},
		{"range: half open, in order", rangeBounds},
		{"range: many results", rangeMany},
		{"range: filter and direction", rangeFilter},
		{"range: yield's error", rangeError},
		{"range: yield may call the store", rangeNested},
		{"detail: storing twice", detailTwice},
		{"flows come out as they went in", flowsRoundTrip},
		{"flows: storing twice", flowsTwice},
		{"flows: bounds", flowsBounds},
		{"flows: filter, direction and order", flowsFilter},
		{"flows: many results", flowsMany},
		{"flows: yield's error", flowsError},
		{"flows: yield may call the store", flowsNested},
		{"flows: odd names", flowsOddNames},
		{"heard: before, after and never", heardJoins},
		{"heard: storing twice", heardTwice},
		{"heard: of something else", heardElsewhere},
		{"both ends of some results", bothEnds},
		{"both ends of many results", bothEndsMany},
		{"reports", reports},
		{"reports: late data", reportsLateData},
		{"pings come out as they went in", pings},
		{"pings: the newest of each target and family", pingsNewest},
		{"pings: storing twice", pingsTwice},
		{"pings: odd names", pingsOddNames},
		{"nothing stored", nothing},
		{"two writers", twoWriters},
		{"ended context", endedContext},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
	RunOutages(t, open)
}

// RunOutages runs only the outages: for a store that is made for one and bears
// nothing else.
func RunOutages(t *testing.T, open func(t *testing.T) Subject) {
	for i, o := range open(t).Outages {
		t.Run("outage: "+o.Name, func(t *testing.T) {
			s := open(t)
			outage(t, s, s.Outages[i])
		})
	}
}

func put(t *testing.T, s Subject, batches ...ippm.Batch) {
	t.Helper()
	for _, b := range batches {
		rejected, err := s.Writer.Put(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		if len(rejected) > 0 {
			t.Fatalf("rejected: %+v", rejected)
		}
	}
}

func latest(t *testing.T, s Subject, f store.Filter, since, at time.Time) []store.Stored {
	t.Helper()
	got, err := s.Reader.Latest(t.Context(), f, since, at)
	if err != nil {
		t.Fatal(err)
	}
	return checkStored(t, got)
}

// everything is what was stored from source to target.
func everything(t *testing.T, s Subject, source, target string) []store.Stored {
	t.Helper()
	return between(t, s, source, target, store.Filter{}, Start.AddDate(-1, 0, 0), Start.AddDate(1, 0, 0))
}

func between(t *testing.T, s Subject, source, target string, f store.Filter, from, until time.Time) (got []store.Stored) {
	t.Helper()
	err := s.Reader.Range(t.Context(), source, target, f, from, until, func(r store.Stored) error {
		got = append(got, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return checkStored(t, got)
}

func reportsAt(t *testing.T, s Subject, at time.Time) []store.Report {
	t.Helper()
	got, err := s.Reader.Reports(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range got {
		checkTimes(t, r.Start, r.StoredAt)
	}
	return got
}

// checkStored checks what holds for every result that comes out.
func checkStored(t *testing.T, got []store.Stored) []store.Stored {
	t.Helper()
	for _, r := range got {
		checkTimes(t, r.Start, r.StoredAt)
		if err := r.Check(); err != nil {
			t.Errorf("what came out is no result: %v", err)
		}
	}
	return got
}

func checkTimes(t *testing.T, start, storedAt time.Time) {
	t.Helper()
	if start.Location() != time.UTC {
		t.Errorf("start %v is not in UTC", start)
	}
	if storedAt.IsZero() {
		t.Errorf("what began at %v has no time of storing", start)
	}
}

var errStop = errors.New("stop")

func ended(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
