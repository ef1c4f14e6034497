package agent

import (
	"bytes"
	"context"
	"net/netip"
	"strings"
	"testing"

	"ixpqos/infra/lab"
	"ixpqos/internal/inventory"
	"ixpqos/internal/measure/ping"
)

// TestCheckTakesAddressesByTheInterface that the tests leave by: without it a
// link-local address cannot be taken at all, nor one in a VRF.
func TestCheckTakesAddressesByTheInterface(t *testing.T) {
	h := lab.New(t).Host("p1", "fe80::1/64", "198.18.0.1/24")
	check := func(ip, netif string) (err error) {
		h.Enter(t, func() error {
			err = checkLocal(netip.MustParseAddr(ip), netif)
			return nil
		})
		return err
	}
	for _, ip := range []string{"fe80::1", "198.18.0.1"} {
		if err := check(ip, "eth0"); err != nil {
			t.Errorf("%s by eth0: %v", ip, err)
		}
		if err := check(ip, "eth9"); err == nil || !strings.Contains(err.Error(), `no interface "eth9"`) {
			t.Errorf("%s by an interface that is not there: %v", ip, err)
		}
	}
	if err := check("198.18.0.2", "eth0"); err == nil || !strings.Contains(err.Error(), "198.18.0.2 cannot be used here") {
		t.Errorf("another's address: %v", err)
	}
}

// TestCheckReflectsByTheInterface: the reflector's port is tried as it is opened.
func TestCheckReflectsByTheInterface(t *testing.T) {
	h := lab.New(t).Host("p1", "fe80::1/64", "198.18.0.1/24")
	var out bytes.Buffer
	h.Enter(t, func() error {
		(&checker{out: &out}).reflector(inventory.Part{Interface: "eth0", ReflectorPort: 862,
			Addresses: []inventory.Address{{Family: 6, Host: "fe80::1"}}})
		return nil
	})
	if !strings.HasPrefix(out.String(), "ok ") {
		t.Error(out.String())
	}
}

// TestNamesStandForWhatTheTestsTakeThemFor: localhost means this host by intent,
// and every other name must not.
func TestNamesStandForWhatTheTestsTakeThemFor(t *testing.T) {
	part := func(own, peer string) inventory.Part {
		return inventory.Part{Addresses: []inventory.Address{{Family: 4, Host: own}},
			Peers: []inventory.Peer{{Name: "p2", Addresses: []inventory.Address{{Family: 4, Host: peer}}}}}
	}
	for _, c := range []struct{ own, peer, want string }{
		{"localhost", "192.0.2.2", "ok    address IPv4   localhost (127.0.0.1) is configured here"},
		{"localhost", "127.0.0.2", "ok    address IPv4   localhost (127.0.0.1) is configured here"},
		{"127.0.0.1", "192.0.2.2", "ok    address IPv4   127.0.0.1 is configured here"},
		{"127.0.0.1", "no-such-host.invalid", `FAIL  host names     p2: "no-such-host.invalid" has no IPv4 address`},
	} {
		var out bytes.Buffer
		(&checker{out: &out}).addresses(t.Context(), part(c.own, c.peer))
		if !strings.Contains(out.String(), c.want) {
			t.Errorf("%s beside %s: no %q in\n%s", c.own, c.peer, c.want, out.String())
		}
	}
}

// TestCheckGoesByTheNamesOfPings: Debian gives the own host name 127.0.1.1, and
// every socket takes that, though no other host reaches it.
func TestCheckGoesByTheNamesOfPings(t *testing.T) {
	hosts := map[string][]string{"self": {"127.0.1.1"}, "localhost.": {"127.0.0.1"}, "many": {"255.255.255.255"}, "mixed": {"127.0.0.1", "198.18.0.8"}, "two": {"198.18.0.8", "198.18.0.9"}}
	look := func(_ context.Context, _, host string) (ips []netip.Addr, err error) {
		for _, ip := range hosts[host] {
			ips = append(ips, netip.MustParseAddr(ip))
		}
		return ips, nil
	}
	for _, c := range []struct{ own, peer, want string }{
		{"self", "192.0.2.2", `FAIL  address IPv4   the own name "self" resolves to 127.0.1.1 (see /etc/hosts), so the kernel chooses the own address: put the address into the inventory`},
		{"localhost.", "192.0.2.2", "ok    address IPv4   localhost. (127.0.0.1) is configured here"},
		{"192.0.2.1", "localhost.", "ok    host names     all 1 of the others have an address\n"},
		{"192.0.2.1", "self", `FAIL  host names     p2: "self" resolves to 127.0.1.1, which is a loopback address`},
		{"127.0.0.1", "self", "ok    host names     all 1 of the others have an address\n"},
		{"192.0.2.1", "many", `FAIL  host names     p2: "many" resolves to 255.255.255.255, which is that of many hosts`},
		{"192.0.2.1", "mixed", "ok    host names     all 1 of the others have an address\n"},
		{"192.0.2.1", "two", `ok    host names     all 1 of the others have an address; "two" has 2 addresses, and 198.18.0.8 is used`},
	} {
		var out bytes.Buffer
		(&checker{out: &out, names: ping.Names{Look: look}}).addresses(t.Context(), inventory.Part{Addresses: []inventory.Address{{Family: 4, Host: c.own}},
			Peers: []inventory.Peer{{Name: "p2", Addresses: []inventory.Address{{Family: 4, Host: c.peer}}}}})
		if !strings.Contains(out.String(), c.want) {
			t.Errorf("%s beside %s: no %q in\n%s", c.own, c.peer, c.want, out.String())
		}
	}
}
