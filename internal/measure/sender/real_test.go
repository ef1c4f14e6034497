package sender

import (
	"maps"
	"testing"
	"time"

	"ixpqos/infra/lab"
	"ixpqos/infra/lab/exchange"
	"ixpqos/internal/inventory"
	"ixpqos/internal/measure/reflector"
	"ixpqos/internal/measure/timestamp"
)

// between is the one link on the way from p1 to p2.
const between = "sw1-sw2"

// actual is an exchange in network namespaces.
type actual struct {
	*world
	exchange  *lab.Exchange
	began     time.Time
	p2        *lab.Host
	reflector *reflector.Reflector
}

// real is a world in real time, with p1 and p2.
func real(t *testing.T, part inventory.Part) *world {
	t.Helper()
	a := &actual{exchange: lab.NewExchange(t, exchange.Options{Members: 1}), began: time.Now()}
	for _, p := range a.exchange.Probes {
		// Router Solicitations cross the faulty member, and would be counted.
		a.exchange.Host(t, p.Name).Sysctl(t, "net.ipv6.conf."+lab.Device+".accept_ra", "0")
	}
	p1 := a.exchange.Host(t, "p1")
	a.p2 = a.exchange.Host(t, "p2")
	a.world = newWorld(t, func(o timestamp.Options) (s Socket, err error) {
		p1.Enter(t, func() error {
			s, err = timestamp.Open(o)
			return nil
		})
		return s, err
	})
	a.network = a
	a.settings.Origin = a.began.Add(time.Second).UnixNano() - int64(part.Tests[0].Every)
	a.up()
	t.Cleanup(func() { a.reflector.Close() })
	a.apply(part)
	return a.world
}

func (a *actual) up() {
	host := reflector.ThisHost("p2", func(subject, sentence string) {})
	host.Open = func(o timestamp.Options) (s reflector.Socket, err error) {
		a.p2.Enter(a.t, func() error {
			s, err = timestamp.Open(o)
			return nil
		})
		return s, err
	}
	a.reflector = reflector.New(host)
	a.reflector.SetAllowed(parsed(addressesOf("p1")))
	settings := reflector.Settings{Addresses: parsed(addressesOf("p2")), Port: inventory.DefaultReflectorPort}
	for _, problem := range a.reflector.Apply(settings) {
		a.t.Error(problem)
	}
}

func (a *actual) restart() {
	a.reflector.Close()
	a.up()
}

func (a *actual) wall() int64 { return timestamp.Now() }

func (a *actual) run(d time.Duration) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for end := time.Now().Add(d); time.Now().Before(end); {
		<-timer.C
		now := time.Now()
		m := Moment{Wall: now.UnixNano(), Since: now.Sub(a.began)}
		a.Tick(m, a.take)
		timer.Reset(a.Wait(m))
	}
}

func place(direction bool) exchange.Place {
	if direction == forward {
		return exchange.Place{Link: between, Direction: exchange.Forward}
	}
	return exchange.Place{Link: between, Direction: exchange.Backward}
}

// heal waits until no packet that was harmed is on its way any more: none is sent
// meanwhile.
func (a *actual) heal() (met map[bool]int) {
	before := map[bool]int{}
	for {
		met = map[bool]int{}
		for _, f := range a.exchange.Faults(a.t) {
			met[f.At.Direction == exchange.Forward] += int(f.Packets)
		}
		if maps.Equal(met, before) {
			break
		}
		before = met
	}
	a.exchange.Heal(a.t)
	return met
}

func (a *actual) lose(direction bool, share float64) {
	a.exchange.Lose(a.t, place(direction), 100*share)
}

func (a *actual) duplicate(direction bool, share float64) {
	a.exchange.Duplicate(a.t, place(direction), 100*share)
}

func (a *actual) remark(direction bool, dscp uint8) {
	a.exchange.Remark(a.t, place(direction), int(dscp))
}
