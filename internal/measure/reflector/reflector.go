package reflector

import (
	"net/netip"
	"sync"
	"time"

	"ixpqos/internal/inventory"
	"ixpqos/internal/measure/stamp"
	"ixpqos/internal/measure/timestamp"
)

// Host is where a Reflector works. Its functions are called from several
// goroutines.
type Host struct {
	// Name is the probe's.
	Name string
	// Open opens a socket, as timestamp.Open does.
	Open func(timestamp.Options) (Socket, error)
	// Clock tells whether the host's clock is synchronized and how wrong it may
	// be, as timestamp.ClockError does.
	Clock func() (synchronized bool, bound time.Duration)
	// Wall reads the clock that stamps are of, in nanoseconds of Unix time, and
	// Since one that only goes on.
	Wall  func() int64
	Since func() time.Duration
	// Trouble is told, by subject, what is wrong, and an empty sentence once it
	// is over. It may not call the Reflector.
	Trouble func(subject, sentence string)
}

// ThisHost is the one that the process runs on.
func ThisHost(name string, trouble func(subject, sentence string)) Host {
	start := time.Now()
	return Host{
		Name:    name,
		Open:    func(o timestamp.Options) (Socket, error) { return timestamp.Open(o) },
		Clock:   timestamp.ClockError,
		Wall:    timestamp.Now,
		Since:   func() time.Duration { return time.Since(start) },
		Trouble: trouble,
	}
}

// Reflector holds what its ports share: sessions, who is allowed, and what was
// heard.
type Reflector struct {
	host  Host
	ports map[listening]*Port // of Apply

	// mu is held while a batch is answered, which is well under a millisecond.
	mu        sync.Mutex
	stateless bool
	perPacket time.Duration // of the rate that one source is answered at
	sources   map[netip.Addr]*source
	// reflecting is where other reflectors listen.
	reflecting map[netip.AddrPort]bool
	sessions   sessions
	expected   []*expected
	left       []*expected // those that are not expected any more, and not told of yet
	attached   []*Port
	seen       moment // the newest
	// clock is the Error Estimate in either format, as of the moment turned.
	clock   [2]stamp.ErrorEstimate
	turned  time.Duration
	stats   Stats
	refused error          // why the kernel last refused a reply
	replier netip.AddrPort // where what may be a reply last came from
	wrong   [reasons]since
	trouble string
	notices []notice // that wait for unlock

	// telling is held while notices are told, so that they are in order.
	telling sync.Mutex
}

// notice is what Host.Trouble is to be told.
type notice struct{ subject, sentence string }

// unlock unlocks, and then tells what there is to tell: whoever is told may take
// his time, and no packet waits for him.
func (r *Reflector) unlock() {
	waiting := len(r.notices) > 0
	r.mu.Unlock()
	if !waiting {
		return
	}
	r.telling.Lock()
	defer r.telling.Unlock()
	r.mu.Lock()
	notices := r.notices
	r.notices = nil
	r.mu.Unlock()
	for _, n := range notices {
		r.host.Trouble(n.subject, n.sentence)
	}
}

// DefaultRate is how many packets a second one address is answered: all that a
// probe may send to all others, and some more for who measures once by hand.
const DefaultRate = inventory.PacketBudget * 5 / 4

// New makes a Reflector that listens nowhere and allows nobody.
func New(h Host) *Reflector {
	r := &Reflector{
		host:      h,
		ports:     map[listening]*Port{},
		perPacket: time.Second / DefaultRate,
		sources:   map[netip.Addr]*source{},
		sessions:  newSessions(),
	}
	r.readClock()
	r.seen = moment{wall: h.Wall(), since: h.Since()}
	r.turned = r.seen.since
	return r
}

// SetAllowed says who is answered. Sessions of others end.
func (r *Reflector) SetAllowed(addresses []netip.Addr) {
	r.mu.Lock()
	defer r.unlock()
	before := r.sources
	r.sources = make(map[netip.Addr]*source, len(addresses))
	for _, a := range addresses {
		a = a.Unmap()
		switch {
		case r.sources[a] != nil:
		case before[a] != nil:
			r.sources[a] = before[a]
			delete(before, a)
		default:
			r.sources[a] = &source{}
		}
	}
	for _, s := range before {
		r.sessions.endOlder(s, forever)
	}
	r.resolve()
}

// SetReflecting says where other reflectors listen: what comes from there and
// may be a reply gets none.
func (r *Reflector) SetReflecting(where []netip.AddrPort) {
	r.mu.Lock()
	defer r.unlock()
	r.reflecting = make(map[netip.AddrPort]bool, len(where))
	for _, w := range where {
		r.reflecting[netip.AddrPortFrom(w.Addr().Unmap(), w.Port())] = true
	}
}

// turnEvery is how often is done what need not be done for every packet.
const turnEvery = 10 * time.Second

// turn reads the clock's error, ends old sessions and tells trouble.
func (r *Reflector) turn(now time.Duration) {
	if now-r.turned < turnEvery {
		return
	}
	r.turned = now
	r.readClock()
	for _, s := range r.sources {
		r.sessions.endOlder(s, now-maxAge)
	}
	r.tellTrouble(now)
}

func (r *Reflector) readClock() {
	synchronized, bound := r.host.Clock()
	for _, f := range []stamp.Format{stamp.NTP, stamp.PTP} {
		r.clock[f] = stamp.NewErrorEstimate(synchronized, f, bound)
	}
}
