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
	service.Store

	Version program.VersionFlag `help:"Print the version and end."`
}

func (c *command) Run(ctx context.Context, log *slog.Logger) error {
	return service.Service{Version: version, Common: c.Common, Collect: &c.Collecting, Store: c.Store}.Function(ctx, log)
}

func main() {
	program.Main("ixpqos-ingest", "Takes the results of probes and stores them.", version, &command{})
}
