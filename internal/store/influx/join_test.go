package influx_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store/influx"
	"ixpqos/internal/store/storetest"
)

// held keeps all requests until it is opened.
type held struct {
	recorder
	open chan struct{}
	keep atomic.Int64 // how many wait
}

func (h *held) RoundTrip(request *http.Request) (*http.Response, error) {
	h.keep.Add(1)
	defer h.keep.Add(-1)
	select {
	case <-h.open:
	case <-request.Context().Done():
		return nil, request.Context().Err()
	}
	return h.recorder.RoundTrip(request)
}

// TestJoined: batches that wait go together, and what is wrong with one of them
// is nothing to the others.
func TestJoined(t *testing.T) {
	now := time.Now().Truncate(time.Minute)
	for name, c := range map[string]struct {
		of7      func(*ippm.Batch, context.CancelFunc)
		requests int // at most; 0: as many as it takes
		check    func(rejected int, err error) bool
	}{
		// The results go in 5 requests, 4 of them at once; what follows them in 20 at
		// most, as many as do not happen to wait for each other.
		"all are good": {func(*ippm.Batch, context.CancelFunc) {}, 5 + 20, func(rejected int, err error) bool { return rejected == 0 && err == nil }},
		"one is refused": {func(b *ippm.Batch, _ context.CancelFunc) { b.Results[0].Start = storetest.At(0) }, 0,
			func(rejected int, err error) bool { return rejected == 1 && err == nil }},
		"one gives up": {func(_ *ippm.Batch, cancel context.CancelFunc) { cancel() }, 0,
			func(_ int, err error) bool { return errors.Is(err, context.Canceled) }},
	} {
		t.Run(name, func(t *testing.T) {
			h := &held{open: make(chan struct{})}
			opts := newWorldOptions(t, h)
			opts.Timeout = bound // a held request must not end while the others are on their way
			s := open(t, opts)
			var working sync.WaitGroup
			defer working.Wait()
			var ended atomic.Int64
			for i := range 20 {
				batch := batchAt(fmt.Sprint("p", i+3), now)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				good := func(rejected int, err error) bool { return rejected == 0 && err == nil }
				if i == 4 { // the first that waits
					c.of7(&batch, cancel)
					good = c.check
				}
				working.Go(func() {
					defer ended.Add(1)
					if rejected, err := s.Put(ctx, batch); !good(len(rejected), err) {
						t.Errorf("%s: %v, %v", batch.Probe, rejected, err)
					}
				})
				// None comes before the one before it has its place, which none leaves for another.
				await(t, func() error {
					if held, waiting, ended := h.keep.Load(), s.Waiting(), ended.Load(); int(held+ended)+waiting != i+1 {
						return fmt.Errorf("of %d batches %d are sent, %d wait and %d ended", i+1, held, waiting, ended)
					}
					return nil
				})
			}
			close(h.open)
			working.Wait()
			if got := len(h.bodies); c.requests > 0 && got > c.requests {
				t.Errorf("%d requests, more than %d", got, c.requests)
			}
		})
	}
}

// bound is how long anything may take that is waited for.
const bound = 2 * time.Minute

// await polls until a condition gives no error.
func await(t *testing.T, condition func() error) {
	t.Helper()
	late := time.After(bound)
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for {
		err := condition()
		if err == nil {
			return
		}
		select {
		case <-late:
			t.Fatalf("not within %v: %v", bound, err)
		case <-poll.C:
		}
	}
}

func newWorldOptions(t *testing.T, through http.RoundTripper) influx.Options {
	opts := newWorldKeeping(t, influx.Retention{Raw: 24 * time.Hour}).options()
	opts.Client = &http.Client{Transport: through}
	return opts
}

func batchAt(source string, at time.Time) ippm.Batch {
	batch := storetest.NewBatch(source, 0)
	batch.Start = at
	for _, target := range []string{"p1", "p2"} {
		r := storetest.NewResult(storetest.Pair(source, target), 0, 0, 200)
		r.Start = at
		batch.Results = append(batch.Results, r)
	}
	return batch
}
