package deliver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"ixpqos/internal/ippm"
	"ixpqos/internal/wire"
)

const (
	defaultMaxBytes         = 1 << 30
	defaultMaxSetAsideFiles = 1000
	defaultMaxSetAsideBytes = 64 << 20

	asideFolder = "set-aside"
)

// SpoolOptions bound a spool. A zero value means the default.
type SpoolOptions struct {
	// MaxBytes is what may wait, 1 GiB by default; above it what flows saw goes
	// first, then the oldest batches.
	MaxBytes int64
	// MaxSetAsideFiles (1000) and MaxSetAsideBytes (64 MiB) bound what was set aside.
	MaxSetAsideFiles int
	MaxSetAsideBytes int64
	Log              *slog.Logger
}

// Stats are a spool's part of ippm.Health: what waits now, and what was set
// aside and dropped since the spool was opened.
type Stats struct {
	Waiting           int
	Bytes             int64
	SetAside, Dropped int
}

// Spool is a durable queue of batches in a folder. All methods may be called
// from any goroutine.
type Spool struct {
	dir    string
	opts   SpoolOptions
	log    *slog.Logger
	folder *os.File // holds the lock
	wake   chan struct{}

	writing sync.Mutex // one batch is written at a time
	counter uint64     // under writing
	closed  bool       // under writing
	thinned string     // under writing; see thinNext

	mu      sync.Mutex
	waiting index
	aside   index
	stats   Stats // SetAside and Dropped
}

// OpenSpool opens the spool in the folder dir, which it makes if need be, and
// finds what a run before left there. Close gives the folder free; until then a
// second OpenSpool of the same folder, by whatever process, fails.
func OpenSpool(dir string, opts SpoolOptions) (*Spool, error) {
	opts.MaxBytes = cmp.Or(opts.MaxBytes, defaultMaxBytes)
	opts.MaxSetAsideFiles = cmp.Or(opts.MaxSetAsideFiles, defaultMaxSetAsideFiles)
	opts.MaxSetAsideBytes = cmp.Or(opts.MaxSetAsideBytes, defaultMaxSetAsideBytes)
	s := &Spool{dir: dir, opts: opts, log: orDiscard(opts.Log), wake: make(chan struct{}, 1)}
	var err error
	if s.folder, err = lockFolder(dir); err != nil {
		return nil, err
	}
	if err := errors.Join(s.load(), s.loadAside()); err != nil {
		s.folder.Close()
		return nil, err
	}
	return s, nil
}

func orDiscard(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}

// lockFolder locks the folder itself: that needs no file, which could be deleted
// or find no space on the full disk that a spool must be able to open on.
func lockFolder(dir string) (*os.File, error) {
	if err := makeFolder(dir); err != nil {
		return nil, fmt.Errorf("spool: %w: make the folder, or give another one", err)
	}
	if err := unix.Faccessat(unix.AT_FDCWD, dir, unix.R_OK|unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
		return nil, fmt.Errorf("spool %s: the folder is not writable (%w): give it to the user that the probe runs as, or give another one", dir, err)
	}
	folder, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	err = unix.Flock(int(folder.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return folder, nil
	}
	folder.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, fmt.Errorf("spool %s: another process is using it: stop that one, or give each probe its own folder", dir)
	}
	return nil, fmt.Errorf("spool %s: lock the folder: %w", dir, err)
}

// makeFolder makes the folder and, where the folder above can be read, its
// entry there durable.
func makeFolder(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	if err := syncFolder(filepath.Dir(dir)); err != nil && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}

// load indexes the batches of a run before and removes what a crash left half done.
func (s *Spool) load() error {
	foreign := []string{}
	err := eachFile(s.dir, func(e Entry) {
		if !batchName.MatchString(e.Name) {
			foreign = append(foreign, e.Name)
			return
		}
		s.counter = max(s.counter, counterOf(e.Name))
		s.waiting.put(e)
	})
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	if len(foreign) > 0 {
		s.log.Warn("the spool folder holds files that are not the spool's; they are left alone", "folder", s.dir, "files", len(foreign), "first", foreign[0])
	}
	if n := len(s.waiting.entries); n > 0 {
		s.log.Info("batches of a run before wait for delivery", "folder", s.dir, "batches", n, "bytes", s.waiting.bytes)
	}
	return nil
}

func (s *Spool) loadAside() error {
	err := eachFile(filepath.Join(s.dir, asideFolder), func(e Entry) {
		// A name is not used again while a file of that name is set aside.
		s.counter = max(s.counter, counterOf(e.Name))
		s.aside.put(e)
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("spool: %w", err)
	}
	return nil
}

// eachFile visits the files of a folder in the order of their names. Leftover
// temporary files are removed instead: nobody was promised what is in them.
func eachFile(folder string, visit func(Entry)) error {
	files, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, f := range files {
		if !f.Type().IsRegular() {
			continue
		}
		if strings.HasSuffix(f.Name(), tempSuffix) && counterOf(f.Name()) > 0 {
			os.Remove(filepath.Join(folder, f.Name()))
			continue
		}
		info, err := f.Info()
		if err != nil {
			return err
		}
		visit(Entry{f.Name(), info.Size()})
	}
	return nil
}

// Close waits for a batch that is being written and gives the folder free.
// What is appended after it is refused.
func (s *Spool) Close() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.closed = true
	return s.folder.Close()
}

