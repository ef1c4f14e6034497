package deliver

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ixpqos/infra/needs"
)

// smallDisk is a file system of 1 MiB.
func smallDisk(t *testing.T) string {
	t.Helper()
	needs.Root(t)
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Fatalf("mount tmpfs on %s: %v", dir, err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	return dir
}

// fill takes all the space that is left.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
}

func TestFullDisk(t *testing.T) {
	var log logged
	s := openSpool(t, smallDisk(t), SpoolOptions{Log: log.logger()})
	const many = 100
	for n := range many {
		mustAppend(t, s, fat(n)) // 20 kB each
	}
	got := s.Stats()
	if got.Dropped == 0 || got.Waiting < 30 || got.Waiting+got.Dropped != many {
		t.Errorf("stats are %+v", got)
	}
	log.want(t, got.Dropped, "the disk is full")
	s = reopen(t, s)
	if numbers := takeAll(t, s); !slices.Equal(numbers, upTo(got.Dropped, many)) {
		t.Errorf("%v are left", numbers)
	}
}

// TestFullDiskDropsFlowsFirst: without them all batches have room.
func TestFullDiskDropsFlowsFirst(t *testing.T) {
	var log logged
	s := openSpool(t, smallDisk(t), SpoolOptions{Log: log.logger()})
	const many = 100
	for n := range many {
		mustAppend(t, s, flowing(n))
	}
	wantStats(t, s, many, 0, 0)
	s = reopen(t, s)
	checkThinned(t, s, many)
}

// checkThinned empties the spool: all batches must be there, and only the newest
// with what their flows saw.
func checkThinned(t *testing.T, s *Spool, many int) {
	t.Helper()
	thin := 0
	for n := range many {
		e, body, ok, err := s.take()
		if err != nil || !ok {
			t.Fatalf("batch %d: %v, %v", n, ok, err)
		}
		b, whole := decode(t, body), flowing(n)
		if number(b) != n || len(b.Results) != 1 || b.Results[0].Counts != whole.Results[0].Counts {
			t.Fatalf("batch %d comes as %+v", n, b)
		}
		switch flows, heard := len(b.Results[0].Flows), len(b.Heard); {
		case flows+heard == 0 && thin == n:
			thin++
		case flows != len(whole.Results[0].Flows) || heard != 1:
			t.Errorf("batch %d has %d flows and %d heard after %d batches without", n, flows, heard, thin)
		}
		if err := s.Remove(e); err != nil {
			t.Fatal(err)
		}
	}
	if thin == 0 || thin == many {
		t.Errorf("%d of %d batches lost their flows", thin, many)
	}
}

// TestFullDiskWithThinBatches: once no batch has flows, the oldest go.
func TestFullDiskWithThinBatches(t *testing.T) {
	s := openSpool(t, smallDisk(t), SpoolOptions{})
	const many = 300 // thin, each takes a page of 4 KiB
	for n := range many {
		mustAppend(t, s, flowing(n))
	}
	got := s.Stats()
	if got.Dropped == 0 || got.Waiting < 200 || got.Waiting+got.Dropped != many {
		t.Errorf("stats are %+v", got)
	}
	if numbers := takeAll(t, reopen(t, s)); !slices.Equal(numbers, upTo(got.Dropped, many)) {
		t.Errorf("%v are left", numbers)
	}
}

func TestDiskFilledBySomebodyElse(t *testing.T) {
	s := openSpool(t, smallDisk(t), SpoolOptions{})
	mustAppend(t, s, batch(0))
	other := filepath.Join(s.dir, "other")
	fill(t, other)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Append(ctx, fat(1)); !errors.Is(err, context.Canceled) || !errors.Is(err, unix.ENOSPC) {
		t.Errorf("with an ended context: %v", err)
	}
	wantStats(t, s, 1, 0, 1)
	s = reopen(t, s) // a full disk is no reason not to deliver what is on it
	wantStats(t, s, 1, 0, 0)

	err := s.Append(t.Context(), fat(2))
	if !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), s.dir) || !strings.Contains(err.Error(), "free space on that disk") {
		t.Errorf("with nothing left to drop: %v", err)
	}
	wantStats(t, s, 0, 0, 2)
	if got := files(t, s.dir); !slices.Equal(got, []string{"other"}) {
		t.Errorf("the folder holds %v", got)
	}
	if err := os.Remove(other); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, s, fat(3))
	if got := takeAll(t, s); !slices.Equal(got, []int{3}) {
		t.Errorf("batches %v come", got)
	}
}

// TestFullDiskAndTooLarge has no space for the halves of a batch: it waits.
func TestFullDiskAndTooLarge(t *testing.T) {
	a := newAPI(t)
	a.maxResults = 2
	s := openSpool(t, smallDisk(t), SpoolOptions{})
	large := batch(0, groups(4)...)
	mustAppend(t, s, large)
	other := filepath.Join(s.dir, "other")
	fill(t, other)
	u := newUploader(t, s, a.URL)
	if failed := drain(t, u); failed == nil || failed.kind != "split" {
		t.Fatalf("failure is %+v", failed)
	}
	if err := os.Remove(other); err != nil {
		t.Fatal(err)
	}
	mustDrain(t, u)
	a.want(t, large)
}

// TestFullDiskAndRejected has no space for the rejected results alone.
func TestFullDiskAndRejected(t *testing.T) {
	s := openSpool(t, smallDisk(t), SpoolOptions{})
	mustAppend(t, s, batch(0, groups(3)...))
	fill(t, filepath.Join(s.dir, "other"))
	mustDrain(t, newUploader(t, s, rejecting(t).URL))
	wantStats(t, s, 0, 1, 0)
	kept, err := readBatch([]byte(readFile(t, filepath.Join(s.dir, asideFolder, nameOf(1)))))
	if err != nil || len(decode(t, kept).Results) != 3 {
		t.Errorf("kept is %q, %v", kept, err)
	}
}

func TestReadOnlyDisk(t *testing.T) {
	var log logged
	a := newAPI(t)
	s := openSpool(t, smallDisk(t), SpoolOptions{Log: log.logger()})
	mustAppend(t, s, batch(0), batch(1), batch(2))
	writeFile(t, filepath.Join(s.dir, nameOf(2)), []byte("junk"))
	if err := unix.Mount("", s.dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(t.Context(), batch(3)); !errors.Is(err, unix.EROFS) || !strings.Contains(err.Error(), s.dir) {
		t.Errorf("append: %v", err)
	}
	mustDrain(t, newUploader(t, s, a.URL)) // what can be read is delivered
	a.want(t, batch(0), batch(2))
	wantStats(t, s, 0, 1, 1)
	log.want(t, 1, "delivered again after the next start")
	s.Close()
	_, err := OpenSpool(s.dir, SpoolOptions{})
	if !errors.Is(err, unix.EROFS) || !strings.Contains(err.Error(), s.dir+": the folder is not writable") {
		t.Errorf("open: %v", err)
	}
}
