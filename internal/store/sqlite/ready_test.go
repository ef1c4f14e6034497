package sqlite

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"ixpqos/internal/ippm"
)

// TestReadyDoesNotWaitBehindBatches: what was written of late proves as much, so
// that neither many batches nor many who ask make the store look as if it could not.
func TestReadyDoesNotWaitBehindBatches(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "store.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Put(t.Context(), ippm.Batch{Probe: "p1", Start: time.Unix(1e9, 0)}); err != nil || s.proven.Load() == nil {
		t.Fatalf("%v, proven %v", err, s.proven.Load())
	}
	later := time.Now().Add(time.Hour) // however long this test takes
	s.proven.Store(&later)
	tx, err := s.write.BeginTx(t.Context(), nil) // a large batch
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := s.Ready(ctx); err != nil {
		t.Error(err)
	}
}
