package collect_test

import (
	"strings"
	"testing"
	"time"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store/storetest"
)

// of is a batch of p1 from a run that began with interval started.
func of(run string, started, interval int) ippm.Batch {
	b := storetest.NewBatch("p1", interval)
	b.Run, b.Health.StartedAt, b.Health.Troubles = run, storetest.At(started), nil
	return b
}

// twinsTold posts the batches in that order, and tells what the report of the
// last says of two processes.
func twinsTold(t *testing.T, s *server, batches ...ippm.Batch) (told bool) {
	t.Helper()
	clock := now
	for _, b := range batches {
		clock = b.Start
		s.postBatch(t, b).stored(t)
	}
	reports, err := s.store.Reports(t.Context(), clock)
	if err != nil || len(reports) != 1 {
		t.Fatal(reports, err)
	}
	return strings.Contains(strings.Join(reports[0].Health.Troubles, "\n"), `two processes report as "p1" with one key`)
}

func TestTwoProcessesUnderOneName(t *testing.T) {
	for _, c := range []struct {
		name    string
		batches []ippm.Batch
		told    bool
	}{
		{"side by side", []ippm.Batch{of(run1, 0, 1), of(run2, 2, 3), of(run1, 0, 4), of(run2, 2, 5)}, true},
		{"from the first batch that shows it", []ippm.Batch{of(run1, 0, 4), of(run2, 2, 5)}, true},
		{"a restart", []ippm.Batch{of(run1, 0, 1), of(run1, 0, 2), of(run2, 3, 4), of(run2, 3, 5)}, false},
		{"a restart, and old batches come late", []ippm.Batch{of(run1, 0, 1), of(run2, 3, 4), of(run1, 0, 2), of(run2, 3, 5), of(run1, 0, 2), of(run2, 3, 6)}, false},
		{"one that ended more than an hour ago", []ippm.Batch{of(run1, 0, 4), of(run2, 2, 4+361)}, false},
		{"older probes do not say", []ippm.Batch{of("", 0, 4), of("", 2, 5)}, false},
		{"many restarts beside it", []ippm.Batch{of(run1, 0, 1), of("c1", 2, 3), of(run1, 0, 3), of("c2", 3, 4), of(run1, 0, 5)}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			clock := now.Add(2 * time.Hour)
			s := serve(t, on(&clock))
			if told := twinsTold(t, s, c.batches...); told != c.told {
				t.Errorf("told is %v", told)
			}
			if said := strings.Count(s.log.String(), "two processes report under one name"); (said == 1) != c.told {
				t.Errorf("the log says so %d times:\n%s", said, s.log)
			}
		})
	}
}

// TestTwinsTroubleHasRoom: a probe's own troubles do not push it out.
func TestTwinsTroubleHasRoom(t *testing.T) {
	s := serve(t)
	last := of(run2, 2, 5)
	for range 30 {
		last.Health.Troubles = append(last.Health.Troubles, "the disk is full")
	}
	if !twinsTold(t, s, of(run1, 0, 4), last) {
		t.Error("it is not told")
	}
}
