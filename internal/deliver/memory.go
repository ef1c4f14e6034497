package deliver

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sys/unix"
)

// memory holds batches that the disk did not take.
type memory struct {
	contents map[string][]byte
	bytes    int64
}

func (m *memory) put(name string, content []byte) {
	m.remove(name)
	m.contents[name] = content
	m.bytes += int64(len(content))
}

func (m *memory) remove(name string) {
	m.bytes -= int64(len(m.contents[name]))
	delete(m.contents, name)
}

func (m *memory) has(name string) bool {
	_, ok := m.contents[name]
	return ok
}

func (m *memory) trouble() string {
	if len(m.contents) == 0 {
		return ""
	}
	return fmt.Sprintf("; batches that wait in memory only, %d now, are lost where the probe ends before they are sent", len(m.contents))
}

// names are in the order of appending.
func (m *memory) names() []string { return slices.Sorted(maps.Keys(m.contents)) }

// TakesNothing tells whether an error is of a disk that takes nothing.
func TakesNothing(err error) bool {
	return isFull(err) || errors.Is(err, unix.EROFS) || errors.Is(err, unix.EIO)
}

// hold keeps a batch in memory; where that is full, the oldest batches there go.
// It is false where memory may not be used. writing must be held.
func (s *Spool) hold(name string, content []byte) bool {
	if s.closed || int64(len(content)) > s.opts.MaxMemoryBytes {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var gone []string
	for s.memory.bytes+int64(len(content)) > s.opts.MaxMemoryBytes {
		oldest := s.memory.names()[0]
		s.forget(oldest)
		s.stats.Dropped++
		gone = append(gone, oldest)
	}
	s.memory.put(name, content)
	s.waiting.put(Entry{name, int64(len(content))})
	if len(gone) > 0 {
		s.log.Error("the oldest batches that waited in memory are dropped to make room", "batches", len(gone), "error", s.disk)
	}
	return true
}

// saveMemory writes what waits in memory to the disk, as far as that takes it.
// The locks are held throughout: what was delivered must not come back.
func (s *Spool) saveMemory() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range s.memory.names() {
		if err := WriteDurably(s.dir, name, s.memory.contents[name]); err != nil {
			return
		}
		s.memory.remove(name)
	}
}

// loseMemory counts what is lost with the process.
func (s *Spool) loseMemory() {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := s.memory.names()
	for _, name := range names {
		s.forget(name)
		s.stats.Dropped++
	}
	if len(names) > 0 {
		s.log.Error("batches that waited in memory only are lost", "batches", len(names), "error", s.disk)
	}
}

// Troubles are sentences for the probe's health on what is wrong with the spool.
func (s *Spool) Troubles() (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.disk != nil {
		all = append(all, fmt.Sprintf("the spool cannot be written as it should (%v): free or mend the disk%s", s.disk, s.memory.trouble()))
	}
	if first, ok := s.firstPutOff(); ok {
		all = append(all, fmt.Sprintf("batches wait for another try, %d now, the first because: %s", len(s.putOffs), first.why))
	}
	if s.trimmed > 0 {
		all = append(all, fmt.Sprintf("files that were set aside are deleted, %d since the start, because there are too many: see ixpqos-probe spool list, then retry or discard them", s.trimmed))
	}
	return all
}
