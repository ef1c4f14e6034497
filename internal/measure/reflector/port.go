package reflector

import (
	"net/netip"
	"slices"
	"time"

	"ixpqos/internal/ippm"
	"ixpqos/internal/measure/timestamp"
)

// Socket is what a Port needs of a timestamp.Socket.
type Socket interface {
	Await(timeout time.Duration) ([]timestamp.Incoming, error)
	Receive() ([]timestamp.Incoming, error)
	Events() ([]timestamp.Event, error)
	Send(packets []timestamp.Outgoing) int
	Local() netip.AddrPort
	Drops() uint64
	Kernel() timestamp.Stamps
	Doubt() string
	Close() error
}

const (
	// batch is the most packets of one system call.
	batch = 64
	// maxRequest is the longest request in octets; those that are longer than an
	// Ethernet carries have no answer.
	maxRequest = ippm.MaxRequest
	// buffer holds what comes in a period, and some more for a host that is busy.
	buffer = 4 << 20
	// maxRounds bounds what is taken at once, whatever is sent here.
	maxRounds = 64
	// quiet is how long a packet is waited for, and soon while transmit stamps have
	// not come, which take the room of packets.
	quiet, soon = time.Second, 10 * time.Millisecond
	// vain is how often stamps are asked for that do not come, until they count as
	// lost.
	vain = 2
)

// Port answers on one socket. Its methods are one goroutine's at a time.
type Port struct {
	reflector *Reflector
	socket    Socket
	local     netip.AddrPort
	drops     uint64
	looked    moment // when drops was read

	out     []timestamp.Outgoing
	replies []reply // of out
	octets  []byte  // of out
	// unread is how many transmit stamps may wait, at most, and asks how often they
	// were asked for since one came.
	unread, asks int
	stamped      bool // by the kernel, when they leave
	asked        bool // whether they were asked for in this batch
	sent         ring
	load         load
	over         chan struct{} // closed when run has returned; nil where it does not run
}

// Attach makes a Port of a socket, which is listening from now on. Its owner
// calls Drain, and Detach at the end.
func (r *Reflector) Attach(s Socket) *Port {
	p := r.newPort()
	p.attach(s)
	return p
}

func (r *Reflector) newPort() *Port {
	return &Port{
		reflector: r,
		out:       make([]timestamp.Outgoing, 0, batch),
		replies:   make([]reply, 0, batch),
		octets:    make([]byte, 0, batch*maxRequest),
	}
}

func (p *Port) attach(s Socket) {
	p.socket, p.local, p.drops, p.stamped = s, s.Local(), s.Drops(), s.Kernel().Transmit
	r := p.reflector
	r.mu.Lock()
	defer r.unlock()
	p.looked = moment{wall: r.host.Wall(), since: r.host.Since()}
	r.attached = append(r.attached, p)
	r.resolve()
}

// Detach ends the port's sessions, and what its flows were expected to be.
func (p *Port) Detach() {
	r := p.reflector
	r.mu.Lock()
	defer r.unlock()
	for _, s := range r.sessions.byKey {
		if s.port == p {
			r.sessions.end(s)
		}
	}
	r.attached = slices.DeleteFunc(r.attached, func(other *Port) bool { return other == p })
	r.resolve()
}

// options are those of the port's socket.
func (p *Port) options(l listening) timestamp.Options {
	return timestamp.Options{
		Local:     l.local,
		Interface: l.netif,
		Buffer:    buffer,
		Batch:     batch,
		MaxPacket: maxRequest,
		Identify:  p.sent.identify,
	}
}

// Drain answers what has come, and returns how many packets that were.
func (p *Port) Drain() (received int, err error) {
	for range maxRounds {
		in, err := p.socket.Receive()
		if err != nil {
			return received, err
		}
		received += len(in)
		p.answer(in)
		if len(in) < batch {
			break
		}
	}
	return received, nil
}

// await answers the first packets that come, if any do for a while. It does not
// wait for long while stamps may fill the buffer, so that no packet comes.
func (p *Port) await() (received int, err error) {
	timeout := quiet
	if p.unread > 0 {
		timeout = soon
	}
	in, err := p.socket.Await(timeout)
	if err != nil {
		return 0, err
	}
	p.answer(in)
	if len(in) < batch {
		return len(in), nil
	}
	more, err := p.Drain()
	return len(in) + more, err
}

// run works until the socket is closed or fails.
func (p *Port) run(period time.Duration) error {
	for {
		work := p.await
		if p.load.busy {
			time.Sleep(period)
			work = p.Drain
		}
		received, err := work()
		if err != nil {
			return err
		}
		p.load.add(received, p.reflector.host.Since(), period)
	}
}

// load tells whether it is busy: whether a period brings a packet or more. From
// half of that on, waking up for each costs more than to take them together.
type load struct {
	busy     bool
	since    time.Duration
	received int
}

// add takes account of what came until now. What is judged is eight periods.
func (l *load) add(received int, now, period time.Duration) {
	l.received += received
	if passed := now - l.since; passed >= 8*period {
		l.busy = time.Duration(l.received)*period >= passed
		l.since, l.received = now, 0
	}
}

// ask takes the transmit stamps that there are.
func (p *Port) ask() {
	p.asked = true
	for {
		events, err := p.socket.Events()
		if err != nil {
			return // the socket ends, or its next Receive says why not
		}
		for _, e := range events {
			if e.Kind == timestamp.Sent {
				p.reflector.sessions.left(e.ID, e.At)
				p.unread, p.asks = p.unread-1, 0
			}
		}
		if len(events) < batch {
			break
		}
	}
	if p.asks++; p.asks >= vain || p.unread < 0 {
		p.unread = 0
	}
}
