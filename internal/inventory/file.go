package inventory

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"sync/atomic"
	"time"
)

// firstVersionSchedule lies beside a first version's probes.json.
const firstVersionSchedule = "schedule.json"

// Load reads the inventory at path. A name that ends in .json is a first
// version's probes.json, read with the schedule.json beside it where there is
// one; everything else is YAML.
func Load(path string) (*Inventory, error) {
	return read(path).inventory()
}

// source is what lay on disk at one moment.
type source struct {
	path, schedulePath string
	text, schedule     []byte // schedule is nil where there is none
	err                error
}

func read(path string) source {
	s := source{path: path}
	s.text, s.err = os.ReadFile(path)
	if s.err != nil || filepath.Ext(path) != ".json" {
		return s
	}
	s.schedulePath = filepath.Join(filepath.Dir(path), firstVersionSchedule)
	s.schedule, s.err = os.ReadFile(s.schedulePath)
	if errors.Is(s.err, fs.ErrNotExist) {
		s.schedule, s.err = nil, nil
	}
	return s
}

func (s source) inventory() (*Inventory, error) {
	if err := s.unreadable("inventory"); err != nil {
		return nil, err
	}
	if s.schedulePath != "" {
		return ParseFirstVersion(s.path, s.text, s.schedulePath, s.schedule)
	}
	return ParseYAML(s.path, s.text)
}

func (s source) keys() ([]Key, error) {
	if err := s.unreadable("keys file"); err != nil {
		return nil, err
	}
	return ParseKeys(s.path, s.text)
}

func (s source) sharedKey() (hash [sha256.Size]byte, err error) {
	if err := s.unreadable("shared key file"); err != nil {
		return hash, err
	}
	return ParseSharedKey(s.path, s.text)
}

func (s source) unreadable(what string) error {
	switch {
	case errors.Is(s.err, fs.ErrNotExist):
		return fmt.Errorf("the %s cannot be read: %w; create it, or name the file that you mean", what, s.err)
	case s.err != nil:
		return fmt.Errorf("the %s cannot be read: %w; it must be a file that this user may read", what, s.err)
	}
	return nil
}

type digest [sha256.Size]byte

// digest tells two sources apart, those that could not be read too.
func (s source) digest() (sum digest) {
	h := sha256.New()
	writePart(h, s.text)
	writePart(h, s.schedule)
	fmt.Fprint(h, s.schedule == nil, s.err)
	h.Sum(sum[:0])
	return sum
}

// writePart puts the length first, so that no text moves from one part to the next.
func writePart(h hash.Hash, text []byte) {
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(text))))
	h.Write(text)
}

// Watched owns what a file says, as it was when the file was last valid. All
// methods may be called at the same time.
type Watched[T any] struct {
	path    string
	parse   func(source) (T, error)
	current atomic.Pointer[T]

	mu   sync.Mutex // one attempt at a time
	seen digest     // of the last attempt, good or bad

	problem atomic.Pointer[error] // of the last attempt; nil where it was good
}

// Open loads the inventory at path, as Load does. An invalid one is an error.
func Open(path string) (*Watched[*Inventory], error) {
	return openWatched(path, source.inventory)
}

// OpenKeys loads the keys file at path. An invalid one is an error.
func OpenKeys(path string) (*Watched[[]Key], error) {
	return openWatched(path, source.keys)
}

// OpenSharedKey loads the file at path that holds the first version's shared
// key, and is its SHA-256. An invalid one is an error.
func OpenSharedKey(path string) (*Watched[[sha256.Size]byte], error) {
	return openWatched(path, source.sharedKey)
}

func openWatched[T any](path string, parse func(source) (T, error)) (*Watched[T], error) {
	w := &Watched[T]{path: path, parse: parse}
	if _, err := w.Reload(); err != nil {
		return nil, err
	}
	return w, nil
}

// Current is what the file said when it was last valid.
func (w *Watched[T]) Current() T { return *w.current.Load() }

// Problem is why the file as it is now is not in use; nil where it is.
func (w *Watched[T]) Problem() error {
	if err := w.problem.Load(); err != nil {
		return *err
	}
	return nil
}

// Reload loads the file again. changed tells whether it now says something
// else, keys included; a file that is invalid or cannot be read leaves what was
// current, and the error says why.
func (w *Watched[T]) Reload() (changed bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.adopt(read(w.path))
}

func (w *Watched[T]) adopt(s source) (changed bool, err error) {
	w.seen = s.digest()
	now, err := w.parse(s)
	w.problem.Store(nil)
	if err != nil {
		w.problem.Store(&err)
	}
	if before := w.current.Load(); err != nil || before != nil && reflect.DeepEqual(now, *before) {
		return false, err
	}
	w.current.Store(&now)
	return true, nil
}

// reloadChanged attempts a reload where the content is not that of the last attempt.
func (w *Watched[T]) reloadChanged() (attempted, changed bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := read(w.path)
	if s.digest() == w.seen {
		return false, false, nil
	}
	changed, err = w.adopt(s)
	return true, changed, err
}

// Watch reloads on every signal, and whenever the content of the file is not
// what it was at the last attempt. It calls report once for each such reload,
// before it goes on, and returns when the context ends. every is positive.
//
// It looks at the content every so often, rather than waiting for inotify:
// editors and configuration tools replace a file by renaming another over it,
// which a watch on the old one does not see, a container's mount changes by a
// symbolic link further up, and network file systems tell of nothing.
func (w *Watched[T]) Watch(ctx context.Context, every time.Duration, hup <-chan os.Signal, report func(changed bool, err error)) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	w.watch(ctx, ticker.C, hup, report)
}

func (w *Watched[T]) watch(ctx context.Context, poll <-chan time.Time, hup <-chan os.Signal, report func(changed bool, err error)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
			report(w.Reload())
		case <-poll:
			if attempted, changed, err := w.reloadChanged(); attempted {
				report(changed, err)
			}
		}
	}
}
