package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"ixpqos/infra/lab/exchange"
	"ixpqos/infra/lab/netns"
)

const (
	management = "mgmt"    // the switch of the management network
	outside    = "ixplab0" // this host's interface to it
	server     = "198.19.0.1"
	port       = ":8080"
	url        = "http://" + server + port
)

// manage gives the exchange a server's host and a management network, so that
// what probes deliver does not cross what they measure, and a browser on this
// machine reaches the server.
func manage(x *exchange.Exchange) error {
	err := errors.Join(
		x.AddSwitch(management),
		x.AddHost(netns.Host{Name: "server", Switch: management, Port: "server",
			Addresses: []netip.Prefix{netip.MustParsePrefix(server + "/24")}}),
		x.IP(management, fmt.Sprintf("link add host type veth peer name %s netns %d", outside, os.Getpid()),
			"link set host master "+netns.Bridge+" up"),
		netns.Here("addr add 198.19.0.254/24 dev "+outside, "link set "+outside+" up"),
	)
	for i, p := range x.Probes {
		err = errors.Join(err,
			x.IP(p.Name, fmt.Sprintf("link add mgmt type veth peer name %s netns %s", p.Name, x.Namespace(management)),
				fmt.Sprintf("addr add 198.19.0.%d/24 dev mgmt", 10+i), "link set mgmt up"),
			x.IP(management, fmt.Sprintf("link set %s master %s up", p.Name, netns.Bridge)),
		)
	}
	if err != nil {
		return fmt.Errorf("the management network 198.19.0.0/24: %w", err)
	}
	return nil
}

// disconnect removes this machine's interface to the management network, if
// there is one: a namespace that is removed takes its end of a link along, but
// later.
func disconnect() { _ = netns.Here("link del " + outside) }
