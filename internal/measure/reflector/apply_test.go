package reflector

import (
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ixpqos/internal/measure/timestamp"
)

var (
	loopback4 = netip.MustParseAddr("127.0.0.1")
	loopback6 = netip.MustParseAddr("::1")
)

func newReal(t *testing.T) *world {
	t.Helper()
	w := &world{sender: netip.MustParseAddr("127.0.0.2"), trouble: newBoard()}
	w.Reflector = New(ThisHost("self", w.trouble.tell))
	w.open = w.host.Open
	w.SetAllowed([]netip.Addr{w.sender, loopback6})
	t.Cleanup(w.Close)
	return w
}

// apply settles what is to be listened on, and takes the port of an address for
// the world's.
func (w *world) apply(t *testing.T, s Settings, of netip.Addr) {
	t.Helper()
	if problems := w.Apply(s); problems != nil {
		t.Fatal(problems)
	}
	for l, p := range w.ports {
		if l.local.Addr() == of {
			w.port = p
		}
	}
}

// TestApply: what does not change keeps its sessions, what is no longer wanted
// ends, and what comes is there at once.
func TestApply(t *testing.T) {
	w := newReal(t)
	w.apply(t, Settings{Addresses: []netip.Addr{loopback4}}, loopback4)
	e := w.end(t, w.sender, 0)
	e.ask(t, packet(0, 1))
	w.apply(t, Settings{Addresses: []netip.Addr{loopback4, loopback6}, Rate: 100}, loopback4)
	if r := e.ask(t, packet(1, 1)); r.Sequence != 1 {
		t.Errorf("the session began anew: %+v", r)
	}
	first := w.port
	w.apply(t, Settings{Addresses: []netip.Addr{loopback6}, Stateless: true}, loopback6)
	if r := w.end(t, loopback6, 0).ask(t, packet(7, 1)); r.Sequence != 7 {
		t.Errorf("stateless: %+v", r)
	}
	if n := w.Stats().Sessions; n != 1 {
		t.Errorf("%d sessions; that of a port that is gone is one", n)
	}
	if _, err := first.Drain(); err == nil {
		t.Error("the port is still there")
	}
	w.Close()
	if n := w.Stats().Sessions; n != 0 || len(w.attached) != 0 {
		t.Errorf("after the end: %d sessions, %d ports", n, len(w.attached))
	}
}

// TestAPortThatIsTaken is named with what to do, and the other addresses are
// answered; when it is free it is had.
func TestAPortThatIsTaken(t *testing.T) {
	taken, err := timestamp.Open(timestamp.Options{Local: netip.AddrPortFrom(loopback4, 0), Batch: 1, MaxPacket: 1})
	if err != nil {
		t.Fatal(err)
	}
	s := Settings{Addresses: []netip.Addr{loopback4, loopback6}, Port: taken.Local().Port()}
	w := newReal(t)
	problems := w.Apply(s)
	if len(problems) != 1 {
		t.Fatalf("%v; want one problem", problems)
	}
	said := problems[0].Error()
	for _, part := range []string{taken.Local().String(), "taken", "reflector_port"} {
		if !strings.Contains(said, part) {
			t.Errorf("%q does not say %q", said, part)
		}
	}
	if strings.Contains(said, "\n") {
		t.Errorf("%q is more than a line", said)
	}
	for _, p := range w.ports {
		w.port = p
	}
	w.end(t, loopback6, 0).ask(t, packet(0, 1))
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	w.apply(t, s, loopback4)
	w.end(t, w.sender, 0).ask(t, packet(0, 1))
}

func TestAPortThatIsNotPermitted(t *testing.T) {
	h := ThisHost("self", newBoard().tell)
	h.Open = func(o timestamp.Options) (Socket, error) {
		return nil, fmt.Errorf("open a UDP socket on %s: not permitted (%w): grant CAP_NET_BIND_SERVICE", o.Local, syscall.EACCES)
	}
	problems := New(h).Apply(Settings{Addresses: []netip.Addr{loopback4}, Port: 862})
	want := "STAMP is not answered on 127.0.0.1:862: open a UDP socket on 127.0.0.1:862: not permitted (permission denied): " +
		"grant CAP_NET_BIND_SERVICE; reflector_port in the inventory is the port"
	if len(problems) != 1 || problems[0].Error() != want {
		t.Errorf("%v", problems)
	}
}

