package ping

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
)

// must runs a command on the near host.
func (h hosts) must(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := h.near.Command(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
}

// await waits until a counter of the far host has reached a number.
func (h hosts) await(t *testing.T, table, counter string, n uint64) {
	t.Helper()
	for began := time.Now(); h.far.Counter(t, table, counter) < n; {
		if time.Since(began) > time.Minute {
			t.Fatalf("%s never reached %d", counter, n)
		}
	}
}

// TestDatagramSockets is a round without CAP_NET_RAW's sockets: every reply has
// the kernel's time there too, else the error would tell.
func TestDatagramSockets(t *testing.T) {
	h := newHosts(t)
	h.near.Sysctl(t, "net.ipv4.ping_group_range", "0 2147483647")
	for i, p := range in(t, h.near, short(20), append(pairs(near4, far4), pairs(near6, far6)...)) {
		if p.Counts != (ippm.Counts{Sent: 20, Received: 20}) || p.Samples != 20 || !p.First || p.Err != "" {
			t.Errorf("pair %d: %+v", i, p)
		}
	}
}

// TestAReplyFromElsewhereIsNotTheTargets: the far host answers from an address
// that was not asked.
func TestAReplyFromElsewhereIsNotTheTargets(t *testing.T) {
	for _, datagram := range []bool{false, true} {
		h := newHosts(t)
		if datagram {
			h.near.Sysctl(t, "net.ipv4.ping_group_range", "0 2147483647")
		}
		h.far.NFT(t, `table ip elsewhere {
			chain out { type filter hook output priority 0; icmp type echo-reply ip saddr set 198.18.0.77; }
		}`)
		got := in(t, h.near, short(5), pairs(near4, far4))[0]
		if got.Counts != (ippm.Counts{Sent: 5, Unplaced: 5}) || got.First || got.Samples != 0 {
			t.Errorf("datagram %v: %+v; want five lost", datagram, got)
		}
		if !strings.Contains(got.Err, "5 replies came from 198.18.0.77, which was not asked") {
			t.Errorf("datagram %v: error %q", datagram, got.Err)
		}
	}
}

// TestPingsLeaveByTheirInterface: the routes of the host lead elsewhere.
func TestPingsLeaveByTheirInterface(t *testing.T) {
	h := newHosts(t)
	h.must(t, "ip", "link", "add", "wrong", "type", "veth", "peer", "name", "nowhere")
	h.must(t, "ip", "link", "set", "wrong", "up")
	h.must(t, "ip", "route", "add", far4+"/32", "dev", "wrong")
	device := device(t, h)
	for name, c := range map[string]struct {
		iface string
		pairs []inventory.Pair
		want  ippm.Counts
	}{
		"by the routes":                {"", pairs(near4, far4), ippm.Counts{Sent: 5, Unplaced: 5}},
		"by the interface":             {device, pairs(near4, far4), ippm.Counts{Sent: 5, Received: 5}},
		"by the interface, IPv6":       {device, pairs(near6, far6), ippm.Counts{Sent: 5, Received: 5}},
		"link-local":                   {device, pairs("", h.linkLocal(t)), ippm.Counts{Sent: 5, Received: 5}},
		"link-local with a zone":       {"", pairs("", h.linkLocal(t)+"%"+device), ippm.Counts{Sent: 5, Received: 5}},
		"an interface that is no more": {"gone0", pairs(near4, far4), ippm.Counts{Refused: 5}},
	} {
		t.Run(name, func(t *testing.T) {
			_, wait := launchRound(t, h.near, Round{Source: "near", Test: short(5), Pairs: c.pairs, Interface: c.iface})
			got := wait()[0]
			if got.Counts != c.want || got.First != (c.want.Received > 0) {
				t.Errorf("%+v; want %+v", got, c.want)
			}
			if c.iface == "gone0" && !strings.Contains(got.Err, `"gone0"`) {
				t.Errorf("error %q", got.Err)
			}
		})
	}
}

// TestWhatIsOnItsWayAtTheEndIsSettled: nothing is answered, and the end comes
// in the middle of the round. All that left is counted, and nothing leaves after.
func TestWhatIsOnItsWayAtTheEndIsSettled(t *testing.T) {
	h := newHosts(t)
	h.far.NFT(t, `table inet seen {
		counter some {}
		chain in { type filter hook input priority 0; icmp type echo-request counter name some drop; }
	}`)
	command, wait := launchRound(t, h.near, Round{Source: "near", Test: short(5000), Pairs: pairs(near4, far4)})
	h.await(t, "inet seen", "some", 5)
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	got := wait()[0]
	arrived := int(h.far.Counter(t, "inet seen", "some")) - 1 // the first is not counted
	if got.Sent != arrived || got.Unplaced != arrived || got.Refused != 0 {
		t.Errorf("%d pings arrived, but the counts are %+v", arrived, got.Counts)
	}
}

// TestALimitOnRepliesIsTold loses every third ping at the target.
func TestALimitOnRepliesIsTold(t *testing.T) {
	h := newHosts(t)
	h.far.NFT(t, `table inet limiting {
		chain in { type filter hook input priority 0; icmp type echo-request numgen inc mod 3 == 1 drop; }
	}`)
	got := in(t, h.near, short(30), pairs(near4, far4))[0]
	if got.Unplaced != 10 || !strings.Contains(got.Err, "leaves every third ping unanswered") {
		t.Errorf("%+v", got)
	}
}

// device is the name of the near host's interface.
func device(t *testing.T, h hosts) string {
	t.Helper()
	return strings.Fields(h.output(t, "ip", "-o", "-4", "addr", "show", "scope", "global"))[1]
}

func (h hosts) output(t *testing.T, name string, args ...string) string {
	t.Helper()
	command := h.near.Command(t.Context(), name, args...)
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%s %v: %v", name, args, err)
	}
	return string(out)
}

// linkLocal gives the far host an address that only an interface makes unique.
func (h hosts) linkLocal(t *testing.T) string {
	t.Helper()
	const address = "fe80::77"
	out, err := h.far.Command(t.Context(), "ip", "addr", "replace", address+"/64", "dev", device(t, h), "nodad").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return address
}
