package sqlite

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
	"ixpqos/internal/store/storetest"
)

// TestMigrate brings a file of the first version to a second one, keeps what
// is in it, and survives a step that fails.
func TestMigrate(t *testing.T) {
	db, err := connect(filepath.Join(t.TempDir(), "store.db"), "rwc", time.Second, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	first := []string{"CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (7);"}
	second := append(first, "ALTER TABLE a ADD COLUMN y INTEGER;")
	broken := append(first, "ALTER TABLE a ADD COLUMN y INTEGER; INSERT INTO missing VALUES (1);")

	for _, step := range []struct {
		steps []string
		fails bool
		want  int
	}{{first, false, 1}, {first, false, 1}, {broken, true, 1}, {second, false, 2}, {first, true, 2}} {
		if err := migrate(t.Context(), db, step.steps); (err != nil) != step.fails {
			t.Errorf("to version %d: %v", len(step.steps), err)
		}
		if version, err := checkVersion(t.Context(), db, 9); err != nil || version != step.want {
			t.Errorf("version %d, not %d: %v", version, step.want, err)
		}
	}
	var x int
	var y any
	if err := errors.Join(db.QueryRow("SELECT x, y FROM a").Scan(&x, &y)); err != nil || x != 7 || y != nil {
		t.Errorf("x is %d, y is %v: %v", x, y, err)
	}
}

// TestUpgradeOfReports opens a file in which reports have neither a run nor views.
func TestUpgradeOfReports(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	db, err := connect(path, "rwc", time.Second, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := migrate(t.Context(), db, migrations[:3]); err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec(`INSERT INTO reports VALUES ('p1', ?, 1, '4f1d', '["p1","p2","p3"]', '{"version":"1.0"}')`, storetest.Start.UnixNano())
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	old, younger := storetest.NewBatch("p1", 0), storetest.NewBatch("p2", 0)
	old.Health.StartedAt = time.Time{}
	younger.Run, younger.Views = "0123456789abcdef", []uint32{7, 0, 9}
	if _, err := s.Put(t.Context(), younger); err != nil {
		t.Fatal(err)
	}
	got, err := s.Reports(t.Context(), storetest.Start)
	if diff := storetest.DiffReports([]ippm.Batch{old, younger}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// TestUpgrade opens a file of the first release, in which there are no details,
// flows or unserved packets.
func TestUpgrade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	firstRelease(t, path)
	s, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	want := storetest.NewResult(storetest.Pair("p1", "p2"), 0, 3)
	checkResult(t, s, want)

	want = storetest.WithFlows(want, 2)
	want.Detail, want.Unserved = storetest.NewDetail(1), 4
	if _, err := s.Put(t.Context(), storetest.NewBatch("p1", 0, want)); err != nil {
		t.Fatal(err)
	}
	err = s.Flows(t.Context(), "p1", "p2", store.Filter{}, want.Start, want.End(), func(got store.Stored, _ *ippm.Heard) error {
		if diff := storetest.DiffResults([]ippm.Result{want}, []store.Stored{got}); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		want = ippm.Result{}
		return nil
	})
	if err != nil || want.Sent > 0 {
		t.Errorf("no flows, or %v", err)
	}
}

// firstRelease makes a file of version 2 with one result.
func firstRelease(t *testing.T, path string) {
	t.Helper()
	db, err := connect(path, "rwc", time.Second, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := migrate(t.Context(), db, migrations[:2]); err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec(`INSERT INTO series VALUES (1, 'p1', 'p2', 'fabric', 4, 0);
		INSERT INTO results VALUES (1, ?, 1, ?, 'stamp', 3, 0, 0, 0, 0, 3, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL)`,
		storetest.Start.UnixNano(), int64(storetest.Interval))
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

func checkResult(t *testing.T, s *Store, want ippm.Result) {
	t.Helper()
	var got []store.Stored
	err := s.Range(t.Context(), want.Source, want.Target, store.Filter{}, want.Start, want.End(), func(r store.Stored) error {
		got = append(got, r)
		return nil
	})
	if diff := storetest.DiffResults([]ippm.Result{want}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	latest, err := s.Latest(t.Context(), store.Filter{}, want.Start, want.Start)
	if diff := storetest.DiffResults([]ippm.Result{want}, latest); diff != "" || err != nil {
		t.Errorf("latest: %v (-want +got):\n%s", err, diff)
	}
}
