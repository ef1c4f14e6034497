package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"ixpqos/internal/store"
)

// transient are the result codes (https://www.sqlite.org/rescode.html) whose
// cause can go away, with the cause and what to do.
var transient = map[int]string{
	sqlite3.SQLITE_BUSY:     "another process holds its lock: wait, or end that process",
	sqlite3.SQLITE_LOCKED:   "another connection holds its lock: wait",
	sqlite3.SQLITE_PROTOCOL: "another process holds its lock: wait, or end that process",
	sqlite3.SQLITE_FULL:     "the disk is full: free some space",
	sqlite3.SQLITE_IOERR:    "the disk fails or is full: free some space, or look into the kernel's log",
	sqlite3.SQLITE_CANTOPEN: "the file cannot be opened: check that it and its folder exist and may be written",
	sqlite3.SQLITE_READONLY: "the file cannot be written: check its owner, its permissions and its mount",
	sqlite3.SQLITE_PERM:     "the file cannot be written: check its owner, its permissions and its mount",
	sqlite3.SQLITE_NOMEM:    "the memory is used up: give the process more",
}

// permanent are the codes whose cause stays until somebody does something about it.
var permanent = map[int]string{
	sqlite3.SQLITE_NOTADB:  "the file is no SQLite database: move it away, or choose another",
	sqlite3.SQLITE_CORRUPT: "the file is damaged: stop the server, and restore a copy or move it away",
}

// explain turns an error of the database into one that says what was tried on
// which file and what to do, and that is a store.ErrUnavailable where its cause
// can go away.
func explain(tried, path string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: %s: %w", tried, path, err)
	}
	if hint, ok := transient[resultCode(err)]; ok {
		return fmt.Errorf("%s: %s: %w: %s: %w", tried, path, store.ErrUnavailable, hint, err)
	}
	if hint, ok := permanent[resultCode(err)]; ok {
		return fmt.Errorf("%s: %s: %s: %w", tried, path, hint, err)
	}
	return fmt.Errorf("%s: %s: %w", tried, path, err)
}

// resultCode is SQLite's primary result code, 0 where err is not SQLite's.
func resultCode(err error) int {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Code() & 0xff
}

// explainOpen says better than SQLite's "unable to open" what is wrong with
// the place of a file.
func explainOpen(path string, err error) error {
	const tried = "open the store"
	if resultCode(err) != sqlite3.SQLITE_CANTOPEN {
		return explain(tried, path, err)
	}
	folder := filepath.Dir(path)
	if _, err := os.ReadDir(folder); err != nil {
		return fmt.Errorf("%s: %s: its folder cannot be used: make it, or choose another: %w", tried, path, err)
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("%s: %s: is a folder: name a file in it", tried, path)
	}
	if err := tryFolder(folder); err != nil {
		return fmt.Errorf("%s: %s: its folder cannot be written: change its owner, or choose another: %w", tried, path, err)
	}
	return explain(tried, path, err)
}

func tryFolder(folder string) error {
	f, err := os.CreateTemp(folder, ".try-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}
