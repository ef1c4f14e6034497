package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Device is the interface of every host that leads to the switch.
const Device = "eth0"

// Host is a namespace with one link to the switch. Its commands may be made
// and run from any goroutine.
type Host struct {
	Name string

	lab       *Lab
	namespace string
	port      string // its interface on the switch
}

// Host adds a host to the lab. Addresses carry the length of their prefix, such
// as 198.18.0.1/24 or 2001:db8::1/64, and are valid at once.
func (l *Lab) Host(name string, addrs ...string) *Host {
	t := l.t
	t.Helper()
	h := &Host{Name: name, lab: l, namespace: l.prefix + name, port: fmt.Sprintf("port%d", len(l.namespaces))}
	l.namespace(t, name)
	var lines []string
	for _, addr := range addrs {
		prefix, err := netip.ParsePrefix(addr)
		if err != nil {
			t.Fatalf("lab: host %s: %v", name, err)
		}
		line := fmt.Sprintf("addr add %s dev %s", prefix, Device)
		if prefix.Addr().Is6() {
			// Duplicate address detection would hold the address back for a second.
			h.Sysctl(t, "net.ipv6.conf.default.accept_dad", "0")
			line += " nodad"
		}
		lines = append(lines, line)
	}
	run(t, "", "ip", "-n", h.namespace, "link", "add", Device, "type", "veth",
		"peer", "name", h.port, "netns", l.prefix+"switch")
	l.ip(t, name, append(lines, "link set "+Device+" up")...)
	l.ip(t, "switch", fmt.Sprintf("link set %s master %s", h.port, bridge))
	h.Up(t)
	return h
}

// Command makes a command that runs on the host. It is killed when ctx ends
// and when the test ends.
func (h *Host) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	return h.lab.command(ctx, h.namespace, name, args)
}

// NFT loads a ruleset. Rules that lose packets belong on the host that would
// receive them: in the output hook they give the sender EPERM, which is not
// loss.
func (h *Host) NFT(t testing.TB, ruleset string) {
	t.Helper()
	run(t, ruleset, "ip", "netns", "exec", h.namespace, "nft", "-f", "-")
}

// Counter reads the packets of a named counter. The table is written as nft
// does, with its family: "inet faults".
func (h *Host) Counter(t testing.TB, table, counter string) uint64 {
	t.Helper()
	args := slices.Concat([]string{"netns", "exec", h.namespace, "nft", "-j", "list", "counter"},
		strings.Fields(table), []string{counter})
	packets, err := parseCounter(run(t, "", "ip", args...))
	if err != nil {
		t.Fatalf("lab: counter %s of table %s on %s: %v", counter, table, h.Name, err)
	}
	return packets
}

// parseCounter finds the counter in the JSON of nft (libnftables-json(5)).
func parseCounter(out []byte) (uint64, error) {
	var list struct {
		NFTables []struct {
			Counter *struct {
				Packets uint64 `json:"packets"`
			} `json:"counter"`
		} `json:"nftables"`
	}
	if err := json.Unmarshal(out, &list); err != nil {
		return 0, err
	}
	for _, object := range list.NFTables {
		if object.Counter != nil {
			return object.Counter.Packets, nil
		}
	}
	return 0, fmt.Errorf("nft lists none: %s", out)
}

// Down takes the host's link down at the switch, as a pulled cable does: the
// host keeps its addresses and routes.
func (h *Host) Down(t testing.TB) {
	t.Helper()
	h.lab.ip(t, "switch", fmt.Sprintf("link set %s down", h.port))
	h.awaitLink(t, "DOWN", h.namespace, Device)
}

// Up takes the host's link up again, and returns when packets pass.
func (h *Host) Up(t testing.TB) {
	t.Helper()
	h.lab.ip(t, "switch", fmt.Sprintf("link set %s up", h.port))
	h.awaitLink(t, "UP", h.namespace, Device)
	h.awaitLink(t, "UP", h.lab.prefix+"switch", h.port)
	h.awaitLink(t, "UP", h.lab.prefix+"switch", bridge)
}

// awaitLink waits for an operational state, which follows the administrative
// one with a delay, and on the switch for the port to forward.
func (h *Host) awaitLink(t testing.TB, state, namespace, device string) {
	t.Helper()
	var links []struct {
		OperState string `json:"operstate"`
		LinkInfo  struct {
			Slave struct {
				State string `json:"state"`
			} `json:"info_slave_data"`
		} `json:"linkinfo"`
	}
	reached := await(func() bool {
		out, err := try("", "ip", "-n", namespace, "-j", "-d", "link", "show", device)
		if err != nil || json.Unmarshal(out, &links) != nil || len(links) != 1 {
			return false
		}
		port := links[0].LinkInfo.Slave.State
		return links[0].OperState == state && (port == "" || port == "forwarding")
	})
	if !reached {
		t.Fatalf("lab: %s in %s does not come to be %s: %+v", device, namespace, state, links)
	}
}

// Sysctl sets a kernel parameter of the host's network: net.ipv4.ip_forward.
func (h *Host) Sysctl(t testing.TB, key, value string) {
	t.Helper()
	run(t, value, "ip", "netns", "exec", h.namespace, "tee", "/proc/sys/"+strings.ReplaceAll(key, ".", "/"))
}
