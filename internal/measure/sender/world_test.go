package sender

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"ixpqos/infra/simulation"
	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
	"ixpqos/internal/measure/timestamp"
)

// every is the interval of the tests, and step how far virtual time moves at once.
const (
	every = 10 * time.Second
	step  = 10 * time.Millisecond
)

// world is p1, which sends, and far ends that reflect, in virtual or in real time.
type world struct {
	*Sender
	t         *testing.T
	part      inventory.Part
	intervals []Interval
	troubles  map[string]string
	network
}

// network is what differs between virtual and real time.
type network interface {
	// run lets time pass, and all ends work.
	run(d time.Duration)
	// wall is what p1's clock shows.
	wall() int64
	// lose, duplicate and remark harm packets of a direction until heal is called,
	// which tells how many of each direction that were.
	lose(direction bool, share float64)
	duplicate(direction bool, share float64)
	remark(direction bool, dscp uint8)
	heal() (met map[bool]int)
	// restart begins the reflector of p2 anew.
	restart()
}

// The directions of faults.
const (
	forward  = true
	backward = false
)

// heard is what the reflector of a probe heard in an interval.
func (w *virtual) heard(far string, i Interval) []ippm.Heard {
	return w.far[far].Heard(i.Test, i.Start)
}

// virtual is a simulated network.
type virtual struct {
	*world
	sim  *simulation.Network
	p1   *simulation.Host
	far  map[string]*far
	next time.Duration // when the sender's next tick is
	pass bool          // whether the sender is held up: it has no ticks
	// sent counts the packets that p1 sent in each tick's time.
	sent map[time.Duration]int

	light interface{ drain() } // answers in place of p2 where it is there
	heals []func()
	met   map[bool]int
}

// addressesOf are those of p1 to p9.
func addressesOf(probe string) []inventory.Address {
	number := strings.TrimPrefix(probe, "p")
	return []inventory.Address{{Family: 4, Host: "198.18.0." + number}, {Family: 6, Host: "2001:db8::" + number}}
}

func parsed(addresses []inventory.Address) (all []netip.Addr) {
	for _, a := range addresses {
		all = append(all, netip.MustParseAddr(a.Host))
	}
	return all
}

// plan is a test over four flows in IPv4.
func plan(name string) inventory.Test {
	return inventory.Test{Name: name, Kind: inventory.KindSTAMP, Every: every, Spacing: 250 * time.Millisecond,
		Size: 132, DSCP: 10, Families: []uint8{4}, Flows: 4, Port: 50000}
}

const perFlow = 40 // packets in an interval

func partOf(tests []inventory.Test, peers ...string) inventory.Part {
	part := inventory.Part{Probe: "p1", Addresses: addressesOf("p1"), Tests: tests}
	for _, name := range peers {
		part.Peers = append(part.Peers, inventory.Peer{Name: name, Addresses: addressesOf(name),
			ReflectorPort: inventory.DefaultReflectorPort, Stateful: true})
	}
	return part
}

func newWorld(t *testing.T, open func(timestamp.Options) (Socket, error)) *world {
	w := &world{t: t, troubles: map[string]string{}}
	ssid := uint16(0)
	w.Sender = New(Settings{
		Name:  "p1",
		Open:  open,
		Clock: func() (bool, time.Duration) { return true, time.Microsecond },
		Random: func() uint16 {
			ssid++
			return ssid
		},
		Patience: Patience,
		Trouble: func(subject, sentence string) {
			w.troubles[subject] = sentence
			if sentence == "" {
				delete(w.troubles, subject)
			}
		},
	})
	t.Cleanup(func() { w.Close() })
	return w
}

// simulated is a virtual world with p1, p2 and p3, in which packets take a
// millisecond each way. One test runs.
func simulated(t *testing.T) *virtual {
	t.Helper()
	return simulatedWith(t, partOf([]inventory.Test{plan("flows")}, "p2", "p3"))
}

func simulatedWith(t *testing.T, part inventory.Part) *virtual {
	t.Helper()
	n := simulation.New(1)
	v := &virtual{sim: n, p1: n.Host(parsed(addressesOf("p1"))...), far: map[string]*far{}, sent: map[time.Duration]int{}, met: map[bool]int{}}
	n.Impair(simulation.Impairment{Delay: time.Millisecond})
	v.p1.Queue = 7 * time.Microsecond
	v.world = newWorld(t, func(o timestamp.Options) (Socket, error) { return v.p1.Open(o) })
	v.network = v
	for _, name := range []string{"p2", "p3"} {
		v.addFar(name)
	}
	n.Impair(simulation.Impairment{Of: v.countSent})
	v.apply(part)
	return v
}

func (v *virtual) countSent(p simulation.Packet) bool {
	if p.To.Port() == inventory.DefaultReflectorPort {
		v.sent[v.sim.Elapsed().Truncate(Tick)]++
	}
	return false
}

func (v *virtual) addFar(name string) {
	addresses := parsed(addressesOf(name))
	f := &far{host: v.sim.Host(addresses...), addresses: addresses, w: v, name: name}
	f.host.Queue = 20 * time.Microsecond
	v.far[name] = f
	f.up()
}

func (v *virtual) wall() int64 { return v.p1.Now() }

func (v *virtual) moment() Moment { return Moment{Wall: v.p1.Now(), Since: v.sim.Elapsed()} }

func (v *virtual) run(d time.Duration) {
	for end := v.sim.Elapsed() + d; v.sim.Elapsed() < end; {
		v.sim.Advance(step)
		for _, name := range []string{"p2", "p3"} {
			v.far[name].drain()
		}
		if v.light != nil {
			v.light.drain()
		}
		if !v.pass && v.sim.Elapsed() >= v.next {
			v.Tick(v.moment(), v.take)
			v.next = v.sim.Elapsed() + v.Wait(v.moment())
		}
	}
}

func (w *world) take(i Interval) {
	if i.Whole {
		w.intervals = append(w.intervals, i)
	} else if i.Results != nil {
		panic("an interval that is not whole has results")
	}
}

func (w *world) apply(part inventory.Part) {
	w.part = part
	w.Apply(part)
}

// runInto runs until so much of the next interval is over.
func (w *world) runInto(d time.Duration) {
	length := w.part.Tests[0].Every
	w.run(length - time.Duration((w.wall()-w.settings.Origin)%int64(length)) + d)
}

// runOut runs until the interval that now is in has been given.
func (w *world) runOut() {
	w.runInto(settleAfter + settleTicks*Tick + 2*Tick)
}

// results are those to a target, in the order of time and as others read them,
// which are checked.
func (w *world) results(target string) (all []ippm.Result) {
	w.t.Helper()
	for _, i := range w.intervals {
		for _, r := range i.Results {
			if err := r.Check(); err != nil {
				w.t.Fatal(err)
			}
			if r.Target == target {
				all = append(all, r)
			}
		}
	}
	return all
}

// sum is all that was given of a target, in all families.
func (w *world) sum(target string) ippm.Result {
	w.t.Helper()
	results := w.results(target)
	for i := range results {
		results[i].Series = results[0].Series
	}
	sum, err := ippm.Merge(results...)
	if err != nil {
		w.t.Fatal(err)
	}
	return sum
}

// at4 is a port of a probe in IPv4.
func at4(probe string, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(parsed(addressesOf(probe))[0], port)
}
