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
	service.Store

	Version program.VersionFlag `help:"Print the version and end."`
}

func (c *command) Run(ctx context.Context, log *slog.Logger) error {
	return service.Service{Version: version, Common: c.Common, Show: &c.Showing, Store: c.Store}.Function(ctx, log)
}

func main() {
	program.Main("ixpqos-query", "Shows what probes measured.", version, &command{})
}
