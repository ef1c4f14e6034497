package service

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
)

type failing struct {
	store.Writer
	err error
}

func (f *failing) Put(context.Context, ippm.Batch) ([]store.Rejected, error) { return nil, f.err }

func (f *failing) PutPings(context.Context, []store.Ping) ([]store.RefusedPing, error) {
	return nil, f.err
}

type answering struct{ store.Reader }

func (answering) Ready(context.Context) error { return nil }

// TestReadyHeedsWhatBatchesSaw: a full disk behind a store that answers.
func TestReadyHeedsWhatBatchesSaw(t *testing.T) {
	now, writer := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), &failing{}
	wrote := &outcome{Writer: writer, now: func() time.Time { return now }}
	o := &opened{Writer: wrote, Reader: answering{}, lastWrite: wrote.last}
	put := func(err error) {
		writer.err = err
		_, _ = o.Put(t.Context(), ippm.Batch{}) // what it says is what was put in
	}
	ready := func(want bool, when string) {
		t.Helper()
		if err := o.Ready(t.Context()); (err == nil) != want {
			t.Errorf("%s: %v", when, err)
		}
	}
	full := fmt.Errorf("no space left: %w", store.ErrUnavailable)
	ready(true, "at first")
	put(full)
	ready(false, "after a batch that could not be written")
	put(nil)
	ready(true, "after one that could")
	put(errors.New("canceled"))
	ready(true, "after one that its client gave up")
	put(full)
	now = now.Add(failureCounts)
	ready(true, "when that is long ago")
	_, _ = o.PutPings(t.Context(), []store.Ping{{}})
	ready(false, "after pings of a client of the first version that could not be written")
}
