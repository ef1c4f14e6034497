package deliver

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const testMemory = 100_000

func remount(t *testing.T, dir string, flags uintptr) {
	t.Helper()
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|flags, ""); err != nil {
		t.Fatal(err)
	}
}

// TestFullDiskAndServerThere sends from memory, drops nothing, and says so.
func TestFullDiskAndServerThere(t *testing.T) {
	a := newAPI(t)
	s := openSpool(t, smallDisk(t), SpoolOptions{MaxMemoryBytes: testMemory})
	mustAppend(t, s, batch(0))
	other := filepath.Join(s.dir, "other")
	fill(t, other)
	mustAppend(t, s, fat(1), fat(2))
	wantStats(t, s, 3, 0, 0)
	if got := strings.Join(s.Troubles(), " "); !strings.Contains(got, "no space left on device") || !strings.Contains(got, "wait in memory only, 2 now") {
		t.Errorf("troubles are %q", got)
	}
	mustDrain(t, newUploader(t, s, a.URL))
	a.want(t, batch(0), batch(1), batch(2))
	wantStats(t, s, 0, 0, 0)
	mustAppend(t, s, fat(3))
	if err := os.Remove(other); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, s, fat(4)) // and the one in memory goes to the disk
	if got := s.Troubles(); len(got) > 0 {
		t.Errorf("troubles stay: %q", got)
	}
	if got := takeAll(t, reopen(t, s)); !slices.Equal(got, []int{3, 4}) {
		t.Errorf("after a restart come %v", got)
	}
}

// TestFullDiskAndServerAway makes room for what has results, and for nothing else.
func TestFullDiskAndServerAway(t *testing.T) {
	s := openSpool(t, smallDisk(t), SpoolOptions{MaxMemoryBytes: testMemory})
	s.serverIs(true)
	mustAppend(t, s, fat(0), fat(1))
	fill(t, filepath.Join(s.dir, "other"))
	silent := batch(2)
	silent.Results = nil
	for range 10 {
		_ = s.Append(t.Context(), silent)
	}
	wantStats(t, s, 2, 0, 0)
	mustAppend(t, s, batch(3))
	if got := s.Stats(); got.Dropped != 1 {
		t.Errorf("stats are %+v", got)
	}
}

// TestNothingIsGivenUpForNothing: neither on a full disk nor at the bound does a
// batch without results take the place of one with.
func TestNothingIsGivenUpForNothing(t *testing.T) {
	s := openSpool(t, smallDisk(t), SpoolOptions{})
	mustAppend(t, s, fat(0), fat(1))
	fill(t, filepath.Join(s.dir, "other"))
	silent := batch(2)
	silent.Results = nil
	if err := s.Append(t.Context(), silent); err == nil {
		t.Error("it found room")
	}
	wantStats(t, s, 2, 0, 0)

	s = openSpool(t, t.TempDir(), SpoolOptions{MaxBytes: 41_000})
	mustAppend(t, s, fat(0), fat(1))
	if err := s.Append(t.Context(), silent); err == nil {
		t.Error("it found room")
	}
	wantStats(t, s, 2, 0, 0)
}

