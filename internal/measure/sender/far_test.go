package sender

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"ixpqos/infra/simulation"
	"ixpqos/internal/inventory"
	"ixpqos/internal/measure/reflector"
	"ixpqos/internal/measure/timestamp"
)

// far is a probe that reflects.
type far struct {
	*reflector.Reflector
	host      *simulation.Host
	addresses []netip.Addr
	ports     []*reflector.Port
	sockets   []*simulation.Socket
	w         *virtual
	name      string
	stateless bool
}

// up starts a reflector, which counts from 0 and expects the flows of the test.
func (f *far) up() {
	f.Reflector = reflector.New(reflector.Host{
		Name:    f.name,
		Open:    func(o timestamp.Options) (reflector.Socket, error) { return f.host.Open(o) },
		Clock:   func() (bool, time.Duration) { return true, time.Microsecond },
		Wall:    f.host.Now,
		Since:   f.w.sim.Elapsed,
		Trouble: func(string, string) {},
	})
	f.Apply(reflector.Settings{Stateless: f.stateless})
	for _, a := range f.addresses {
		s, err := f.host.Open(timestamp.Options{Local: netip.AddrPortFrom(a, inventory.DefaultReflectorPort), Batch: batch, MaxPacket: inventory.MaxSize})
		if err != nil {
			f.w.t.Fatal(err)
		}
		f.sockets = append(f.sockets, s)
		f.ports = append(f.ports, f.Attach(s))
	}
	f.SetAllowed(parsed(addressesOf("p1")))
	f.Expect([]reflector.Expectation{{Test: "flows", DSCP: 10, Interval: every, Source: "p1", Address: parsed(addressesOf("p1"))[0],
		Local: f.addresses[0], FirstPort: 50000, Flows: 4}})
}

// down ends the reflector: its port is closed.
func (f *far) down() {
	for i, p := range f.ports {
		p.Detach()
		f.sockets[i].Close()
	}
	f.ports, f.sockets = nil, nil
}

func (f *far) drain() {
	for _, p := range f.ports {
		if _, err := p.Drain(); err != nil {
			f.w.t.Fatal(err)
		}
	}
}

func (v *virtual) restart() {
	v.far["p2"].down()
	v.far["p2"].up()
}

// impair harms those packets of a direction that hit chooses, until heal.
func (v *virtual) impair(direction bool, hit func(simulation.Packet) bool, harm simulation.Impairment) {
	harm.Of = func(p simulation.Packet) bool {
		if goesForward := p.To.Port() == inventory.DefaultReflectorPort; goesForward != direction || !hit(p) {
			return false
		}
		v.met[direction]++
		return true
	}
	v.heals = append(v.heals, v.sim.Impair(harm))
}

func (v *virtual) heal() (met map[bool]int) {
	for _, end := range v.heals {
		end()
	}
	met = v.met
	v.heals, v.met = nil, map[bool]int{}
	return met
}

// share chooses packets by chance, the same in every run.
func share(of float64) func(simulation.Packet) bool {
	random := rand.New(rand.NewPCG(3, 4))
	return func(simulation.Packet) bool { return random.Float64() < of }
}

func (v *virtual) lose(direction bool, of float64) {
	v.impair(direction, share(of), simulation.Impairment{Loss: 1})
}

func (v *virtual) duplicate(direction bool, of float64) {
	v.impair(direction, share(of), simulation.Impairment{Duplication: 1})
}

func (v *virtual) remark(direction bool, dscp uint8) {
	v.impair(direction, share(1), simulation.Impairment{Remark: func(uint8) uint8 { return dscp << 2 }})
}

// delay has packets to the reflectors take longer, from now on.
func (v *virtual) delay(by time.Duration) {
	v.impair(forward, share(1), simulation.Impairment{Delay: by})
}
