package deliver

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"ixpqos/internal/wire"
)

// TestSentAgain: what a server refused wrongly arrives, once a person says so
// and while the probe runs.
func TestSentAgain(t *testing.T) {
	a := newAPI(t)
	var refusing sync.Map
	refusing.Store("yes", true)
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if _, refuses := refusing.Load("yes"); refuses {
			problem(w, http.StatusUnprocessableEntity, "I know nobody")
			return
		}
		a.ServeHTTP(w, r)
	})
	s := openSpool(t, t.TempDir(), SpoolOptions{})
	u := newUploader(t, s, srv.URL)
	mustAppend(t, s, batch(0), batch(1), batch(2))
	mustDrain(t, u)
	wantStats(t, s, 0, 3, 0)
	refusing.Clear()

	all, err := AsideOf(s.dir)
	if err != nil || len(all) != 3 || !all[1].Start.Equal(batch(1).Start) || all[1].Results != 1 || !strings.Contains(all[1].Why, "I know nobody") {
		t.Errorf("set aside are %+v, %v", all, err)
	}
	if n, err := Discard(s.dir, nameOf(2)); n != 1 || err != nil {
		t.Errorf("discarded %d, %v", n, err)
	}
	if n, err := SendAgain(s.dir); n != 2 || err != nil {
		t.Errorf("sent again %d, %v", n, err)
	}
	if left := asideFiles(t, s); len(left) > 0 {
		t.Errorf("set aside are still %v", left)
	}
	run(t, u)
	waitEmpty(t, s, a)
	a.want(t, batch(0), batch(2), batch(999))
}

// TestRejectedSentAgain makes a batch of the results that a server rejected.
func TestRejectedSentAgain(t *testing.T) {
	s := openSpool(t, t.TempDir(), SpoolOptions{})
	whole := batch(0, groups(3)...)
	mustAppend(t, s, whole)
	mustDrain(t, newUploader(t, s, rejecting(t).URL))
	all, err := AsideOf(s.dir)
	if err != nil || len(all) != 1 || all[0].Results != 2 || all[0].Why != "no such test" {
		t.Errorf("set aside are %+v, %v", all, err)
	}
	if n, err := SendAgain(s.dir, all[0].Name); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	s = reopen(t, s) // also a probe that starts later takes it
	_, body, ok, err := s.take()
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	b := decode(t, body)
	if b.Probe != "p1" || b.Inventory != "v1" || !b.Start.Equal(whole.Start) || len(b.Results) != 2 || b.Results[0].Test != "test-2" {
		t.Errorf("sent again is %s", body)
	}
}

func TestSendAgainErrors(t *testing.T) {
	s := openSpool(t, t.TempDir(), SpoolOptions{})
	mustAppend(t, s, batch(0))
	writeFile(t, filepath.Join(s.dir, nameOf(1)), []byte("junk"))
	takeAll(t, s)
	for name, want := range map[string]string{nameOf(1): "cannot be sent again", nameOf(7): "no such file", "../" + nameOf(1): "is not a file that a spool sets aside"} {
		if n, err := SendAgain(s.dir, name); n != 0 || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
	if all, err := AsideOf(s.dir); err != nil || len(all) != 1 || !strings.Contains(all[0].Why, "does not begin with a line") {
		t.Errorf("set aside are %+v, %v", all, err)
	}
	if all, err := AsideOf(filepath.Join(s.dir, "none")); err != nil || len(all) > 0 {
		t.Errorf("of no spool: %+v, %v", all, err)
	}
}

// TestTrimmedIsDropped: what the bound deletes is counted and told, and what a
// person discarded is neither.
func TestTrimmedIsDropped(t *testing.T) {
	s := openSpool(t, t.TempDir(), SpoolOptions{MaxSetAsideFiles: 3})
	put := func(n int) {
		mustAppend(t, s, batch(n))
		e, _ := s.Oldest()
		s.setAside(e, "for the test")
	}
	for n := range 3 {
		put(n)
	}
	if n, err := Discard(s.dir, nameOf(1), nameOf(2)); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	put(3)
	put(4)
	wantStats(t, s, 0, 5, 0)
	if got := s.Troubles(); len(got) > 0 {
		t.Errorf("troubles are %q", got)
	}
	put(5)
	wantStats(t, s, 0, 6, 1)
	if got := strings.Join(s.Troubles(), " "); !strings.Contains(got, "files that were set aside are deleted, 1 since the start") {
		t.Errorf("troubles are %q", got)
	}
}

// TestSetAsideWhileThinned: whoever is first, the batch ends in one place.
func TestSetAsideWhileThinned(t *testing.T) {
	s := openSpool(t, t.TempDir(), SpoolOptions{})
	body, err := wire.EncodeBatch(batch(0))
	if err != nil {
		t.Fatal(err)
	}
	for range 200 {
		mustAppend(t, s, flowing(0))
		e, _ := s.Oldest()
		var both sync.WaitGroup
		both.Go(func() { s.setAside(e, "for the test") })
		both.Go(func() { s.replace(e, seal(body), freesBytes) })
		both.Wait()
		if _, err := os.Stat(s.path(e)); err == nil || !slices.Contains(asideFiles(t, s), e.Name) {
			t.Fatalf("%s is in the spool: %v; set aside are %v", e.Name, err == nil, asideFiles(t, s))
		}
	}
}

// TestSetAsideWhatWasDropped counts it once.
func TestSetAsideWhatWasDropped(t *testing.T) {
	s := openSpool(t, t.TempDir(), SpoolOptions{})
	mustAppend(t, s, batch(0))
	e, _ := s.Oldest()
	s.dropOldest(freesBytes)
	s.setAside(e, "for the test")
	wantStats(t, s, 0, 0, 1)
}

// TestListingLeavesAlone what the probe is writing just then.
func TestListingLeavesAlone(t *testing.T) {
	s := openSpool(t, t.TempDir(), SpoolOptions{})
	folder, err := s.makeAside()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{filepath.Join(folder, nameOf(3)+tempSuffix), filepath.Join(s.dir, againFolder, nameOf(4)+tempSuffix)} {
		writeFile(t, file, []byte("half"))
		if _, err := AsideOf(s.dir); err != nil {
			t.Fatal(err)
		}
		takeAll(t, s)
		if _, err := os.Stat(file); err != nil {
			t.Error(err)
		}
	}
}

// TestSentAgainFromAReadOnlyDisk says once that it cannot be.
func TestSentAgainFromAReadOnlyDisk(t *testing.T) {
	var log logged
	s := openSpool(t, smallDisk(t), SpoolOptions{Log: log.logger()})
	for n := range 3 {
		writeFile(t, filepath.Join(s.dir, againFolder, nameOf(uint64(n+1))), []byte("again"))
	}
	remount(t, s.dir, unix.MS_RDONLY)
	for range 3 {
		if _, _, ok, err := s.take(); ok || err != nil {
			t.Errorf("it takes %v, %v", ok, err)
		}
	}
	log.want(t, 1, "cannot be sent again")
}
