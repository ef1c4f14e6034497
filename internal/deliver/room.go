package deliver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

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
		if !s.makeRoom(&made) {
			return fmt.Errorf("%w, and no older batch is left that could be dropped: free space on that disk", err)
		}
	}
}

func isFull(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }

// trim keeps the spool within its bound. It runs after the new batch was
// written, so that nothing is dropped for a batch that is not there.
func (s *Spool) trim() {
	var made room
	for s.Stats().Bytes > s.opts.MaxBytes && s.makeRoom(&made) {
	}
	s.logRoom(made, fmt.Sprintf("the spool is bounded to %d bytes", s.opts.MaxBytes))
}

// makeRoom gives up what flows saw in the oldest batch that still has it, or
// else the oldest batch; false where there is none. writing must be held.
func (s *Spool) makeRoom(made *room) bool {
	if name, ok := s.thinNext(); ok {
		made.thinned = append(made.thinned, name)
		return true
	}
	name, ok := s.dropOldest()
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
func (s *Spool) thinNext() (name string, ok bool) {
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
		if lean, ok := withoutFlows(body); ok && s.replace(e, seal(lean)) {
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

// replace writes a waiting batch anew. Where even that finds no space, the old
// file goes first: a crash right then loses a batch that would have been dropped.
// The lock is held throughout, as in dropOldest.
func (s *Spool) replace(e Entry, content []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, waits := s.waiting.find(e.Name); !waits {
		return false // it was delivered meanwhile
	}
	err := WriteDurably(s.dir, e.Name, content)
	if isFull(err) && os.Remove(s.path(e)) == nil {
		if err = WriteDurably(s.dir, e.Name, content); err != nil {
			s.waiting.remove(e.Name)
			s.stats.Dropped++
		}
	}
	if err != nil {
		s.log.Error("a batch cannot be written without its flows", "file", s.path(e), "error", err)
		return false
	}
	s.waiting.put(Entry{e.Name, int64(len(content))})
	return true
}

// dropOldest holds the lock throughout, so that a reader who misses the file
// sees that it was dropped.
func (s *Spool) dropOldest() (name string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.waiting.oldest()
	if !ok {
		return "", false
	}
	if err := os.Remove(s.path(e)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.log.Error("a batch cannot be dropped to make room", "error", err)
		return "", false
	}
	s.waiting.remove(e.Name)
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
