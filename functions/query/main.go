// Command ixpqos-query is the viewer-facing half of the API and the page. It runs
// as a Lambda function under its runtime, otherwise as an HTTP server, and needs
// only the right to read.
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
	service.Showing
	service.Influx
	Store string `env:"IXPQOS_STORE" default:"influx" help:"Where results are kept: influx, or sqlite:PATH outside of Lambda (${default})."`

	Version program.VersionFlag `help:"Print the version and end."`
}

func (c *command) Run(ctx context.Context, log *slog.Logger) error {
	return service.Service{Version: version, Common: c.Common, Show: &c.Showing,
		Store: service.Store{Kind: c.Store, Influx: c.Influx}}.Function(ctx, log)
}

func main() {
	program.Main("ixpqos-query", "Shows what probes measured.", version, &command{})
}
