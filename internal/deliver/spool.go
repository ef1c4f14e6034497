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

	"github.com/jonboulle/clockwork"
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
	// MaxMemoryBytes is what may wait in memory while the disk takes nothing;
	// nothing by default. Above it the oldest of that goes first.
	MaxMemoryBytes int64
	// Clock is for patience, not for the time of day.
	Clock clockwork.Clock
	Log   *slog.Logger
}

// Stats are a spool's part of ippm.Health: what waits now, and what was set
// aside and dropped since the spool was opened.
type Stats struct {
	Waiting           int
	PutOff            int // of those that wait
	Bytes             int64
	SetAside, Dropped int
}

// Spool is a durable queue of batches in a folder. All methods may be called
// from any goroutine.
type Spool struct {
	dir    string
	opts   SpoolOptions
	log    *slog.Logger
	folder *os.File // holds the lock; nil where the disk would not make it
	wake   chan struct{}

	writing sync.Mutex // one batch is written at a time
	counter uint64     // under writing
	closed  bool       // under writing
	thinned string     // under writing; see thinNext

	mu      sync.Mutex
	waiting index
	aside   index
	stats   Stats // SetAside and Dropped
	putOffs map[string]putOff
	memory  memory
	disk    error // why the disk took no batch last; nil where it did
	away    bool  // the server did not take the last batch that it was sent
	// notTaken tells that the last take-back failed, so that only the first is logged.
	notTaken bool
	trimmed  int // files that the bounds on what is set aside deleted
}

// OpenSpool opens the spool in the folder dir, which it makes if need be, and
// finds what a run before left there. Close gives the folder free; until then a
// second OpenSpool of the same folder, by whatever process, fails.
func OpenSpool(dir string, opts SpoolOptions) (*Spool, error) {
	opts.MaxBytes = cmp.Or(opts.MaxBytes, defaultMaxBytes)
	opts.MaxSetAsideFiles = cmp.Or(opts.MaxSetAsideFiles, defaultMaxSetAsideFiles)
	opts.MaxSetAsideBytes = cmp.Or(opts.MaxSetAsideBytes, defaultMaxSetAsideBytes)
	if opts.Clock == nil {
		opts.Clock = clockwork.NewRealClock()
	}
	s := &Spool{dir: dir, opts: opts, log: orDiscard(opts.Log), wake: make(chan struct{}, 1),
		putOffs: map[string]putOff{}, memory: memory{contents: map[string][]byte{}}}
	var err error
	if s.folder, err = lockFolder(dir); err != nil && !s.goesOnWithout(err) {
		return nil, err
	}
	if err := errors.Join(s.load(), s.loadAside(), s.loadAgain()); err != nil {
		s.folder.Close()
		return nil, err
	}
	return s, nil
}

// goesOnWithout tells whether a spool may open although its folder cannot be
// written: what is measured then waits in memory.
func (s *Spool) goesOnWithout(err error) bool {
	if s.opts.MaxMemoryBytes <= 0 || !TakesNothing(err) {
		return false
	}
	s.disk = err
	// What waits on the disk, should it come yet, is not known: no other run counted
	// from this moment.
	s.counter = uint64(max(0, time.Now().UnixMilli()))
	s.log.Error("the spool opens without its disk: what is measured waits in memory only", "error", err)
	return true
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
	folder, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("spool: %w: give the folder to the user that the probe runs as, or give another one", err)
	}
	err = unix.Flock(int(folder.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return writable(folder, dir)
	}
	folder.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, fmt.Errorf("spool %s: another process is using it: stop that one, or give each probe its own folder", dir)
	}
	return nil, fmt.Errorf("spool %s: lock the folder: %w", dir, err)
}

