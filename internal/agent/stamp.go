package agent

import (
	"context"
	"log/slog"

	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
)

type stampEngine struct {
	name  string
	board *board
	log   *slog.Logger
}

func (e *stampEngine) Run(ctx context.Context, parts <-chan inventory.Part, emit func(context.Context, ippm.Batch) error) error {
	panic("soon")
}
