package deliver

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// setAside takes a batch out of the queue and keeps its file. Where the file
// cannot be moved it is only forgotten until the next start: the batches behind
// it must not wait for it.
func (s *Spool) setAside(e Entry, reason string) {
	folder, err := s.makeAside()
	if err == nil {
		err = os.Rename(s.path(e), filepath.Join(folder, e.Name))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting.remove(e.Name)
	s.stats.SetAside++
	if err != nil {
		s.log.Error("a batch is passed over; it could not be set aside", "file", s.path(e), "reason", reason, "error", err)
		return
	}
	s.log.Warn("a batch is set aside", "file", e.Name, "folder", folder, "reason", reason)
	s.aside.put(e)
	s.trimAside()
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

func (s *Spool) countSetAside(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.SetAside += n
}

// makeAside makes the sub-folder when it is needed, also where somebody
// cleaned up.
func (s *Spool) makeAside() (string, error) {
	folder := filepath.Join(s.dir, asideFolder)
	if err := os.Mkdir(folder, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
		return folder, err
	}
	return folder, nil
}

// trimAside keeps what was set aside within its bounds; mu must be held.
func (s *Spool) trimAside() {
	var gone []string
	for len(s.aside.entries) > s.opts.MaxSetAsideFiles || s.aside.bytes > s.opts.MaxSetAsideBytes {
		e, _ := s.aside.oldest()
		s.aside.remove(e.Name)
		if err := os.Remove(filepath.Join(s.dir, asideFolder, e.Name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.log.Error("a file that was set aside cannot be deleted", "error", err)
			continue
		}
		gone = append(gone, e.Name)
	}
	if len(gone) > 0 {
		s.log.Error("the oldest files that were set aside are deleted: there are too many", "folder", filepath.Join(s.dir, asideFolder),
			"files", len(gone), "first", gone[0], "last", gone[len(gone)-1])
	}
}
