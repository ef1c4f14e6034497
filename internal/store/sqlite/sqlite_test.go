package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ixpqos/internal/store"
	"ixpqos/internal/store/sqlite"
	"ixpqos/internal/store/storetest"
)

// shortly is how long a test waits for a lock that nobody will give back.
const shortly = 20 * time.Millisecond

func open(t testing.TB, path string, opts sqlite.Options) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Subject {
		path := filepath.Join(t.TempDir(), "odd #1 %41?mode=memory&x;é.db")
		s := open(t, path, sqlite.Options{BusyTimeout: shortly})
		return storetest.Subject{Writer: s, Reader: s, Outages: []storetest.Outage{locked(path), moved(path)}}
	})
}

// locked is another process, a backup say, that holds the lock for writing.
func locked(path string) storetest.Outage {
	var other *child
	return storetest.Outage{
		Name: "another process holds the lock",
		Begin: func(t *testing.T) {
			other = startChild(t, "lock", path)
			other.line(t)
		},
		End: func(t *testing.T) {
			if err := errors.Join(other.stdin.Close(), other.cmd.Wait()); err != nil {
				t.Error(err)
			}
		},
	}
}

// moved is a file that is moved away and put back.
func moved(path string) storetest.Outage {
	move := func(from, to string) func(t *testing.T) {
		return func(t *testing.T) {
			if err := os.Rename(from, to); err != nil {
				t.Error(err)
			}
		}
	}
	return storetest.Outage{Name: "the file is moved away", Reads: true,
		Begin: move(path, path+".away"), End: move(path+".away", path)}
}

func TestStoredAt(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 11, 987654321, time.FixedZone("CET", 3600))
	s := open(t, filepath.Join(t.TempDir(), "store.db"), sqlite.Options{Now: func() time.Time { return now }})
	batch := storetest.NewBatch("p1", 0, storetest.NewResult(storetest.Pair("p1", "p2"), 0, 0, 200))
	for range 2 {
		now = now.Add(time.Minute)
		put(t, s, batch)
		checkStoredAt(t, s, now.UTC())
	}
}

func checkStoredAt(t *testing.T, s *sqlite.Store, want time.Time) {
	t.Helper()
	results, err := s.Latest(t.Context(), store.Filter{}, storetest.At(0), storetest.At(0))
	if err != nil || len(results) != 1 || results[0].StoredAt != want {
		t.Errorf("want one result stored at %v, not %+v, %v", want, results, err)
	}
	reports, err := s.Reports(t.Context(), storetest.At(0))
	if err != nil || len(reports) != 1 || reports[0].StoredAt != want {
		t.Errorf("want one report stored at %v, not %+v, %v", want, reports, err)
	}
}

// TestTwoStores lets two stores write to one file: each must find the series
// that the other made.
func TestTwoStores(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	a, b := open(t, path, sqlite.Options{}), open(t, path, sqlite.Options{})
	for n, s := range []*sqlite.Store{a, b, b, a} {
		put(t, s, storetest.NewBatch("p1", n,
			storetest.NewResult(storetest.Pair("p1", "p2"), n, 0, 200),
			storetest.NewResult(storetest.Pair("p1", string(rune('a'+n/2))), n, 0, 200)))
	}
	for _, s := range []*sqlite.Store{a, b} {
		if got := count(t, s, "p1", "p2"); got != 4 {
			t.Errorf("%d results, not 4", got)
		}
		if all, err := s.Latest(t.Context(), store.Filter{}, storetest.At(0), storetest.At(9)); err != nil || len(all) != 3 {
			t.Errorf("%d series, not 3: %v", len(all), err)
		}
	}
}

// TestManySeries has enough series for Latest to work on them in parts, and
// some that have no result in the time asked for.
func TestManySeries(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "store.db"), sqlite.Options{})
	batch, want := manySeries(3000)
	put(t, s, batch)
	got, err := s.Latest(t.Context(), store.Filter{}, storetest.At(1), storetest.At(1))
	if err != nil {
		t.Fatal(err)
	}
	if diff := storetest.DiffResults(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
