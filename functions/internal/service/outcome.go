package service

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
)

// failureCounts is how long a batch that could not be written speaks against the
// store: who takes this process out of service sends it no batch that clears it.
const failureCounts = time.Minute

// outcome remembers what became of the newest batch. A store that is asked whether
// it is ready may take a question well and no batch, such as an InfluxDB on a full disk.
type outcome struct {
	store.Writer
	now    func() time.Time
	failed atomic.Pointer[failure]
}

type failure struct {
	at  time.Time
	err error
}

func (o *outcome) Put(ctx context.Context, batch ippm.Batch) ([]store.Rejected, error) {
	rejected, err := o.Writer.Put(ctx, batch)
	o.note(err)
	return rejected, err
}

// PutPings counts as much: the first version's clients send nothing else.
func (o *outcome) PutPings(ctx context.Context, pings []store.Ping) ([]store.RefusedPing, error) {
	refused, err := o.Writer.PutPings(ctx, pings)
	if len(pings) > 0 { // else nothing was tried
		o.note(err)
	}
	return refused, err
}

func (o *outcome) note(err error) {
	switch {
	case err == nil:
		o.failed.Store(nil)
	case errors.Is(err, store.ErrUnavailable):
		o.failed.Store(&failure{o.now(), err})
	}
}

// last is why the newest batch was not written, if that was of late.
func (o *outcome) last() error {
	if f := o.failed.Load(); f != nil && o.now().Sub(f.at).Abs() < failureCounts {
		return f.err
	}
	return nil
}
