package sqlite

import (
	"errors"
	"path/filepath"
	"testing"
	"time"
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
