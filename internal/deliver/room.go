package deliver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"ixpqos/internal/wire"
)

// room is what was given up for space: files by name.
type room struct{ thinned, dropped []string }

func (s *Spool) writeMakingRoom(ctx context.Context, name string, content []byte) error {
	var made room
	defer func() { s.logRoom(made, "the disk is full") }()
	for {
		err := s.write(name, content)
		if !isFull(err) {
			return err
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%w; %w while making room", err, ctx.Err())
		}
		if !s.makeRoom(&made, s.freesBlocks) {
			return fmt.Errorf("%w, and no older batch is left that could be dropped: free space on that disk", err)
		}
	}
}

// freesBlocks tells whether a file that shrinks, to nothing where it is dropped,
// gives anything back to the disk. What waits in memory takes nothing of it.
func (s *Spool) freesBlocks(e Entry, after int64) bool {
	block := int64(4096)
	var disk unix.Statfs_t
	if err := unix.Statfs(s.dir, &disk); err == nil && disk.Bsize > 0 {
		block = int64(disk.Bsize)
	}
	blocks := func(n int64) int64 { return (n + block - 1) / block }
	return !s.memory.has(e.Name) && blocks(after) < blocks(e.Bytes)
}

func freesBytes(e Entry, after int64) bool { return after < e.Bytes }

func isFull(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }

// trim keeps the spool within its bound. It runs after the new batch was
// written, so that nothing is dropped for a batch that is not there.
func (s *Spool) trim() {
	var made room
	for s.Stats().Bytes > s.opts.MaxBytes && s.makeRoom(&made, freesBytes) {
	}
	s.logRoom(made, fmt.Sprintf("the spool is bounded to %d bytes", s.opts.MaxBytes))
}

// frees tells whether it gives room to bring a batch's size down; mu is held.
type frees func(e Entry, after int64) bool

// makeRoom gives up what flows saw in the oldest batch that still has it, or
// else the oldest batch; false where that frees nothing. writing must be held.
func (s *Spool) makeRoom(made *room, frees frees) bool {
	if name, ok := s.thinNext(frees); ok {
		made.thinned = append(made.thinned, name)
		return true
	}
	name, ok := s.dropOldest(frees)
	if ok {
		made.dropped = append(made.dropped, name)
	}
	return ok
}

// maxLook bounds how many batches are read in search of one with flows: where
// none has any, the whole spool would be read for one new batch.
const maxLook = 100

// thinNext thins the next batch that has something of flows, behind those that
// it looked at before.
func (s *Spool) thinNext(frees frees) (name string, ok bool) {
	for range maxLook {
		e, ok := s.after(s.thinned)
		if !ok {
			break
		}
		s.thinned = e.Name
		body, err := s.Read(e)
		if err != nil {
			continue // it is gone, or set aside when its turn comes
		}
		if lean, ok := withoutFlows(body); ok && s.replace(e, seal(lean), frees) {
			return e.Name, true
		}
	}
	return "", false
}

func (s *Spool) after(name string) (Entry, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting.after(name)
}

// withoutFlows is the batch without what flows saw and what was heard of them:
// about half of it, while the results of the pairs stay whole. It is false where
// there is none of that.
func withoutFlows(body []byte) (lean []byte, ok bool) {
	var b wire.Batch
	if err := json.Unmarshal(body, &b); err != nil {
		return nil, false
	}
	ok = len(b.Heard) > 0
	b.Heard = nil
	for i := range b.Results {
		ok = ok || b.Results[i].Flows != ""
		b.Results[i].Flows = ""
	}
	if !ok {
		return nil, false
	}
	lean, err := json.Marshal(b)
	return lean, err == nil
}

// replace writes a waiting batch anew where that frees anything. Where even that
// finds no space, the old file goes first: a crash right then loses a batch that
// would have been dropped. The lock is held throughout, as in dropOldest.
func (s *Spool) replace(e Entry, content []byte, frees frees) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, waits := s.waiting.find(e.Name); !waits || !frees(e, int64(len(content))) {
		return false // it was delivered meanwhile
	}
	err := s.rewrite(e, content)
	if isFull(err) && os.Remove(s.path(e)) == nil {
		if err = s.rewrite(e, content); err != nil {
			os.Remove(s.path(e)) // it may stand there, but not safely
			s.forget(e.Name)
			s.stats.Dropped++
		}
	}
	if err != nil {
		s.log.Error("a batch cannot be written without its flows", "file", s.path(e), "error", err)
	}
	return err == nil
}

// shrink puts a smaller batch where a waiting one is. Where that fails, the old
// one stays.
func (s *Spool) shrink(e Entry, content []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, waits := s.waiting.find(e.Name); !waits {
		return
	}
	if err := s.rewrite(e, content); err != nil {
		s.log.Error("a batch cannot be written without its stored results", "file", s.path(e), "error", err)
	}
}

// rewrite puts other content where a waiting batch is; mu must be held.
func (s *Spool) rewrite(e Entry, content []byte) error {
	if s.memory.has(e.Name) {
		s.memory.put(e.Name, content)
	} else if err := WriteDurably(s.dir, e.Name, content); err != nil {
		return err
	}
	s.waiting.put(Entry{e.Name, int64(len(content))})
	return nil
}

// dropOldest drops the oldest batch that frees something. It holds the lock
// throughout, so that a reader who misses the file sees that it was dropped.
func (s *Spool) dropOldest(frees frees) (name string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := slices.IndexFunc(s.waiting.entries, func(e Entry) bool { return frees(e, 0) })
	if at < 0 {
		return "", false
	}
	e := s.waiting.entries[at]
	if err := os.Remove(s.path(e)); err != nil && !errors.Is(err, fs.ErrNotExist) && !s.memory.has(e.Name) {
		s.log.Error("a batch cannot be dropped to make room", "error", err)
		return "", false
	}
	s.forget(e.Name)
	s.stats.Dropped++
	return e.Name, true
}

func (s *Spool) logRoom(made room, why string) {
	if n := len(made.thinned); n > 0 {
		s.log.Error("what flows saw in the oldest batches is dropped to make room", "why", why, "folder", s.dir,
			"batches", n, "first", made.thinned[0], "last", made.thinned[n-1])
	}
	if n := len(made.dropped); n > 0 {
		s.log.Error("the oldest batches are dropped to make room", "why", why, "folder", s.dir,
			"batches", n, "first", made.dropped[0], "last", made.dropped[n-1])
	}
}
