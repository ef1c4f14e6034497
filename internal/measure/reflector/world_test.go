package reflector

import (
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"ixpqos/infra/simulation"
	"ixpqos/internal/measure/stamp"
	"ixpqos/internal/measure/timestamp"
)

// bound is how long a test waits for what is sure to come.
const bound = 20 * time.Second

// world is a network with a reflector on it and an address for a sender, who is
// allowed: in virtual or in real time.
type world struct {
	*Reflector
	port   *Port
	sender netip.Addr
	// virtual is nil in real time.
	virtual *simulation.Network
	self    *simulation.Host // of the reflector
	far     *simulation.Host // of the sender
	open    func(timestamp.Options) (Socket, error)
	trouble *board
}

// board keeps the sentences that were told.
type board struct {
	mu   sync.Mutex
	told map[string]string
	// changes counts how often one was told.
	changes int
}

func (b *board) tell(subject, sentence string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.changes++
	b.told[subject] = sentence
	if sentence == "" {
		delete(b.told, subject)
	}
}

func (b *board) sentence(subject string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.told[subject]
}

func newBoard() *board { return &board{told: map[string]string{}} }

var families = []struct{ name, reflector, sender string }{
	{"IPv4", "127.0.0.1", "127.0.0.2"},
	{"IPv6", "::1", "::1"},
}

// everywhere runs a test in virtual and in real time, in both families.
func everywhere(t *testing.T, test func(t *testing.T, w *world)) {
	for _, f := range families {
		reflector, sender := netip.MustParseAddr(f.reflector), netip.MustParseAddr(f.sender)
		t.Run("real/"+f.name, func(t *testing.T) { test(t, real(t, reflector, sender)) })
	}
	t.Run("virtual/IPv4", func(t *testing.T) { test(t, virtual(t)) })
	t.Run("virtual/IPv6", func(t *testing.T) {
		test(t, virtualBetween(t, netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")))
	})
}

func virtual(t *testing.T) *world {
	t.Helper()
	return virtualBetween(t, netip.MustParseAddr("198.18.0.1"), netip.MustParseAddr("198.18.0.2"))
}

func virtualBetween(t *testing.T, reflector, sender netip.Addr) *world {
	t.Helper()
	n := simulation.New(1)
	w := &world{sender: sender, virtual: n, self: n.Host(reflector), far: n.Host(sender), trouble: newBoard()}
	n.Impair(simulation.Impairment{Delay: 100 * time.Microsecond})
	w.open = func(o timestamp.Options) (Socket, error) { return w.far.Open(o) }
	w.Reflector = New(Host{
		Name:    "self",
		Clock:   func() (bool, time.Duration) { return true, time.Millisecond },
		Wall:    w.self.Now,
		Since:   n.Elapsed,
		Trouble: w.trouble.tell,
	})
	w.listen(t)
	w.SetAllowed([]netip.Addr{sender})
	return w
}

// listen opens the simulated socket of the reflector.
func (w *world) listen(t *testing.T) {
	t.Helper()
	s, err := w.self.Open(timestamp.Options{Local: netip.AddrPortFrom(w.localAddress(), 862), Batch: batch, MaxPacket: maxRequest})
	if err != nil {
		t.Fatal(err)
	}
	w.port = w.Attach(s)
}

func (w *world) localAddress() netip.Addr {
	if w.sender.Is4() {
		return netip.MustParseAddr("198.18.0.1")
	}
	return netip.MustParseAddr("2001:db8::1")
}

func real(t *testing.T, reflector, sender netip.Addr) *world {
	t.Helper()
	w := &world{sender: sender, trouble: newBoard()}
	w.Reflector = New(ThisHost("self", w.trouble.tell))
	w.open = w.host.Open
	t.Cleanup(w.Close)
	if problems := w.Apply(Settings{Addresses: []netip.Addr{reflector}}); problems != nil {
		t.Fatal(problems)
	}
	for _, p := range w.ports {
		w.port = p
	}
	w.SetAllowed([]netip.Addr{sender})
	return w
}

// end is a sender's socket.
type end struct {
	*world
	socket Socket
}

// end opens a sender's socket. In real time it sees to it that the kernel stamps
// what comes in, which it does from a moment after the first socket asked for it.
func (w *world) end(t *testing.T, from netip.Addr, port uint16) *end {
	t.Helper()
	if w.virtual == nil {
		port = 0
	}
	s, err := w.open(timestamp.Options{Local: netip.AddrPortFrom(from, port), Batch: batch, MaxPacket: maxRequest, Buffer: buffer})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return &end{world: w, socket: s}
}

// send sends payloads, whose answers come unless they are not answered.
func (e *end) send(t *testing.T, tos int16, payloads ...[]byte) {
	t.Helper()
	var out []timestamp.Outgoing
	for _, p := range payloads {
		out = append(out, timestamp.Outgoing{To: e.port.local, Payload: p, TOS: tos})
	}
	if e.socket.Send(out) != len(out) {
		t.Fatalf("not all was sent: %+v", out)
	}
	if e.virtual != nil {
		e.pass(t, time.Millisecond)
	}
}

// pass lets virtual time pass, and the reflector work in the midst of it.
func (w *world) pass(t *testing.T, d time.Duration) {
	t.Helper()
	w.virtual.Advance(d / 2)
	if _, err := w.port.Drain(); err != nil {
		t.Fatal(err)
	}
	w.virtual.Advance(d / 2)
}

// replies waits for that many packets, and gives copies.
func (e *end) replies(t *testing.T, n int) (all []timestamp.Incoming) {
	t.Helper()
	for late := time.Now().Add(bound); len(all) < n && time.Now().Before(late); {
		in, err := e.socket.Await(time.Second)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range in {
			p.Payload = slices.Clone(p.Payload)
			all = append(all, p)
		}
		if len(in) == 0 && e.virtual != nil {
			break
		}
		// Transmit stamps that nobody reads would take the room of replies.
		if _, err := e.socket.Events(); err != nil {
			t.Fatal(err)
		}
	}
	if len(all) != n {
		t.Fatalf("%d replies came; want %d", len(all), n)
	}
	return all
}

// ask sends one payload and gives its reply.
func (e *end) ask(t *testing.T, payload []byte) stamp.Reply {
	t.Helper()
	return e.askWith(t, -1, payload)
}

func (e *end) askWith(t *testing.T, tos int16, payload []byte) stamp.Reply {
	t.Helper()
	e.send(t, tos, payload)
	return parse(t, e.replies(t, 1)[0].Payload)
}

func parse(t *testing.T, payload []byte) stamp.Reply {
	t.Helper()
	r, err := stamp.ParseReply(payload)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// packet makes the packet of a STAMP Session-Sender.
func packet(sequence uint32, ssid uint16) []byte {
	return packetAt(timestamp.Now(), sequence, ssid)
}

func packetAt(sent int64, sequence uint32, ssid uint16) []byte {
	payload, err := stamp.AppendRequest(nil, stamp.Request{
		Sequence: sequence,
		Sent:     stamp.TimestampOf(sent, stamp.NTP),
		Error:    stamp.NewErrorEstimate(true, stamp.NTP, time.Millisecond),
		SSID:     ssid,
	}, 100)
	if err != nil {
		panic(err) // the test's own fault
	}
	return payload
}
