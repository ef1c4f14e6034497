package main

import (
	"context"
	"log/slog"
	"time"

	"ixpqos/functions/internal/service"
)

type serveCommand struct {
	service.Common
	service.Collecting
	service.Showing
	service.Influx
	Store     string        `env:"IXPQOS_STORE" default:"sqlite:/var/lib/ixpqos-server/ixpqos.db" help:"Where results are kept: sqlite:PATH or influx (${default})."`
	Retention time.Duration `env:"IXPQOS_RETENTION" default:"336h" help:"How long results are kept in SQLite, 0 for ever, and their flows at most 48 h; InfluxDB has its own (${default})."`
}

func (c *serveCommand) Run(ctx context.Context, log *slog.Logger) error {
	return service.Service{Version: version, Common: c.Common, Collect: &c.Collecting, Show: &c.Showing,
		Store: service.Store{Kind: c.Store, Influx: c.Influx}, Retention: c.Retention}.Serve(ctx, log)
}
