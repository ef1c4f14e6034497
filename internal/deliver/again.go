package deliver

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"ixpqos/internal/wire"
)

// againFolder is where a person puts batches that were set aside and are to be
// sent again. A probe that runs takes them from there.
const againFolder = "again"

// loadAgain keeps names from being used twice, and makes the folder while its
// owner is the probe.
func (s *Spool) loadAgain() error {
	folder := filepath.Join(s.dir, againFolder)
	if err := makeFolder(folder); err != nil {
		s.log.Warn("batches that were set aside cannot be sent again", "error", err)
		return nil
	}
	return eachFile(folder, func(e Entry) { s.counter = max(s.counter, counterOf(e.Name)) })
}

// takeBack puts into the queue what a person wants to be sent again.
func (s *Spool) takeBack() {
	folder := filepath.Join(s.dir, againFolder)
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []Entry
	if eachWhole(folder, func(e Entry) { found = append(found, e) }) != nil {
		return // nobody put anything there
	}
	var failed error
	for _, e := range found {
		if _, waits := s.waiting.find(e.Name); waits || !batchName.MatchString(e.Name) {
			continue
		}
		if err := os.Rename(filepath.Join(folder, e.Name), s.path(e)); err != nil {
			failed = err
			continue
		}
		s.waiting.put(e)
		s.log.Info("a batch that was set aside is sent again", "file", e.Name)
	}
	if failed != nil && !s.notTaken {
		s.log.Error("batches that were set aside cannot be sent again", "error", failed)
	}
	s.notTaken = failed != nil
}

// Aside is a file that was set aside.
type Aside struct {
	Name  string
	Bytes int64
	// Start is when what is in it was measured; zero where that cannot be read.
	Start   time.Time
	Results int
	Why     string
}

// AsideOf lists what the spool in a folder has set aside, the oldest first. A
// probe may be using the spool.
func AsideOf(spool string) (all []Aside, err error) {
	folder := filepath.Join(spool, asideFolder)
	err = eachAside(folder, func(e Entry) {
		a := Aside{Name: e.Name, Bytes: e.Bytes}
		batch, why, err := asideBatch(folder, e.Name)
		if a.Why = why; err != nil {
			a.Why = err.Error()
		} else {
			a.Start, a.Results = batch.Start, len(batch.Results)+len(batch.Heard)
		}
		all = append(all, a)
	})
	return all, err
}

// eachAside visits the files that hold results.
func eachAside(folder string, visit func(Entry)) error {
	err := eachWhole(folder, func(e Entry) {
		if batchName.MatchString(e.Name) || strings.HasSuffix(e.Name, rejectedSuffix) {
			visit(e)
		}
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// asideBatch reads what was set aside as the batch to send again, and why it is there.
func asideBatch(folder, name string) (batch wire.Batch, why string, err error) {
	content, err := readBounded(filepath.Join(folder, name))
	if err != nil {
		return batch, "", err
	}
	if strings.HasSuffix(name, rejectedSuffix) {
		return rejectedBatch(content)
	}
	body, err := readBatch(content)
	if err != nil {
		return batch, "", err
	}
	if err := json.Unmarshal(body, &batch); err != nil {
		return batch, "", err
	}
	said, err := readBounded(filepath.Join(folder, stem(name)+answerSuffix))
	if err != nil {
		return batch, "see the probe's log", nil
	}
	return batch, strings.Join(strings.Fields(string(said)), " "), nil
}

// SendAgain gives what was set aside back to the spool; a probe that runs there
// sends it, or the next one that starts. Without names that is all of it. What
// cannot be sent stays where it is.
func SendAgain(spool string, names ...string) (n int, err error) {
	return eachNamed(spool, names, func(folder, name string) error { return sendAgain(spool, folder, name) })
}

// Discard deletes what was set aside; without names, all of it.
func Discard(spool string, names ...string) (n int, err error) {
	return eachNamed(spool, names, deleteAside)
}

func eachNamed(spool string, names []string, do func(folder, name string) error) (n int, err error) {
	folder := filepath.Join(spool, asideFolder)
	if len(names) == 0 {
		err = eachAside(folder, func(e Entry) { names = append(names, e.Name) })
	}
	for _, name := range names {
		if filepath.Base(name) != name || counterOf(name) == 0 {
			err = errors.Join(err, fmt.Errorf("%q is not a file that a spool sets aside: list names them", name))
			continue
		}
		if failed := do(folder, name); failed != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", name, failed))
			continue
		}
		n++
	}
	return n, err
}

func sendAgain(spool, folder, name string) error {
	batch, _, err := asideBatch(folder, name)
	if err != nil {
		return fmt.Errorf("it cannot be sent again: %w", err)
	}
	body, err := json.Marshal(batch)
	if err != nil {
		return err
	}
	again := filepath.Join(spool, againFolder)
	if err := makeFolder(again); err != nil {
		return err
	}
	to := stem(name) + batchSuffix
	if _, err := os.Lstat(filepath.Join(again, to)); err == nil {
		return errors.New("one of its name is being sent again: wait until the probe has taken it, then try anew")
	}
	// The probe takes it as soon as it has its name, and must be able to read it.
	hidden := to + ".new"
	if err := WriteDurably(again, hidden, seal(body)); err != nil {
		return err
	}
	giveTo(spool, again, filepath.Join(again, hidden))
	if err := os.Rename(filepath.Join(again, hidden), filepath.Join(again, to)); err != nil {
		return err
	}
	if err := syncFolder(again); err != nil {
		return err
	}
	return deleteAside(folder, name)
}

func deleteAside(folder, name string) error {
	if err := os.Remove(filepath.Join(folder, name)); err != nil {
		return err
	}
	if strings.HasSuffix(name, batchSuffix) {
		os.Remove(filepath.Join(folder, stem(name)+answerSuffix)) // where there is one
	}
	return nil
}

// giveTo makes paths the property of who owns the spool: root may be the one who
// sends batches again, and the probe somebody else.
func giveTo(spool string, paths ...string) {
	info, err := os.Stat(spool)
	if err != nil || os.Geteuid() != 0 {
		return
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok {
		for _, path := range paths {
			_ = os.Chown(path, int(owner.Uid), int(owner.Gid)) // the probe's log says where it lacks the right
		}
	}
}