// Wake gives a signal after batches were appended: one signal for any number
// of them.
func (s *Spool) Wake() <-chan struct{} { return s.wake }

// Stats tells how the spool is.
func (s *Spool) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := s.stats
	stats.Waiting, stats.Bytes = len(s.waiting.entries), s.waiting.bytes
	return stats
}

// Append takes a batch: when it returns nil, the batch outlives a loss of
// power. On a full disk it makes room: what flows saw goes first, then the
// oldest batches. An error means that the batch is lost, and counted as dropped.
//
// The end of ctx stops only the making of room. What was measured before a
// probe is told to stop is worth the moment that it takes to write.
func (s *Spool) Append(ctx context.Context, batch ippm.Batch) error {
	err := s.append(ctx, batch)
	if err != nil {
		s.countDropped(1)
		return fmt.Errorf("spool %s: the batch of %s is lost: %w", s.dir, batch.Start.UTC().Format(time.RFC3339), err)
	}
	select {
	case s.wake <- struct{}{}:
	default: // a signal is waiting already
	}
	return nil
}

func (s *Spool) append(ctx context.Context, batch ippm.Batch) error {
	body, err := wire.EncodeBatch(batch)
	if err != nil {
		return err
	}
	content := seal(body)
	if limit := min(s.opts.MaxBytes, maxFile); int64(len(content)) > limit {
		return fmt.Errorf("it has %d bytes, and the spool takes %d", len(content), limit)
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	s.counter++
	if err := s.writeMakingRoom(ctx, nameOf(s.counter), content); err != nil {
		return err
	}
	s.trim()
	return nil
}

// write puts a file into the spool; writing must be held.
func (s *Spool) write(name string, content []byte) error {
	if s.closed {
		return errors.New("the spool is closed")
	}
	err := WriteDurably(s.dir, name, content)
	if err != nil {
		os.Remove(filepath.Join(s.dir, name)) // it may stand there, but not safely
	}
	if isFull(err) {
		return err
	} else if err != nil {
		return fmt.Errorf("%w: check the disk, and that the folder is the probe's own", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting.put(Entry{name, int64(len(content))})
	return nil
}

func (s *Spool) countDropped(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Dropped += n
}

// Oldest is the batch that has waited longest; false where none waits.
func (s *Spool) Oldest() (Entry, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting.oldest()
}

// Read gives the body of a batch as it is posted. An error says why the file
// cannot be used.
func (s *Spool) Read(e Entry) ([]byte, error) {
	content, err := readBounded(s.path(e))
	if err != nil {
		return nil, err
	}
	return readBatch(content)
}

// take is the oldest batch that can be read. Those before it that cannot are
// set aside. An error means that this moment is bad, not the file.
func (s *Spool) take() (e Entry, body []byte, ok bool, err error) {
	for {
		e, ok := s.Oldest()
		if !ok {
			return Entry{}, nil, false, nil
		}
		body, err := s.Read(e)
		switch {
		case err == nil:
			return e, body, true, nil
		case isPassing(err):
			return Entry{}, nil, false, err
		case errors.Is(err, fs.ErrNotExist):
			s.miss(e)
		default:
			s.setAside(e, err.Error())
		}
	}
}

func isPassing(err error) bool {
	return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) || errors.Is(err, unix.ENOMEM) || errors.Is(err, unix.EINTR)
}

// miss forgets a file that somebody else deleted.
func (s *Spool) miss(e Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := os.Stat(s.path(e)); err == nil {
		return // it is there again: it was thinned
	}
	if s.waiting.remove(e.Name) { // else it was dropped, and counted then
		s.stats.Dropped++
		s.log.Error("a batch is lost: something else than the probe deleted its file", "file", s.path(e))
	}
}

// Remove forgets a batch that is acknowledged. The folder is not fsynced: an
// unlink that a loss of power undoes means a second delivery, which storage
// takes. For the same reason an error here needs no care beyond a log line.
func (s *Spool) Remove(e Entry) error {
	s.mu.Lock()
	s.waiting.remove(e.Name)
	s.mu.Unlock()
	if err := os.Remove(s.path(e)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("spool: a delivered batch will be delivered again after the next start: %w", err)
	}
	return nil
}

// writeHalves puts two halves of a batch behind it. Once both are safe, it may
// be removed. No room is made for them on a full disk: the oldest batch, which
// would go, is the one that they are made of.
func (s *Spool) writeHalves(e Entry, first, second []byte) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	firstName, secondName := halfNames(e.Name)
	if err := s.write(firstName, seal(first)); err != nil {
		return err
	}
	return s.write(secondName, seal(second))
}

func (s *Spool) path(e Entry) string { return filepath.Join(s.dir, e.Name) }
