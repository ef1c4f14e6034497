package sqlite_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"ixpqos/infra/needs"
	"ixpqos/internal/store"
	"ixpqos/internal/store/sqlite"
	"ixpqos/internal/store/storetest"
)

func TestFullDisk(t *testing.T) {
	needs.Root(t)
	storetest.RunOutages(t, func(t *testing.T) storetest.Subject {
		disk := smallDisk(t)
		s := open(t, filepath.Join(disk, "store.db"), sqlite.Options{})
		return storetest.Subject{Writer: s, Reader: s, Outages: []storetest.Outage{full(filepath.Join(disk, "ballast"))}}
	})
}

// TestReadyOnFullDisk: reading still works, and that is not all that is asked.
func TestReadyOnFullDisk(t *testing.T) {
	needs.Root(t)
	disk := smallDisk(t)
	s := open(t, filepath.Join(disk, "store.db"), sqlite.Options{})
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("before: %v", err)
	}
	outage := full(filepath.Join(disk, "ballast"))
	outage.Begin(t)
	if err := s.Ready(t.Context()); !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "disk is full") {
		t.Errorf("on a full disk: %v", err)
	}
	outage.End(t)
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// smallDisk is a file system of its own.
func smallDisk(t *testing.T) string {
	t.Helper()
	disk := t.TempDir()
	mount(t, "mount", "-t", "tmpfs", "-o", "size=2m", "ixpqos-test", disk)
	t.Cleanup(func() { mount(t, "umount", disk) })
	return disk
}

func mount(t *testing.T, command ...string) {
	t.Helper()
	if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %v: %s", command, err, out)
	}
}

// full is a disk on which ballast takes all that is left.
func full(ballast string) storetest.Outage {
	return storetest.Outage{
		Name: "the disk is full",
		Begin: func(t *testing.T) {
			if err := fill(ballast); !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("the disk does not get full: %v", err)
			}
		},
		End: func(t *testing.T) {
			if err := os.Remove(ballast); err != nil {
				t.Error(err)
			}
		},
	}
}

func fill(path string) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for block := make([]byte, 4096); ; {
		if _, err := f.Write(block); err != nil {
			return err
		}
	}
}
