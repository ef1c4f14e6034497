package main

import (
	"errors"
	"fmt"
	"os"

	"ixpqos/infra/lab/exchange"
	"ixpqos/infra/lab/netns"
)

const (
	outside = "ixplab0" // this host's interface to the management network
	port    = ":8080"
	url     = "http://" + exchange.ServerAddress + port
)

// manage gives the exchange its management network, and this machine an
// interface to it, so that a browser reaches the server.
func manage(x *exchange.Exchange) error {
	err := errors.Join(
		x.Manage(),
		x.IP(exchange.Management, fmt.Sprintf("link add host type veth peer name %s netns %d", outside, os.Getpid()),
			"link set host master "+netns.Bridge+" up"),
		netns.Here("addr add 198.19.0.254/24 dev "+outside, "link set "+outside+" up"),
	)
	if err != nil {
		return fmt.Errorf("the management network 198.19.0.0/24: %w", err)
	}
	return nil
}

// disconnect removes this machine's interface to the management network, if
// there is one: a namespace that is removed takes its end of a link along, but
// later.
func disconnect() { _ = netns.Here("link del " + outside) }
