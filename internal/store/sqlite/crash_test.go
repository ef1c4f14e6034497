package sqlite_test

import (
	"fmt"
	"path/filepath"
	"strconv"
	"testing"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
	"ixpqos/internal/store/sqlite"
	"ixpqos/internal/store/storetest"
)

// TestCrash kills a process that writes, again and again on the same file.
func TestCrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	for _, acknowledged := range []int{1, 2, 10, 40} {
		last := writeAndDie(t, path, acknowledged)
		s, err := sqlite.Open(t.Context(), path, sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for n := range last + 1 {
			checkBatch(t, s, n)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// writeAndDie lets another process write, kills it when it has acknowledged so
// many batches, and gives the number of the last.
func writeAndDie(t *testing.T, path string, acknowledged int) (last int) {
	t.Helper()
	writer := startChild(t, "put", path)
	for range acknowledged {
		writer.line(t)
	}
	if err := writer.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	last = acknowledged - 1
	for writer.stdout.Scan() { // what it acknowledged until it was dead
		n, err := strconv.Atoi(writer.stdout.Text())
		if err != nil {
			break // it died in the middle of the word
		}
		last = n
	}
	return last
}

func checkBatch(t *testing.T, s *sqlite.Store, n int) {
	t.Helper()
	want := crashBatch(n)
	got, err := s.Latest(t.Context(), store.Filter{}, want.Start, want.Start)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want.Results) {
		t.Fatalf("%d of %d results of acknowledged batch %d", len(got), len(want.Results), n)
	}
	for _, r := range want.Results {
		if diff := storetest.DiffResults([]ippm.Result{r}, between(t, s, r)); diff != "" {
			t.Errorf("batch %d (-want +got):\n%s", n, diff)
		}
	}
	reports, err := s.Reports(t.Context(), want.Start)
	if err != nil {
		t.Fatal(err)
	}
	if diff := storetest.DiffReports([]ippm.Batch{want}, reports); diff != "" {
		t.Errorf("report %s (-want +got):\n%s", fmt.Sprint(n), diff)
	}
}

// between is what is stored of the series and interval of r.
func between(t *testing.T, s *sqlite.Store, r ippm.Result) (got []store.Stored) {
	t.Helper()
	err := s.Range(t.Context(), r.Source, r.Target, store.Filter{}, r.Start, r.End(), func(r store.Stored) error {
		got = append(got, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}
