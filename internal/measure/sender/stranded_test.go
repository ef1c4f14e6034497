package sender

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"ixpqos/infra/lab"
	"ixpqos/infra/simulation"
	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
	"ixpqos/internal/measure/stamp"
	"ixpqos/internal/measure/timestamp"
)

// broken is a socket that takes nothing once its interface is gone.
type broken struct {
	Socket
	gone *syscall.Errno
}

func (b broken) Send(packets []timestamp.Outgoing) int {
	if *b.gone == 0 {
		return b.Socket.Send(packets)
	}
	for i := range packets {
		packets[i].Err = *b.gone
	}
	return 0
}

// TestASocketThatTakesNothingIsOpenedAnew, whatever it says.
func TestASocketThatTakesNothingIsOpenedAnew(t *testing.T) {
	t.Parallel()
	for _, errno := range []syscall.Errno{syscall.ENODEV, syscall.ENETUNREACH, syscall.EADDRNOTAVAIL, syscall.EINVAL, syscall.ENXIO, syscall.EIO} {
		v := simulatedWith(t, inventory.Part{})
		open := v.settings.Open
		gone := new(syscall.Errno)
		v.settings.Open = func(o timestamp.Options) (Socket, error) {
			s, err := open(o)
			return broken{s, gone}, err
		}
		v.apply(partOf([]inventory.Test{plan("flows")}, "p2"))
		v.runInto(every)
		*gone, gone = errno, new(syscall.Errno) // those that are there, and those that come
		v.runOut()
		v.runOut()
		v.runOut()
		results := v.results("p2")
		if last := results[len(results)-1]; last.Refused > 0 || last.Received != last.Sent || len(v.troubles) > 0 {
			t.Errorf("%v: %+v, troubles %v", errno, last.Counts, v.troubles)
		}
	}
}

// TestAnInterfaceThatIsMadeAnew of the same name is used again, over both families.
func TestAnInterfaceThatIsMadeAnew(t *testing.T) {
	t.Parallel()
	host := lab.New(t).Host("near", "198.18.0.1/24")
	link := func() {
		run := func(args ...string) {
			t.Helper()
			if out, err := host.Command(t.Context(), "ip", args...).CombinedOutput(); err != nil {
				t.Fatalf("ip %v: %v: %s", args, err, out)
			}
		}
		run("link", "add", "fabric", "type", "veth", "peer", "name", "far")
		run("link", "set", "far", "up")
		run("link", "set", "fabric", "up")
		run("address", "add", "198.19.0.1/24", "dev", "fabric")
		run("address", "add", "2001:db8:1::1/64", "dev", "fabric", "nodad")
		run("neighbour", "add", "198.19.0.2", "lladdr", "02:00:00:00:00:02", "dev", "fabric")
		run("neighbour", "add", "2001:db8:1::2", "lladdr", "02:00:00:00:00:02", "dev", "fabric")
	}
	link()
	w := newWorld(t, func(o timestamp.Options) (s Socket, err error) {
		host.Enter(t, func() error {
			s, err = timestamp.Open(o)
			return nil
		})
		return s, err
	})
	test := plan("flows")
	test.Families = []uint8{4, 6}
	addresses := func(last string) []inventory.Address {
		return []inventory.Address{{Family: 4, Host: "198.19.0." + last}, {Family: 6, Host: "2001:db8:1::" + last}}
	}
	w.apply(inventory.Part{Probe: "p1", Interface: "fabric", Addresses: addresses("1"), Tests: []inventory.Test{test},
		Peers: []inventory.Peer{{Name: "p2", Addresses: addresses("2"), ReflectorPort: 862, Stateful: true}}})
	m := Moment{Wall: simulation.Start.UnixNano(), Since: time.Hour}
	tick := func(d time.Duration) { // in virtual time, through real sockets
		for end := m.Since + d; m.Since < end; {
			m.Since += Tick
			m.Wall += int64(Tick)
			w.Tick(m, w.take)
		}
	}
	tick(every)
	if out, err := host.Command(t.Context(), "ip", "link", "del", "fabric").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	tick(2 * every)
	link()
	tick(5 * every)
	for _, family := range []uint8{4, 6} {
		results := slices.DeleteFunc(w.results("p2"), func(r ippm.Result) bool { return r.Family != family })
		if last := results[len(results)-1]; last.Refused > 0 || last.Sent != 4*perFlow {
			t.Errorf("IPv%d: %+v; troubles %v", family, last.Counts, w.troubles)
		}
	}
}

// liar is a socket on which somebody says of each packet that nothing listens
// where it was sent, by ICMP.
type liar struct {
	Socket
	quote  func(payload []byte) []byte
	quoted []timestamp.Event
}

func (l *liar) Send(packets []timestamp.Outgoing) int {
	for _, p := range packets {
		l.quoted = append(l.quoted, timestamp.Event{Kind: timestamp.Unreachable, To: p.To,
			ICMPType: icmp4Unreachable, ICMPCode: icmp4Port, Quoted: l.quote(slices.Clone(p.Payload))})
	}
	return l.Socket.Send(packets)
}

func (l *liar) Events() ([]timestamp.Event, error) {
	all := l.quoted
	l.quoted = nil
	events, err := l.Socket.Events()
	return append(all, events...), err
}

// TestOnlyWhoHasThePacketIsBelieved that nothing listens there: others cannot know
// its SSID and when it was sent.
func TestOnlyWhoHasThePacketIsBelieved(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		quote    func([]byte) []byte
		believed bool
	}{
		"all of it":         {func(q []byte) []byte { return q }, true},
		"its front":         {func(q []byte) []byte { return q[:stamp.BaseSize] }, true},
		"another SSID":      {func(q []byte) []byte { q[15] ^= 1; return q }, false},
		"another time":      {func(q []byte) []byte { q[11]++; return q }, false},
		"the next number":   {func(q []byte) []byte { q[3]++; return q }, false},
		"the number alone":  {func(q []byte) []byte { return append(q[:4], make([]byte, 40)...) }, false},
		"nothing":           {func(q []byte) []byte { return nil }, false},
		"no more than UDPs": {func(q []byte) []byte { return q[:4] }, false},
	} {
		v := simulatedWith(t, inventory.Part{})
		open := v.settings.Open
		v.settings.Open = func(o timestamp.Options) (Socket, error) {
			s, err := open(o)
			return &liar{Socket: s, quote: c.quote}, err
		}
		v.apply(partOf([]inventory.Test{plan("flows")}, "p2"))
		v.impair(forward, share(1), simulation.Impairment{Loss: 1})
		v.runInto(every)
		v.runOut()
		if sum := v.sum("p2").Counts; c.believed != (sum.Unserved > 0) || c.believed == (sum.Unplaced > 0) {
			t.Errorf("%s: %+v", name, sum)
		}
	}
}
