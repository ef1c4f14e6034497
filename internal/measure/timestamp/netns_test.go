package timestamp_test

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"ixpqos/infra/lab"
	"ixpqos/internal/measure/timestamp"
)

const (
	near4, far4, nobody4 = "198.18.0.1", "198.18.0.2", "198.18.0.9"
	near6, far6, nobody6 = "2001:db8::1", "2001:db8::2", "2001:db8::9"
)

type hosts struct{ near, far *lab.Host }

func newHosts(t *testing.T) hosts {
	t.Helper()
	l := lab.New(t)
	return hosts{
		near: l.Host("near", near4+"/24", near6+"/64"),
		far:  l.Host("far", far4+"/24", far6+"/64"),
	}
}

func on(t *testing.T, h *lab.Host, o timestamp.Options) (s *timestamp.Socket) {
	t.Helper()
	h.Enter(t, func() (err error) {
		s, err = timestamp.Open(o)
		return err
	})
	t.Cleanup(func() { s.Close() })
	return s
}

// acrossEveryWay runs a test between two hosts as everyWay does on loopback.
func acrossEveryWay(t *testing.T, h hosts, test func(t *testing.T, near, far timestamp.Options)) {
	for _, way := range []struct{ name, near, far string }{{"IPv4", near4, far4}, {"IPv6", near6, far6}} {
		near, far := options(way.near), options(way.far)
		t.Run(way.name+"/by ID", func(t *testing.T) { test(t, near, far) })
		t.Run(way.name+"/by payload", func(t *testing.T) { test(t, near.ByPayload(), far.ByPayload()) })
	}
}

func TestBetweenHosts(t *testing.T) {
	h := newHosts(t)
	acrossEveryWay(t, h, func(t *testing.T, n, f timestamp.Options) {
		n.Interface = lab.Device
		near, far := on(t, h.near, n), on(t, h.far, f)
		warm(t, near, far)
		for first := uint32(1); first < 200; first += 50 {
			rally(t, near, far, first, 50)
		}
	})
}

func TestWhatAFirewallARouteOrTheMTURefuses(t *testing.T) {
	h := newHosts(t)
	h.near.NFT(t, `table inet firewall {
		chain out { type filter hook output priority 0; udp dport 7 drop; }
	}`)
	acrossEveryWay(t, h, func(t *testing.T, n, f timestamp.Options) {
		n.DontFragment = true
		near, far := on(t, h.near, n), on(t, h.far, f)
		warm(t, near, far)
		long := packet(3, far.Local())
		long.Payload = make([]byte, 1480)
		away := netip.MustParseAddrPort("203.0.113.1:9")
		if far.Local().Addr().Is6() {
			away = netip.MustParseAddrPort("[2001:db8:1::1]:9")
		}
		packets := []timestamp.Outgoing{
			packet(0, far.Local()),
			packet(1, netip.AddrPortFrom(far.Local().Addr(), 7)),
			packet(2, far.Local()),
			long,
			packet(4, far.Local()),
			packet(5, away),
			packet(6, far.Local()),
		}
		near.Send(packets)
		for i, want := range []error{nil, unix.EPERM, nil, unix.EMSGSIZE, nil, unix.ENETUNREACH, nil} {
			if !errors.Is(packets[i].Err, want) {
				t.Errorf("packet %d: %v; want %v", i, packets[i].Err, want)
			}
		}
		want := []uint32{0, 2, 4, 6}
		if got := sentIDs(t, await(t, near, 4)); !slices.Equal(got, want) {
			t.Errorf("stamps of %v; want %v", got, want)
		}
		if got := receivedIDs(receive(t, far, 4)); !slices.Equal(got, want) {
			t.Errorf("received %v; want %v", got, want)
		}
	})
}

// TestANeighbourThatIsNotThere: such a packet is taken and has no stamp, and the
// own host answers it by ICMP when it has asked for the neighbour in vain.
func TestANeighbourThatIsNotThere(t *testing.T) {
	h := newHosts(t)
	for _, family := range []string{"ipv4", "ipv6"} {
		h.near.Sysctl(t, "net."+family+".neigh."+lab.Device+".retrans_time_ms", "100")
	}
	acrossEveryWay(t, h, func(t *testing.T, n, f timestamp.Options) {
		near, far := on(t, h.near, n), on(t, h.far, f)
		warm(t, near, far)
		nobody := netip.MustParseAddrPort(nobody4 + ":9")
		if near.Local().Addr().Is6() {
			nobody = netip.MustParseAddrPort("[" + nobody6 + "]:9")
		}
		packets := []timestamp.Outgoing{packet(1, nobody), packet(2, far.Local())}
		if taken := near.Send(packets); taken != 2 {
			t.Fatalf("%d were taken; want 2: %v", taken, packets)
		}
		events := await(t, near, 2)
		if events[0].Kind != timestamp.Sent || events[0].ID != 2 {
			t.Errorf("%+v; want that 2 was sent", events[0])
		}
		if e := events[1]; e.Kind != timestamp.Unreachable || e.To != nobody || binary.BigEndian.Uint32(e.Quoted) != 1 {
			t.Errorf("%+v; want that 1 could not reach %v", e, nobody)
		}
		if taken := near.Send(packets[1:]); taken != 1 {
			t.Errorf("a packet to another target was refused: %v", packets[1].Err)
		}
		receive(t, far, 2)
	})
}

