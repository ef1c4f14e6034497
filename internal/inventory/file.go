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
	return read(path).parse()
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

func (s source) parse() (*Inventory, error) {
	switch {
	case errors.Is(s.err, fs.ErrNotExist):
		return nil, fmt.Errorf("the inventory cannot be read: %w; create it, or name the file that you mean", s.err)
	case s.err != nil:
		return nil, fmt.Errorf("the inventory cannot be read: %w; it must be a file that this user may read", s.err)
	case s.schedulePath != "":
		return ParseFirstVersion(s.path, s.text, s.schedulePath, s.schedule)
	}
	return ParseYAML(s.path, s.text)
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

// File owns the current inventory of a server. All methods may be called at the
// same time.
type File struct {
	path    string
	current atomic.Pointer[Inventory]

	mu   sync.Mutex // one attempt at a time
	seen digest     // of the last attempt, good or bad
}

// Open loads the inventory at path, as Load does. An invalid one is an error.
func Open(path string) (*File, error) {
	f := &File{path: path}
	if _, err := f.Reload(); err != nil {
		return nil, err
	}
	return f, nil
}

// Current is the last valid inventory.
func (f *File) Current() *Inventory { return f.current.Load() }

// Reload loads the file again. changed tells whether the current inventory is
// now another one, keys included; a file that is invalid or cannot be read
// leaves it as it was, and the error says why.
func (f *File) Reload() (changed bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.adopt(read(f.path))
}

func (f *File) adopt(s source) (changed bool, err error) {
	f.seen = s.digest()
	inv, err := s.parse()
	if err != nil || reflect.DeepEqual(inv, f.current.Load()) {
		return false, err
	}
	f.current.Store(inv)
	return true, nil
}

// reloadChanged attempts a reload where the content is not that of the last attempt.
func (f *File) reloadChanged() (attempted, changed bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := read(f.path)
	if s.digest() == f.seen {
		return false, false, nil
	}
	changed, err = f.adopt(s)
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
func (f *File) Watch(ctx context.Context, every time.Duration, hup <-chan os.Signal, report func(changed bool, err error)) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	f.watch(ctx, ticker.C, hup, report)
}

func (f *File) watch(ctx context.Context, poll <-chan time.Time, hup <-chan os.Signal, report func(changed bool, err error)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
			report(f.Reload())
		case <-poll:
			if attempted, changed, err := f.reloadChanged(); attempted {
				report(changed, err)
			}
		}
	}
}