// TestThinningThatFreesNoBlock is left alone: the files have a block each,
// whatever is taken out of them.
func TestThinningThatFreesNoBlock(t *testing.T) {
	s := openSpool(t, smallDisk(t), SpoolOptions{})
	const many = 20
	for n := range many {
		b := batch(n)
		b.Heard = heard(b, group{"ping", 4, 0})
		mustAppend(t, s, b)
	}
	fill(t, filepath.Join(s.dir, "other"))
	mustAppend(t, s, batch(many))
	if got := s.Stats(); got.Dropped != 1 || got.Waiting != many {
		t.Errorf("stats are %+v", got)
	}
	for n := 1; n < many; n++ {
		e, body, ok, err := s.take()
		if err != nil || !ok || len(decode(t, body).Heard) != 1 {
			t.Fatalf("batch %d: %v, %v, %s", n, ok, err, body)
		}
		if err := s.Remove(e); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReadOnlyDiskFromTheStart: a probe on such a host goes on measuring.
func TestReadOnlyDiskFromTheStart(t *testing.T) {
	for _, name := range []string{"folder there", "no folder"} {
		t.Run(name, func(t *testing.T) {
			a := newAPI(t)
			disk := smallDisk(t)
			dir := disk
			if name == "no folder" {
				dir = filepath.Join(disk, "spool")
			}
			remount(t, disk, unix.MS_RDONLY)
			s := openSpool(t, dir, SpoolOptions{MaxMemoryBytes: testMemory})
			mustAppend(t, s, batch(0), batch(1))
			if got := strings.Join(s.Troubles(), " "); !strings.Contains(got, "read-only file system") {
				t.Errorf("troubles are %q", got)
			}
			mustDrain(t, newUploader(t, s, a.URL))
			a.want(t, batch(0), batch(1))
			wantStats(t, s, 0, 0, 0)
			mustAppend(t, s, batch(2))
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			wantStats(t, s, 0, 0, 1) // what only memory had
		})
	}
}

// TestAFolderThatIsTakenAway is made anew: what comes then is as safe as before.
func TestAFolderThatIsTakenAway(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	s := openSpool(t, filepath.Join(state, "spool"), SpoolOptions{})
	mustAppend(t, s, batch(0))
	if err := os.Rename(state, state+".gone"); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, s, batch(1))
	if _, err := os.Stat(filepath.Join(state, "spool", nameOf(2))); err != nil {
		t.Errorf("the next batch is not on the disk: %v", err)
	}
	if got := s.Troubles(); len(got) > 0 {
		t.Errorf("troubles are %q", got)
	}
}

// TestMemoryIsBounded: then the oldest of what is there goes.
func TestMemoryIsBounded(t *testing.T) {
	disk := smallDisk(t)
	remount(t, disk, unix.MS_RDONLY)
	s := openSpool(t, disk, SpoolOptions{MaxMemoryBytes: testMemory})
	for n := range 10 {
		mustAppend(t, s, fat(n))
	}
	wantStats(t, s, 4, 0, 6)
	if got := takeAll(t, s); !slices.Equal(got, upTo(6, 10)) {
		t.Errorf("%v are left", got)
	}
}

// TestSomethingElseInItsPlace: where the disk is not mounted any more, nothing
// is lost yet.
func TestSomethingElseInItsPlace(t *testing.T) {
	dir := t.TempDir()
	s := openSpool(t, filepath.Join(dir, "spool"), SpoolOptions{})
	mustAppend(t, s, batch(0))
	if err := os.Rename(s.dir, filepath.Join(dir, "away")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(s.dir, 0o750); err != nil {
		t.Fatal(err)
	}
	if _, _, ok, err := s.take(); ok || err == nil {
		t.Errorf("took %v, %v", ok, err)
	}
	wantStats(t, s, 1, 0, 0)
	if err := os.Remove(s.dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "away"), s.dir); err != nil {
		t.Fatal(err)
	}
	if got := takeAll(t, s); !slices.Equal(got, []int{0}) {
		t.Errorf("batches %v come", got)
	}
}

// TestDiskIsMountedLate over a folder in which the spool could not be made: what
// waits on it is neither overwritten nor forgotten.
func TestDiskIsMountedLate(t *testing.T) {
	below, disk := smallDisk(t), smallDisk(t)
	before := openSpool(t, filepath.Join(disk, "spool"), SpoolOptions{})
	mustAppend(t, before, batch(0), batch(1))
	if err := before.saveAside(nameOf(9), []byte("aside")); err != nil {
		t.Fatal(err)
	}
	before.Close()
	remount(t, below, unix.MS_RDONLY)
	s := openSpool(t, filepath.Join(below, "spool"), SpoolOptions{MaxMemoryBytes: testMemory})
	mustAppend(t, s, batch(2))
	if err := unix.Mount(disk, below, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(below, unix.MNT_DETACH) })
	mustAppend(t, s, batch(3))
	wantStats(t, s, 4, 0, 0)
	if s.aside.bytes == 0 {
		t.Error("what was set aside is not known")
	}
	if got := takeAll(t, reopen(t, s)); !slices.Equal(got, []int{0, 1, 2, 3}) {
		t.Errorf("batches %v come", got)
	}
}
