package sender

import (
	"context"
	"errors"
	"time"

	"ixpqos/internal/inventory"
)

// Run applies the parts that come, and ticks, until the context ends; that is no
// error. It sends nothing more then, gives what it has measured, which takes
// LossThreshold and a few ticks at most, and returns. Emit holds up the next tick
// for as long as it takes.
func (s *Sender) Run(ctx context.Context, parts <-chan inventory.Part, emit func(Interval)) (err error) {
	defer func() { err = errors.Join(err, s.Close()) }()
	began := time.Now()
	now := func() Moment {
		t := time.Now()
		return Moment{Wall: t.UnixNano(), Since: t.Sub(began)}
	}
	timer := time.NewTimer(s.Wait(now()))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			s.finish(now, emit)
			return nil
		case part := <-parts:
			s.Apply(part)
			timer.Reset(s.Wait(now())) // it may have been idle
		case <-timer.C:
			s.Tick(now(), emit)
			timer.Reset(s.Wait(now()))
		}
	}
}

// finish gives what can be settled yet.
func (s *Sender) finish(now func() Moment, emit func(Interval)) {
	ticker := time.NewTicker(Tick)
	defer ticker.Stop()
	for s.Stop(); !s.Ended(); <-ticker.C {
		s.Tick(now(), emit)
	}
}
