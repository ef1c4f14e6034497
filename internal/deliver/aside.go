package deliver

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Beside a batch that was refused stands what the server answered; results that
// were rejected out of a batch stand in a file of their own.
const (
	answerSuffix   = ".answer.txt"
	rejectedSuffix = ".rejected.json"
)

// setAside takes a batch out of the queue and keeps its file. Where the file
// cannot be moved it is only forgotten until the next start: the batches behind
// it must not wait for it. The lock is held throughout, so that nobody writes
// anew what was moved away.
func (s *Spool) setAside(e Entry, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, waits := s.waiting.find(e.Name); !waits {
		return // it was dropped meanwhile, and counted then
	}
	err := s.moveAside(e)
	if err != nil && s.memory.has(e.Name) {
		s.stats.Dropped++
	}
	s.forget(e.Name)
	s.stats.SetAside++
	if err != nil {
		s.log.Error("a batch is passed over; it could not be set aside", "file", s.path(e), "reason", reason, "error", err)
		return
	}
	s.log.Warn("a batch is set aside", "file", e.Name, "folder", filepath.Join(s.dir, asideFolder), "reason", reason)
	s.aside.put(e)
	s.trimAside()
}

// moveAside leaves a batch in one place, whatever happens right then: its new
// entry is made durable before the end of the old one.
func (s *Spool) moveAside(e Entry) error {
	folder, err := s.makeAside()
	if err != nil {
		return err
	}
	if content, ok := s.memory.contents[e.Name]; ok {
		return WriteDurably(folder, e.Name, content)
	}
	if err := os.Rename(s.path(e), filepath.Join(folder, e.Name)); err != nil {
		return err
	}
	if err := errors.Join(syncFolder(folder), syncFolder(s.dir)); err != nil {
		s.log.Error("a loss of power may bring a batch back that was set aside", "file", e.Name, "error", err)
	}
	return nil
}

// saveAside writes a file beside what was set aside, durably.
func (s *Spool) saveAside(name string, content []byte) error {
	folder, err := s.makeAside()
	if err != nil {
		return err
	}
	if err := WriteDurably(folder, name, content); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.aside.put(Entry{name, int64(len(content))})
	s.trimAside()
	return nil
}

// freeAside is a name that no file set aside has: of a batch that was taken in
// part results may be rejected again, and the first must stay.
func (s *Spool) freeAside(stem, suffix string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := stem + suffix
	for n := 2; ; n++ {
		if _, taken := s.aside.find(name); !taken {
			return name
		}
		name = fmt.Sprintf("%s.%d%s", stem, n, suffix)
	}
}

func (s *Spool) countSetAside(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.SetAside += n
}

// makeAside makes the sub-folder when it is needed, also where somebody
// cleaned up.
func (s *Spool) makeAside() (string, error) {
	folder := filepath.Join(s.dir, asideFolder)
	return folder, makeFolder(folder)
}

// trimAside keeps what was set aside within its bounds; mu must be held. What it
// deletes is lost for good, and counted as that.
func (s *Spool) trimAside() {
	if s.asideFits() {
		return
	}
	if err := s.indexAside(); err != nil { // somebody may have cleaned up
		s.log.Error("what was set aside cannot be listed", "error", err)
	}
	var gone []string
	for !s.asideFits() {
		e, _ := s.aside.oldest()
		s.aside.remove(e.Name)
		if err := os.Remove(filepath.Join(s.dir, asideFolder, e.Name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.log.Error("a file that was set aside cannot be deleted", "error", err)
			continue
		}
		gone = append(gone, e.Name)
		s.trimmed++
		if !strings.HasSuffix(e.Name, answerSuffix) {
			s.stats.Dropped++
		}
	}
	if len(gone) > 0 {
		s.log.Error("the oldest files that were set aside are deleted: there are too many", "folder", filepath.Join(s.dir, asideFolder),
			"files", len(gone), "first", gone[0], "last", gone[len(gone)-1])
	}
}

func (s *Spool) asideFits() bool {
	return len(s.aside.entries) <= s.opts.MaxSetAsideFiles && s.aside.bytes <= s.opts.MaxSetAsideBytes
}

// indexAside lists the folder anew; mu must be held where others know the spool.
func (s *Spool) indexAside() error {
	s.aside = index{}
	err := eachFile(filepath.Join(s.dir, asideFolder), s.aside.put)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
