package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"ixpqos/internal/deliver"
	"ixpqos/internal/inventory"
	"ixpqos/internal/measure/ping"
	"ixpqos/internal/measure/sender"
	"ixpqos/internal/measure/timestamp"
)

// checker prints one line per thing looked at.
type checker struct {
	out   io.Writer
	bad   bool
	names ping.Names
}

func (c *checker) say(what string, err error, fine string) {
	if err != nil {
		c.bad = true
		fmt.Fprintf(c.out, "FAIL  %-14s %v\n", what, err)
		return
	}
	fmt.Fprintf(c.out, "ok    %-14s %s\n", what, fine)
}

// Check looks at everything that a probe needs and says line by line what is
// fine and what is not. Fine is false where something is not.
func Check(ctx context.Context, s Settings, out io.Writer, log *slog.Logger) (fine bool) {
	c := &checker{out: out}
	privileged, err := ping.Privileged()
	c.say("ICMP sockets", err, map[bool]string{true: "raw sockets (CAP_NET_RAW)", false: "unprivileged datagram sockets"}[privileged])
	c.say("clock", checkClock(), "synchronised")
	part, known := c.server(ctx, s, log)
	if s.InventoryFile == "" {
		c.state(s.State)
	}
	if !known {
		return !c.bad
	}
	c.addresses(ctx, part)
	c.say("ARP settings", checkARP(part.Addresses), "an address is only answered for on its own interface")
	for _, t := range part.Tests {
		c.say("test "+t.Name, checkTest(part, t), planOf(part, t))
	}
	if len(expectations(part)) > 0 {
		c.reflector(part)
	}
	return !c.bad
}

// server looks at key and API, or at the inventory file in their place, and
// gives the configuration that the rest is checked against.
func (c *checker) server(ctx context.Context, s Settings, log *slog.Logger) (part inventory.Part, known bool) {
	if s.InventoryFile != "" {
		inv, err := inventory.Load(s.InventoryFile)
		if err == nil {
			part, err = partOf(inv, s)
		}
		c.say("inventory", err, s.InventoryFile)
		return part, err == nil
	}
	if _, err := deliver.ReadKey(s.KeyFile); err != nil {
		c.say("key file", err, "")
		return part, false
	}
	api, err := newAPI(s, log)
	if err == nil {
		err = api.healthy(ctx)
	}
	c.say("API", err, s.Server+" answers")
	if err == nil {
		var body []byte
		if _, _, body, err = api.config(ctx, ""); err == nil {
			part, _, err = readConfig(body)
		}
		c.say("configuration", err, fmt.Sprintf("the key is accepted as %s's; inventory %s", part.Probe, part.Inventory))
		return part, err == nil
	}
	kept, err := loadConfig(s.configFile())
	if err != nil {
		return part, false
	}
	part, _, err = readConfig(kept.Config)
	c.say("last good one", err, s.configFile()+": the probe measures by it meanwhile")
	return part, err == nil
}

func checkTest(part inventory.Part, t inventory.Test) error {
	pairs := len(part.Pairs(t))
	switch t.Kind {
	case inventory.KindICMP:
		return ping.Fits(t, pairs)
	case inventory.KindSTAMP:
		return errors.Join(sender.Check(t, pairs), sender.CheckBuffers(t, pairs), checkMTU(part, t))
	}
	return fmt.Errorf("its kind %q is not known to this probe: update the probe", t.Kind)
}

// checkMTU tells whether what may not be fragmented leaves this host at all.
func checkMTU(part inventory.Part, t inventory.Test) error {
	if !t.DontFragment || len(part.Pairs(t)) == 0 {
		return nil
	}
	interfaces, err := net.Interfaces()
	if err != nil {
		return fmt.Errorf("list the interfaces: %w", err)
	}
	for _, i := range interfaces {
		if i.MTU < t.Size && has(i, part.Addresses) {
			return fmt.Errorf("its packets of %d bytes may not be fragmented, but the MTU of %s is %d: lower size, or leave df away", t.Size, i.Name, i.MTU)
		}
	}
	return nil
}

// planOf says what a test comes to.
func planOf(part inventory.Part, t inventory.Test) string {
	pairs := len(part.Pairs(t))
	if pairs == 0 {
		return "nothing to measure by it from here"
	}
	if t.Kind == inventory.KindSTAMP {
		return fmt.Sprintf("%d pairs, %d flows to each from UDP port %d on, %.0f packets a second", pairs, t.Flows, t.Port, t.PacketRate(pairs))
	}
	return fmt.Sprintf("%d pairs, a round takes at most %v", pairs, t.RoundTime(pairs))
}

