// Package sqlite keeps results in one SQLite file inside the process: the store
// of a server that should run without anything beside it.
//
// It promises what package store asks for, and that another process may read
// the file, or hold its lock for a while, without anything being lost. What the
// disk or the lock prevents is a store.ErrUnavailable that names the file and
// the reason; the same Store works again when the reason is gone.
package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
)

var (
	_ store.Writer = (*Store)(nil)
	_ store.Reader = (*Store)(nil)
)

// readers bounds the connections for reading, and with them page caches.
const readers = 4

// Options are what a Store can be told; the zero value is good.
type Options struct {
	// Now gives the time at which something is stored; nil is time.Now.
	Now func() time.Time
	// BusyTimeout is how long a call waits for a lock that another process
	// holds; 0 is 5 s.
	BusyTimeout time.Duration
}

// Store is an open database file. Its methods may be called from any goroutine.
type Store struct {
	path string
	// file is what path named when it was opened.
	file os.FileInfo
	now  func() time.Time
	// write has a single connection: SQLite has one writer at a time, and
	// waiting in the pool is fair and heeds the context, where waiting for
	// SQLite's lock is neither.
	write, read *sql.DB
	statements  statements
	catalogue   catalogue
	// proven is when something was last written.
	proven atomic.Pointer[time.Time]
}

// Open opens the database file at path, makes it where there is none, and
// brings its schema up to date.
func Open(ctx context.Context, path string, opts Options) (*Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	s := &Store{path: path, now: opts.Now, catalogue: catalogue{ids: map[ippm.Series]int64{}}}
	if s.now == nil {
		s.now = time.Now
	}
	if err := s.open(ctx, cmp.Or(opts.BusyTimeout, 5*time.Second)); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, busy time.Duration) (err error) {
	if err := prepareFile(ctx, s.path, busy); err != nil {
		return err
	}
	if s.file, err = os.Stat(s.path); err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	// Neither connection may make a file: one that vanished must not come
	// back empty.
	if s.write, err = connect(s.path, "rw", busy, 1); err != nil {
		return err
	}
	if s.read, err = connect(s.path, "ro", busy, readers); err != nil {
		return err
	}
	if err := s.statements.prepare(ctx, s.write, s.read); err != nil {
		return explain("open the store", s.path, err)
	}
	if err := s.catalogue.refresh(ctx, s.statements.newSeries); err != nil {
		return explain("open the store", s.path, err)
	}
	return nil
}

// connect makes a pool of at most n connections, of which none is open yet.
func connect(path, mode string, busy time.Duration, n int) (*sql.DB, error) {
	db, err := sql.Open("sqlite", address(path, mode, busy))
	if err != nil {
		return nil, explain("open the store", path, err)
	}
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db, nil
}

// address is the file as a URI (https://www.sqlite.org/uri.html), in which a
// path may contain anything, with the settings of a connection.
func address(path, mode string, busy time.Duration) string {
	q := url.Values{
		"mode":          {mode},
		"_txlock":       {"immediate"}, // a lock taken halfway cannot be waited for
		"_busy_timeout": {fmt.Sprint(busy.Milliseconds())},
		"_foreign_keys": {"on"},
		// With NORMAL the log is only synced at checkpoints: a commit survives
		// the death of the process, but not that of the machine, and what was
		// acknowledged must survive both.
		"_synchronous": {"full"},
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

// Close ends all connections. No method may be called afterwards.
func (s *Store) Close() error {
	// Readers first: the last to leave tidies up the log, which only a writer can.
	return errors.Join(closeDB(s.read), closeDB(s.write))
}

func closeDB(db *sql.DB) error {
	if db == nil {
		return nil
	}
	return db.Close()
}

// leastFree is so little space that a batch may not fit in it.
const leastFree = 1 << 20

// provenFor bounds how often Ready writes: everybody may ask.
const provenFor = time.Second

// Ready is nil when the store can be read and written now.
func (s *Store) Ready(ctx context.Context) error {
	if err := s.checkFile(); err != nil {
		return err
	}
	var one int
	if err := s.statements.ready.QueryRowContext(ctx).Scan(&one); err != nil {
		return explain("read the store", s.path, err)
	}
	if err := s.checkSpace(); err != nil {
		return err
	}
	return s.proveWrite(ctx)
}

// checkSpace is beside a write, which may still find room in the log while a
// batch does not.
func (s *Store) checkSpace() error {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(s.path, &fs); err != nil {
		return nil // what cannot be asked proves nothing
	}
	if free := fs.Bavail * uint64(fs.Bsize); free < leastFree {
		return fmt.Errorf("%s: %w: the disk is full: %d kB are free; make room there", s.path, store.ErrUnavailable, free>>10)
	}
	return nil
}

// proveWrite writes what is there already: the number of the schema.
func (s *Store) proveWrite(ctx context.Context) (err error) {
	if s.isProven() {
		return nil
	}
	const tried = "write to the store"
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return explain(tried, s.path, err)
	}
	defer func() { _ = tx.Rollback() }() // nothing is left to roll back after a commit
	if s.isProven() {
		return nil // who came before has written meanwhile
	}
	var version int
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return explain(tried, s.path, err)
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", version)); err != nil {
		return explain(tried, s.path, err)
	}
	if err := tx.Commit(); err != nil {
		return explain(tried, s.path, err)
	}
	s.prove(nil)
	return nil
}

// prove notes whether something was written just now, be it a batch.
func (s *Store) prove(failed error) {
	if failed != nil {
		s.proven.Store(nil)
		return
	}
	now := time.Now()
	s.proven.Store(&now)
}

func (s *Store) isProven() bool {
	at := s.proven.Load()
	return at != nil && time.Since(*at) < provenFor
}

// checkFile finds out whether path still names the file that is open: SQLite
// would go on writing to one that was deleted, and all would be gone at the end.
func (s *Store) checkFile() error {
	file, err := os.Stat(s.path)
	if err == nil && os.SameFile(file, s.file) {
		return nil
	}
	return fmt.Errorf("%s: %w: the file was moved or replaced: put it back, or restart", s.path, store.ErrUnavailable)
}
