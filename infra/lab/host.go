package lab

import (
	"context"
	"fmt"
	"net/netip"
	"os/exec"
	"testing"

	"ixpqos/infra/lab/netns"
)

// Device is the interface of every host that leads to the switch.
const Device = netns.Device

// Host is a namespace with one link to the switch. Its commands may be made
// and run from any goroutine.
type Host struct {
	Name string

	network *netns.Network
	link    netns.Host
}

// Host adds a host to the lab. Addresses carry the length of their prefix, such
// as 198.18.0.1/24 or 2001:db8::1/64, and are valid at once.
func (l *Lab) Host(name string, addrs ...string) *Host {
	t := l.t
	t.Helper()
	link := netns.Host{Name: name, Switch: "switch", Port: fmt.Sprintf("port%d", l.ports)}
	l.ports++
	for _, addr := range addrs {
		prefix, err := netip.ParsePrefix(addr)
		if err != nil {
			t.Fatalf("lab: host %s: %v", name, err)
		}
		link.Addresses = append(link.Addresses, prefix)
	}
	must(t, l.network.AddHost(link))
	return &Host{Name: name, network: l.network, link: link}
}

// Command makes a command that runs on the host. It is killed when ctx ends
// and when the test ends.
func (h *Host) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	return h.network.Command(ctx, h.Name, name, args...)
}

// NFT loads a ruleset. Rules that lose packets belong on the host that would
// receive them: in the output hook they give the sender EPERM, which is not
// loss.
func (h *Host) NFT(t testing.TB, ruleset string) {
	t.Helper()
	must(t, h.network.NFT(h.Name, ruleset))
}

// Counter reads the packets of a named counter. The table is written as nft
// does, with its family: "inet faults".
func (h *Host) Counter(t testing.TB, table, counter string) uint64 {
	t.Helper()
	counters, err := h.network.Counters(h.Name)
	must(t, err)
	for _, c := range counters {
		if c.Family+" "+c.Table == table && c.Name == counter {
			return c.Packets
		}
	}
	t.Fatalf("lab: nft lists no counter %s of table %s on %s", counter, table, h.Name)
	return 0
}

// Down takes the host's link down at the switch, as a pulled cable does: the
// host keeps its addresses and routes.
func (h *Host) Down(t testing.TB) {
	t.Helper()
	must(t, h.network.Unplug(h.link))
}

// Up takes the host's link up again, and returns when packets pass.
func (h *Host) Up(t testing.TB) {
	t.Helper()
	must(t, h.network.Plug(h.link))
}

// Sysctl sets a kernel parameter of the host's network: net.ipv4.ip_forward.
func (h *Host) Sysctl(t testing.TB, key, value string) {
	t.Helper()
	must(t, h.network.Sysctl(h.Name, key, value))
}