// broken is a socket that fails when it is told to.
type broken struct {
	Socket
	fail chan struct{}
}

func (b *broken) Await(time.Duration) ([]timestamp.Incoming, error) {
	<-b.fail
	return nil, syscall.ENETDOWN
}

func (b *broken) Receive() ([]timestamp.Incoming, error) { return b.Await(0) }

// TestASocketThatFails is told of, and opened anew by the next Apply.
func TestASocketThatFails(t *testing.T) {
	w := newReal(t)
	b := &broken{fail: make(chan struct{})}
	w.host.Open = func(o timestamp.Options) (s Socket, err error) {
		b.Socket, err = timestamp.Open(o)
		return b, err
	}
	s := Settings{Addresses: []netip.Addr{loopback4}}
	w.apply(t, s, loopback4)
	close(b.fail)
	<-w.port.over
	subject := listening{local: netip.AddrPortFrom(loopback4, 0)}.subject()
	if said := w.trouble.sentence(subject); !strings.Contains(said, "network is down") {
		t.Errorf("told: %q", said)
	}
	if len(w.attached) != 0 {
		t.Error("it still passes for one that hears")
	}
	w.host.Open = w.open
	w.apply(t, s, loopback4)
	if said := w.trouble.sentence(subject); said != "" {
		t.Errorf("still told: %q", said)
	}
	w.end(t, w.sender, 0).ask(t, packet(0, 1))
}

func TestKernelStampsThatAreMissingAreTold(t *testing.T) {
	w := virtual(t)
	w.self.Stamps = timestamp.Stamps{}
	w.port.Detach()
	_ = w.port.socket.Close()
	w.host.Open = func(o timestamp.Options) (Socket, error) {
		s, err := w.self.Open(o)
		return &broken{Socket: s, fail: make(chan struct{})}, err
	}
	if problems := w.Apply(Settings{Addresses: []netip.Addr{w.localAddress()}, Port: 862}); problems != nil {
		t.Fatal(problems)
	}
	if w.trouble.sentence("reflector on 198.18.0.1:862") == "" {
		t.Errorf("nobody is told: %v", w.trouble.told)
	}
}

// TestLoad: many packets make a port busy, and few of them quiet, however they
// are taken.
func TestLoad(t *testing.T) {
	const period = 10 * time.Millisecond
	var l load
	now := time.Duration(0)
	pass := func(packets int, every time.Duration) {
		for range packets {
			now += every
			l.add(1, now, period)
		}
	}
	pass(100, period*2)
	if l.busy {
		t.Error("busy at a packet every other period")
	}
	pass(100, period)
	if !l.busy {
		t.Error("quiet at a packet a period")
	}
	for range 20 {
		now += period
		l.add(12, now, period)
	}
	if !l.busy {
		t.Error("quiet at 12 packets a period")
	}
	now += time.Second
	l.add(0, now, period)
	if l.busy {
		t.Error("busy after a second of silence")
	}
}

// counting counts by which way packets are taken.
type counting struct {
	Socket
	awaits, receives atomic.Int64
}

func (c *counting) Await(timeout time.Duration) ([]timestamp.Incoming, error) {
	c.awaits.Add(1)
	return c.Socket.Await(timeout)
}

func (c *counting) Receive() ([]timestamp.Incoming, error) {
	c.receives.Add(1)
	return c.Socket.Receive()
}

// TestBusyAndQuiet has packets answered by either way of taking them.
func TestBusyAndQuiet(t *testing.T) {
	w := newReal(t)
	c := &counting{}
	w.host.Open = func(o timestamp.Options) (s Socket, err error) {
		c.Socket, err = timestamp.Open(o)
		return c, err
	}
	w.apply(t, Settings{Addresses: []netip.Addr{loopback4}, Rate: 1_000_000}, loopback4)
	e := w.end(t, w.sender, 0)
	burst := make([][]byte, 50)
	for i := range burst {
		burst[i] = packet(uint32(i), 1)
	}
	periods := func() int64 { return c.receives.Load() }
	for late := time.Now().Add(bound); periods() < 20; {
		if time.Now().After(late) {
			t.Fatal("it does not come to be busy")
		}
		e.send(t, -1, burst...)
		e.replies(t, len(burst))
	}
	waits := c.awaits.Load()
	w.awaitStats(t, func(Stats) bool { return c.awaits.Load() > waits })
	e.ask(t, packet(0, 2))
}
