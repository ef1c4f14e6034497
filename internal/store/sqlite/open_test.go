package sqlite_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ixpqos/infra/needs"
	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
	"ixpqos/internal/store/sqlite"
	"ixpqos/internal/store/storetest"
)

// execute runs SQL on a file.
func execute(t *testing.T, path, statements string) {
	t.Helper()
	db, err := openRaw(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec(statements)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct {
		what, file string
		make       func(t *testing.T, path string)
		want       []string
	}{
		{"newer schema", "store.db", func(t *testing.T, path string) {
			if err := open(t, path, sqlite.Options{}).Close(); err != nil {
				t.Fatal(err)
			}
			execute(t, path, "PRAGMA user_version = 99")
		}, []string{"version 99", "knows only up to 4", "run the newer program"}},
		{"another program's database", "store.db", func(t *testing.T, path string) {
			execute(t, path, "CREATE TABLE cookies (id INTEGER)")
		}, []string{"belongs to another program", "choose another file"}},
		{"no database", "store.db", func(t *testing.T, path string) {
			write(t, path, strings.Repeat("probes: []\n", 1000))
		}, []string{"no SQLite database", "move it away"}},
		{"missing folder", "missing/store.db", func(*testing.T, string) {},
			[]string{"folder cannot be used", "make it", "no such file"}},
		{"a file for a folder", "file/store.db", func(t *testing.T, path string) {
			write(t, filepath.Dir(path), "")
		}, []string{"folder cannot be used", "not a directory"}},
		{"a folder for a file", "folder", func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, []string{"is a folder", "name a file in it"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), c.file)
			c.make(t, path)
			checkRefused(t, path, c.want)
		})
	}
}

// checkRefused wants one line with the path and the words.
func checkRefused(t *testing.T, path string, words []string) {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err == nil {
		s.Close()
		t.Fatal("it was opened")
	}
	t.Log(err)
	for _, word := range append(words, path) {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not say %q", err, word)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("%q has several lines", err)
	}
}

// TestNotWritable mounts a disk read-only: permissions do not bind root.
func TestNotWritable(t *testing.T) {
	needs.Root(t)
	disk := smallDisk(t)
	mount(t, "mount", "-o", "remount,ro", disk)
	checkRefused(t, filepath.Join(disk, "store.db"), []string{"folder cannot be written", "read-only"})
}

func TestRefusedIsUntouched(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	execute(t, path, "CREATE TABLE cookies (id INTEGER)")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	checkRefused(t, path, nil)
	after, err := os.ReadFile(path)
	if err != nil || string(before) != string(after) {
		t.Errorf("the file was changed: %v", err)
	}
}

func TestOpenWhileLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	execute(t, path, "PRAGMA journal_mode = WAL")
	lock := locked(path)
	lock.Begin(t)
	defer lock.End(t)
	s, err := sqlite.Open(t.Context(), path, sqlite.Options{BusyTimeout: shortly})
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("Open gave %v, %v", s, err)
	}
	t.Log(err)
}

// TestWaitHeedsContext has a lock that is held, and a timeout that is too long
// to wait for.
func TestWaitHeedsContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path, sqlite.Options{BusyTimeout: 1 << 40})
	lock := locked(path)
	lock.Begin(t)
	ctx, cancel := context.WithTimeout(t.Context(), shortly)
	defer cancel()
	batch := storetest.NewBatch("p1", 0, storetest.NewResult(storetest.Pair("p1", "p2"), 0, 0, 200))
	if _, err := s.Put(ctx, batch); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Put gave %v", err)
	}
	lock.End(t)
	put(t, s, batch)
	if got := count(t, s, "p1", "p2"); got != 1 {
		t.Errorf("%d results, not 1", got)
	}
}

func TestDamagedResult(t *testing.T) {
	for _, damage := range []string{"results SET rtt_sketch = x'ff'", "results SET detail = x'ff'", "flows SET flows = x'ff'", "heard SET flows = x'ff'"} {
		path := filepath.Join(t.TempDir(), "store.db")
		s := open(t, path, sqlite.Options{})
		r := storetest.WithFlows(storetest.NewResult(storetest.Pair("p1", "p2"), 0, 0, 200), 2)
		put(t, s, storetest.NewBatch("p1", 0, r), storetest.NewHeardBatch("p2", 0, storetest.HeardOf(r)))
		execute(t, path, "UPDATE "+damage)
		err := s.Flows(t.Context(), "p1", "p2", store.Filter{}, r.Start, r.End(), func(store.Stored, *ippm.Heard) error { return nil })
		if err == nil || !strings.Contains(err.Error(), "p2") || !strings.Contains(err.Error(), path) || errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: Flows gave %v", damage, err)
		}
	}
}