// writable gives the folder also where its disk is why nothing can be written.
func writable(folder *os.File, dir string) (*os.File, error) {
	err := unix.Faccessat(unix.AT_FDCWD, dir, unix.R_OK|unix.W_OK|unix.X_OK, unix.AT_EACCESS)
	if err == nil {
		return folder, nil
	}
	err = fmt.Errorf("spool %s: the folder is not writable (%w): give it to the user that the probe runs as, or give another one", dir, err)
	if TakesNothing(err) {
		return folder, err
	}
	folder.Close()
	return nil, err
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
	if err != nil && !(s.folder == nil && errors.Is(err, fs.ErrNotExist)) {
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
	if err := s.indexAside(); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	for _, e := range s.aside.entries {
		// A name is not used again while a file of that name is set aside.
		s.counter = max(s.counter, counterOf(e.Name))
	}
	return nil
}

// eachFile visits the files of a folder in the order of their names. Leftover
// temporary files are removed instead: nobody was promised what is in them. It is
// for a folder in which nobody writes meanwhile.
func eachFile(folder string, visit func(Entry)) error {
	return eachEntry(folder, func(e Entry, temporary bool) {
		if temporary {
			os.Remove(filepath.Join(folder, e.Name))
			return
		}
		visit(e)
	})
}

// eachWhole visits the files of a folder in which others may be writing.
func eachWhole(folder string, visit func(Entry)) error {
	return eachEntry(folder, func(e Entry, temporary bool) {
		if !temporary {
			visit(e)
		}
	})
}

func eachEntry(folder string, visit func(e Entry, temporary bool)) error {
	files, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, f := range files {
		if !f.Type().IsRegular() {
			continue
		}
		info, err := f.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // it was there a moment ago
		}
		if err != nil {
			return err
		}
		visit(Entry{f.Name(), info.Size()}, strings.HasSuffix(f.Name(), tempSuffix) && counterOf(f.Name()) > 0)
	}
	return nil
}

// Close waits for a batch that is being written and gives the folder free.
// What is appended after it is refused.
func (s *Spool) Close() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	s.saveMemory()
	s.loseMemory()
	if s.folder == nil {
		return nil
	}
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
	stats.Waiting, stats.PutOff, stats.Bytes = len(s.waiting.entries), len(s.putOffs), s.waiting.bytes
	return stats
}

// Append takes a batch: when it returns nil, the batch outlives a loss of
// power, or waits in memory where the disk takes nothing. On a full disk it
// makes room while the server is away: what flows saw goes first, then the
// oldest batches. An error means that the batch is lost, and counted as dropped
// unless it says nothing.
//
// The end of ctx stops only the making of room. What was measured before a
// probe is told to stop is worth the moment that it takes to write.
func (s *Spool) Append(ctx context.Context, batch ippm.Batch) error {
	says := len(batch.Results)+len(batch.Heard) > 0
	err := s.append(ctx, batch, says)
	if err != nil && says {
		s.countDropped(1)
	}
	if err != nil {
		return fmt.Errorf("spool %s: the batch of %s is lost: %w", s.dir, batch.Start.UTC().Format(time.RFC3339), err)
	}
	select {
	case s.wake <- struct{}{}:
	default: // a signal is waiting already
	}
	return nil
}

// append keeps a batch. Nothing is given up for one that says nothing.
func (s *Spool) append(ctx context.Context, batch ippm.Batch, says bool) error {
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
	if !says && s.Stats().Bytes+int64(len(content)) > s.opts.MaxBytes {
		return errors.New("the spool is full, and it says nothing that older batches should go for")
	}
	_ = s.lockLate() // the counter goes on behind what is there; write tells what is wrong
	s.counter++
	if err := s.keep(ctx, nameOf(s.counter), content, says); err != nil {
		return err
	}
	s.trim()
	return nil
}

// keep writes a batch to the disk, or else finds another place; writing must be
// held. While the server takes batches, memory is a better place than that of
// an older batch.
func (s *Spool) keep(ctx context.Context, name string, content []byte, says bool) error {
	err := s.write(name, content)
	away := s.diskIs(err)
	switch {
	case err == nil:
		s.saveMemory()
		return nil
	case !away && s.hold(name, content):
		return nil
	case !says:
		return err
	case isFull(err):
		err = s.writeMakingRoom(ctx, name, content)
	}
	if err == nil || s.hold(name, content) {
		return nil
	}
	return err
}

// diskIs remembers whether the disk takes batches, and tells whether the server
// does not.
func (s *Spool) diskIs(err error) (away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && s.disk == nil {
		s.log.Error("the disk does not take a batch", "error", err)
	} else if err == nil && s.disk != nil {
		s.log.Info("trouble is over: the disk takes batches")
	}
	s.disk = err
	return s.away
}

