package netns

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
)

const (
	// Device is the interface of every host that leads to its switch.
	Device = "eth0"
	// Bridge is the device of a switch's namespace that its ports are joined to.
	Bridge = "switch0"
)

// Host is a namespace with one link to a switch.
type Host struct {
	Name         string
	Switch, Port string           // namespace of the switch, and the host's interface there
	MAC          net.HardwareAddr // the kernel's choice where there is none
	Addresses    []netip.Prefix   // with the length of their prefix
}

// AddSwitch adds a namespace that is a switch without ports.
func (n *Network) AddSwitch(name string) error {
	if err := n.Add(name); err != nil {
		return err
	}
	return n.IP(name,
		// With snooping a bridge may hold back neighbour discovery.
		"link add "+Bridge+" type bridge stp_state 0 mcast_snooping 0",
		"link set "+Bridge+" up",
	)
}

// AddHost adds a host to a switch, and returns when packets pass and its
// addresses are valid.
func (n *Network) AddHost(h Host) error {
	if err := n.Add(h.Name); err != nil {
		return err
	}
	// Duplicate address detection would hold addresses back for a second.
	if err := n.Sysctl(h.Name, "net.ipv6.conf.default.accept_dad", "0"); err != nil {
		return err
	}
	address := ""
	if h.MAC != nil {
		address = "address " + h.MAC.String()
	}
	lines := []string{fmt.Sprintf("link add %s %s type veth peer name %s netns %s", Device, address, h.Port, n.Namespace(h.Switch))}
	for _, addr := range h.Addresses {
		line := fmt.Sprintf("addr add %s dev %s", addr, Device)
		if addr.Addr().Is6() {
			line += " nodad"
		}
		lines = append(lines, line)
	}
	if err := n.IP(h.Name, append(lines, "link set "+Device+" up")...); err != nil {
		return err
	}
	if err := n.IP(h.Switch, fmt.Sprintf("link set %s master %s", h.Port, Bridge)); err != nil {
		return err
	}
	return n.Plug(h)
}

// Unplug takes the host's link down at the switch, as a pulled cable does: the
// host keeps its addresses and routes.
func (n *Network) Unplug(h Host) error {
	if err := n.IP(h.Switch, fmt.Sprintf("link set %s down", h.Port)); err != nil {
		return err
	}
	return n.AwaitLink(h.Name, Device, "DOWN")
}

// Plug takes the host's link up, and returns when packets pass.
func (n *Network) Plug(h Host) error {
	if err := n.IP(h.Switch, fmt.Sprintf("link set %s up", h.Port)); err != nil {
		return err
	}
	return errors.Join(
		n.AwaitLink(h.Name, Device, "UP"),
		n.AwaitLink(h.Switch, h.Port, "UP"),
		n.AwaitLink(h.Switch, Bridge, "UP"),
	)
}
