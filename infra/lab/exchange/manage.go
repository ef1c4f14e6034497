package exchange

import (
	"fmt"
	"net/netip"

	"ixpqos/infra/lab/netns"
)

// The management network beside an exchange: its switch, and the host on it that
// is no probe, with its address.
const (
	Management    = "mgmt"
	Server        = "server"
	ServerAddress = "198.19.0.1" // RFC 2544
)

// Manage gives the exchange a management network with a server's host and all
// probes on it, so that what probes deliver does not cross what they measure.
func (x *Exchange) Manage() error {
	if err := x.AddSwitch(Management); err != nil {
		return err
	}
	if err := x.AddHost(ServerHost()); err != nil {
		return err
	}
	for i, p := range x.Probes {
		err := x.IP(p.Name, fmt.Sprintf("link add %s type veth peer name %s netns %s", Management, p.Name, x.Namespace(Management)),
			fmt.Sprintf("addr add 198.19.0.%d/24 dev %s", 10+i, Management), "link set "+Management+" up")
		if err != nil {
			return err
		}
		if err := x.IP(Management, fmt.Sprintf("link set %s master %s up", p.Name, netns.Bridge)); err != nil {
			return err
		}
	}
	return nil
}

// ServerHost is how the server is plugged in.
func ServerHost() netns.Host {
	return netns.Host{Name: Server, Switch: Management, Port: Server,
		Addresses: []netip.Prefix{netip.MustParsePrefix(ServerAddress + "/24")}}
}