// serverIs is told whether the server took the last batch that it was sent.
func (s *Spool) serverIs(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
}

var errClosed = errors.New("the spool is closed")

// lockLate makes and locks the folder where the disk did not let it be made when
// the spool was opened, or where somebody took it away since, and finds what a run
// before left there: its disk may have been mounted meanwhile. writing must be held.
func (s *Spool) lockLate() error {
	if s.closed {
		return errClosed
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.folder != nil {
		if _, err := os.Stat(s.dir); !errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		s.folder.Close()
		s.folder = nil
	}
	folder, err := lockFolder(s.dir)
	if err != nil {
		folder.Close() // it may be there, and not writable
		return err
	}
	if err := errors.Join(s.load(), s.loadAside(), s.loadAgain()); err != nil {
		folder.Close()
		return err
	}
	s.folder = folder
	return nil
}

// write puts a file into the spool; writing must be held.
func (s *Spool) write(name string, content []byte) error {
	if err := s.lockLate(); err != nil {
		return err
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
	content, err := s.content(e)
	if err != nil {
		return nil, err
	}
	body, err := readBatch(content)
	if err != nil {
		return nil, badFile{err}
	}
	return body, nil
}

func (s *Spool) content(e Entry) ([]byte, error) {
	s.mu.Lock()
	held, ok := s.memory.contents[e.Name]
	s.mu.Unlock()
	if ok {
		return held, nil
	}
	return readBounded(s.path(e))
}

// take is the oldest batch that is not put off and can be read. Those before it
// whose files are bad are set aside, and those that cannot be read now are put
// off. An error means that this moment is bad for all of them.
func (s *Spool) take() (e Entry, body []byte, ok bool, err error) {
	s.takeBack()
	for {
		e, ok := s.ready()
		if !ok {
			return Entry{}, nil, false, nil
		}
		body, err := s.Read(e)
		switch {
		case err == nil:
			return e, body, true, nil
		case errors.As(err, new(badFile)):
			s.setAside(e, err.Error())
		case isPassing(err) || s.isElsewhere():
			return Entry{}, nil, false, err
		case errors.Is(err, fs.ErrNotExist):
			s.miss(e)
		default: // EACCES, EIO and the like are of the moment, not of the file
			s.putOff(e, fmt.Sprintf("%v: check the disk, and that the file is the probe's own", err))
		}
	}
}

func isPassing(err error) bool {
	return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) || errors.Is(err, unix.ENOMEM) || errors.Is(err, unix.EINTR)
}

// isElsewhere tells that something else than the spool stands in its place, as
// where its disk is not mounted any more: then no file is lost.
func (s *Spool) isElsewhere() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.folder == nil {
		return false
	}
	here, err := os.Stat(s.dir)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	ours, err := s.folder.Stat()
	return err == nil && !os.SameFile(here, ours)
}

// miss forgets a file that somebody else deleted.
func (s *Spool) miss(e Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := os.Stat(s.path(e)); err == nil {
		return // it is there again: it was thinned
	}
	if s.forget(e.Name) { // else it was dropped, and counted then
		s.stats.Dropped++
		s.log.Error("a batch is lost: something else than the probe deleted its file", "file", s.path(e))
	}
}

// forget takes a batch out of the queue; mu must be held. It is false where the
// batch was not in it.
func (s *Spool) forget(name string) bool {
	delete(s.putOffs, name)
	s.memory.remove(name)
	return s.waiting.remove(name)
}

// Remove forgets a batch that is acknowledged. The folder is not fsynced: an
// unlink that a loss of power undoes means a second delivery, which storage
// takes. For the same reason an error here needs no care beyond a log line.
func (s *Spool) Remove(e Entry) error {
	s.mu.Lock()
	held := s.memory.has(e.Name)
	s.forget(e.Name)
	s.mu.Unlock()
	if held {
		return nil
	}
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
	return errors.Join(s.writeOrHold(firstName, seal(first)), s.writeOrHold(secondName, seal(second)))
}

func (s *Spool) writeOrHold(name string, content []byte) error {
	err := s.write(name, content)
	if err != nil && s.hold(name, content) {
		return nil
	}
	return err
}

func (s *Spool) path(e Entry) string { return filepath.Join(s.dir, e.Name) }
