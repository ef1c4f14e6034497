// Command ixpqos-ingest is the probe-facing half of the API: configuration out,
// results in. It runs as a Lambda function under its runtime, otherwise as an
// HTTP server, and needs only the right to write.
package main

import (
	"context"
	"log/slog"

	"ixpqos/functions/internal/service"
	"ixpqos/internal/program"
)

var version = "dev"

type command struct {
	service.Common
	service.Collecting
	service.Influx
	Store string `env:"IXPQOS_STORE" default:"influx" help:"Where results are kept: influx, or sqlite:PATH outside of Lambda (${default})."`

	Version program.VersionFlag `help:"Print the version and end."`
}

func (c *command) Run(ctx context.Context, log *slog.Logger) error {
	return service.Service{Version: version, Common: c.Common, Collect: &c.Collecting,
		Store: service.Store{Kind: c.Store, Influx: c.Influx}}.Function(ctx, log)
}

func main() {
	program.Main("ixpqos-ingest", "Takes the results of probes and stores them.", version, &command{})
}