// TestWhatIsOnTheWire reads DF, TTL and flow label off the packets with the
// rules of the other host.
func TestWhatIsOnTheWire(t *testing.T) {
	h := newHosts(t)
	h.far.NFT(t, `table inet wire {
		counter fragmentable {}
		counter whole {}
		counter labelled {}
		counter plain {}
		chain in {
			type filter hook input priority 0;
			udp dport 9 ip frag-off & 0x4000 == 0 ip ttl 255 counter name fragmentable
			udp dport 9 ip frag-off & 0x4000 != 0 ip ttl 255 counter name whole
			udp dport 9 ip6 flowlabel != 0 counter name labelled
			udp dport 9 ip6 flowlabel 0 ip6 hoplimit 255 counter name plain
		}
	}`)
	for _, ends := range []struct{ near, far string }{{near4, far4}, {near6, far6}} {
		f := options(ends.far)
		f.Local = netip.AddrPortFrom(f.Local.Addr(), 9)
		far := on(t, h.far, f)
		for packets, dontFragment := range map[uint32]bool{5: true, 10: false} {
			o := options(ends.near)
			o.DontFragment = dontFragment
			near := on(t, h.near, o)
			for id := range packets {
				near.Send([]timestamp.Outgoing{packet(id, far.Local())})
			}
			receive(t, far, int(packets))
		}
	}
	for counter, want := range map[string]uint64{"whole": 5, "fragmentable": 10, "labelled": 0, "plain": 15} {
		if got := h.far.Counter(t, "inet wire", counter); got != want {
			t.Errorf("%s packets: %d; want %d", counter, got, want)
		}
	}
}

func TestFragmentsAreAllowedWithoutDF(t *testing.T) {
	h := newHosts(t)
	acrossEveryWay(t, h, func(t *testing.T, n, f timestamp.Options) {
		f.MaxPacket = 3000
		near, far := on(t, h.near, n), on(t, h.far, f)
		warm(t, near, far)
		long := packet(1, far.Local())
		long.Payload = append(long.Payload, make([]byte, 2000)...)
		if near.Send([]timestamp.Outgoing{long}) != 1 {
			t.Fatalf("refused: %v", long.Err)
		}
		if in := receive(t, far, 1); len(in[0].Payload) != len(long.Payload) {
			t.Errorf("%d octets; want %d", len(in[0].Payload), len(long.Payload))
		}
	})
}

// TestTheInterfaceIsTheOnlyOne has a socket bound to a device that no route
// leads by.
func TestTheInterfaceIsTheOnlyOne(t *testing.T) {
	h := newHosts(t)
	run := func(args ...string) {
		t.Helper()
		if out, err := h.near.Command(t.Context(), "ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v: %s", args, err, out)
		}
	}
	run("link", "add", "other0", "type", "veth", "peer", "name", "other1")
	run("link", "set", "other0", "up")
	run("link", "set", "other1", "up")
	h.near.NFT(t, `table inet wire {
		counter other {}
		chain out { type filter hook output priority 0; oifname "other0" meta l4proto udp counter name other; }
	}`)
	o := options(near4)
	o.Interface = "other0"
	near, far := on(t, h.near, o), on(t, h.far, options(far4))
	near.Send([]timestamp.Outgoing{packet(1, far.Local())})
	if n := h.near.Counter(t, "inet wire", "other"); n != 1 {
		t.Errorf("%d packets left by the socket's interface; want 1", n)
	}
	far.Send([]timestamp.Outgoing{packet(2, near.Local())})
	if e := await(t, far, 2)[1]; e.Kind != timestamp.Unreachable || e.To != near.Local() {
		t.Errorf("%+v; want that a packet by another interface finds no socket", e)
	}
}

// TestANeighbourThatDoesNotAnswer is told of by this host itself.
func TestANeighbourThatDoesNotAnswer(t *testing.T) {
	h := newHosts(t)
	for own, nobody := range map[string]string{near4: nobody4, near6: nobody6} {
		near := on(t, h.near, options(own))
		near.Send([]timestamp.Outgoing{packet(1, netip.AddrPortFrom(netip.MustParseAddr(nobody), 9))})
		var told []timestamp.Event
		if !until(func() bool {
			events, err := near.Events()
			if err != nil {
				t.Fatal(err)
			}
			told = append(told, events...)
			return len(told) > 0
		}) {
			t.Fatalf("%s: nothing is told", nobody)
		}
		if e := told[0]; e.Kind != timestamp.Unreachable || e.By != near.Local().Addr() {
			t.Errorf("%s: %+v", nobody, e)
		}
	}
}
