package agent

import (
	"context"
	"log/slog"

	"github.com/jonboulle/clockwork"
	"golang.org/x/sync/errgroup"

	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
	"ixpqos/internal/measure/ping"
)

// emitter is where the results of an interval go.
type emitter func(context.Context, ippm.Batch) error

// An engine runs the tests of the kinds that it knows, by the newest part that
// came, until the context ends; that is no error.
type engine interface {
	Run(ctx context.Context, parts <-chan inventory.Part, emit func(context.Context, ippm.Batch) error) error
}

// engines are all that a probe measures with.
type engines []engine

func newEngines(name string, board *board, log *slog.Logger) engines {
	return engines{
		&ping.Engine{Clock: clockwork.NewRealClock(), Log: log, Trouble: board.set, Missed: board.missedOne},
		&stampEngine{name: name, board: board, log: log},
	}
}

// run hands every part to every engine. It ends when all have.
func (e engines) run(ctx context.Context, parts <-chan inventory.Part, emit emitter) error {
	group, ctx := errgroup.WithContext(ctx)
	var each []chan inventory.Part
	for _, engine := range e {
		own := make(chan inventory.Part)
		each = append(each, own)
		group.Go(func() error { return engine.Run(ctx, own, emit) })
	}
	for {
		select {
		case <-ctx.Done():
			return group.Wait()
		case part := <-parts:
			for _, own := range each {
				offer(ctx, own, part)
			}
		}
	}
}
