package agent

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"ixpqos/infra/lab"
	"ixpqos/internal/inventory"
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

// TestNamesThatStandForLoopback: Debian gives the own host name 127.0.1.1, and
// every socket takes that, though no other host reaches it.
func TestNamesThatStandForLoopback(t *testing.T) {
	part := func(own, peer string) inventory.Part {
		return inventory.Part{Addresses: []inventory.Address{{Family: 4, Host: own}},
			Peers: []inventory.Peer{{Name: "p2", Addresses: []inventory.Address{{Family: 4, Host: peer}}}}}
	}
	for _, c := range []struct{ own, peer, want string }{
		{"localhost", "192.0.2.2", `FAIL  address IPv4   host name "localhost" stands for 127.0.0.1 here, which no other host reaches`},
		{"localhost", "127.0.0.2", "ok    address IPv4   localhost (127.0.0.1) is configured here"},
		{"127.0.0.1", "192.0.2.2", "ok    address IPv4   127.0.0.1 is configured here"},
		{"127.0.0.1", "no-such-host.invalid", `FAIL  host names     p2: host name "no-such-host.invalid" has no address`},
	} {
		var out bytes.Buffer
		(&checker{out: &out}).addresses(t.Context(), part(c.own, c.peer))
		if !strings.Contains(out.String(), c.want) {
			t.Errorf("%s beside %s: no %q in\n%s", c.own, c.peer, c.want, out.String())
		}
	}
}