// reflector looks at the ports that other probes measure to. One that is taken
// may be so by the probe that runs here.
func (c *checker) reflector(part inventory.Part) {
	for _, address := range ips(part.Addresses) {
		at := netip.AddrPortFrom(address, part.ReflectorPort)
		socket, err := timestamp.Open(timestamp.Options{Local: at, Interface: part.Interface, Batch: 1, MaxPacket: 1})
		if errors.Is(err, unix.EADDRINUSE) {
			c.say("reflector", nil, fmt.Sprintf("%s is in use: by the probe that runs here, or see ss -lunp", at))
			continue
		}
		c.say("reflector", err, fmt.Sprintf("%s can be listened on", at))
		if err == nil {
			_ = socket.Close()
		}
	}
}

// state tells whether the folder can be written or, where it is not there yet,
// made. It makes nothing itself.
func (c *checker) state(dir string) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		c.say("state folder", checkParent(dir), dir+" is not there yet: run makes it")
		return
	}
	c.say("state folder", checkState(dir), dir+" can be written")
}

func checkState(dir string) error {
	f, err := os.CreateTemp(dir, "check-*")
	if err != nil {
		return fmt.Errorf("it cannot be written (%w): give it to this user", err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// checkParent looks at the folder that a missing one would be made in.
func checkParent(dir string) error {
	parent := filepath.Dir(dir)
	if _, err := os.Stat(parent); errors.Is(err, fs.ErrNotExist) && parent != dir {
		return checkParent(parent)
	}
	if err := unix.Access(parent, unix.W_OK); err != nil {
		return fmt.Errorf("it is not there, and cannot be made in %s (%w): create it and give it to this user", parent, err)
	}
	return nil
}

// checkClock asks the kernel whether something keeps its clock.
func checkClock() error {
	synchronized, _, err := timestamp.Clock()
	if err != nil {
		return err
	}
	if !synchronized {
		return errors.New("the kernel says that nothing synchronises the clock: run chrony or another NTP client (in a container: on its host)")
	}
	return nil
}

// checkARP looks for what makes Linux answer ARP for one interface's address on
// another (kernel documentation, ip-sysctl: arp_ignore, arp_announce). It
// matters only where the probe's interface is not the only one.
func checkARP(addresses []inventory.Address) error {
	interfaces, err := net.Interfaces()
	if err != nil {
		return fmt.Errorf("list the interfaces: %w", err)
	}
	own, others := "", 0
	for _, i := range interfaces {
		if i.Flags&net.FlagLoopback != 0 || i.Flags&net.FlagUp == 0 {
			continue
		}
		if has(i, addresses) {
			own = i.Name
		} else if hasIPv4(i) {
			others++
		}
	}
	if own == "" || others == 0 {
		return nil
	}
	var wrong []string
	for _, want := range []struct {
		name string
		from int
	}{{"arp_ignore", 1}, {"arp_announce", 2}} {
		if max(sysctl("all", want.name), sysctl(own, want.name)) < want.from {
			wrong = append(wrong, fmt.Sprintf("net.ipv4.conf.%s.%s=%d", own, want.name, want.from))
		}
	}
	if wrong != nil {
		return fmt.Errorf("this host has %d other interfaces, and may answer ARP for them on %s: set %s by sysctl", others, own, strings.Join(wrong, " "))
	}
	return nil
}

func has(i net.Interface, addresses []inventory.Address) bool {
	for _, local := range ipsOf(i) {
		for _, a := range addresses {
			if ip, ok := a.IP(); ok && local.Equal(ip.AsSlice()) {
				return true
			}
		}
	}
	return false
}

func hasIPv4(i net.Interface) bool {
	for _, ip := range ipsOf(i) {
		if ip.To4() != nil {
			return true
		}
	}
	return false
}

func ipsOf(i net.Interface) []net.IP {
	addrs, err := i.Addrs()
	if err != nil {
		return nil
	}
	var ips []net.IP
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok {
			ips = append(ips, n.IP)
		}
	}
	return ips
}

func sysctl(iface, name string) int {
	text, err := os.ReadFile(filepath.Join("/proc/sys/net/ipv4/conf", iface, name))
	if err != nil {
		return 0
	}
	var value int
	fmt.Sscan(string(text), &value)
	return value
}
