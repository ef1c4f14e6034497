package lab

import (
	"slices"
	"testing"
	"time"

	"ixpqos/infra/lab/exchange"
)

// Exchange is one with sites, bundles and faults, as package exchange describes
// it. What its methods cannot do ends the test.
type Exchange struct {
	Sites  []exchange.Site
	Links  []exchange.Link
	Probes []exchange.Probe

	exchange *exchange.Exchange
}

// NewExchange makes an exchange, which lives as long as the test. It skips the
// test where the machine cannot have one.
func NewExchange(t testing.TB, o exchange.Options) *Exchange {
	t.Helper()
	x, err := exchange.New(prefix(t), o)
	must(t, err)
	t.Cleanup(func() { complain(t, x.Close()) })
	return &Exchange{Sites: x.Sites, Links: x.Links, Probes: x.Probes, exchange: x}
}

// Host is the one of a probe: "p1".
func (x *Exchange) Host(t testing.TB, probe string) *Host {
	t.Helper()
	i := slices.IndexFunc(x.Probes, func(p exchange.Probe) bool { return p.Name == probe })
	if i < 0 {
		t.Fatalf("lab: no probe %s in the exchange", probe)
	}
	return &Host{Name: probe, network: x.exchange.Network, link: x.exchange.Host(x.Probes[i])}
}

// Manage gives the exchange a management network, and returns its server's host.
func (x *Exchange) Manage(t testing.TB) *Host {
	t.Helper()
	must(t, x.exchange.Manage())
	return &Host{Name: exchange.Server, network: x.exchange.Network, link: exchange.ServerHost()}
}

// Lose loses a share of the packets: all at 100 percent.
func (x *Exchange) Lose(t testing.TB, at exchange.Place, percent float64) {
	t.Helper()
	must(t, x.exchange.Lose(at, percent))
}

// Kill makes a link dead.
func (x *Exchange) Kill(t testing.TB, link string) {
	t.Helper()
	must(t, x.exchange.Kill(link))
}

// Remark gives packets another DSCP.
func (x *Exchange) Remark(t testing.TB, at exchange.Place, dscp int) {
	t.Helper()
	must(t, x.exchange.Remark(at, dscp))
}

// Duplicate lets a share of the packets arrive twice.
func (x *Exchange) Duplicate(t testing.TB, at exchange.Place, percent float64) {
	t.Helper()
	must(t, x.exchange.Duplicate(at, percent))
}

// Delay holds every packet back.
func (x *Exchange) Delay(t testing.TB, at exchange.Place, by time.Duration) {
	t.Helper()
	must(t, x.exchange.Delay(at, by))
}

// Reorder holds a share of the packets back.
func (x *Exchange) Reorder(t testing.TB, at exchange.Place, percent float64, by time.Duration) {
	t.Helper()
	must(t, x.exchange.Reorder(at, percent, by))
}

// Heal removes every fault, and tells how many packets each has touched.
func (x *Exchange) Heal(t testing.TB) []exchange.Fault {
	t.Helper()
	ended, err := x.exchange.Heal()
	must(t, err)
	return ended
}

// Faults are those that are active.
func (x *Exchange) Faults(t testing.TB) []exchange.Fault {
	t.Helper()
	faults, err := x.exchange.Faults()
	must(t, err)
	return faults
}

// Crossing tells which flows crossed a member in a direction so far.
func (x *Exchange) Crossing(t testing.TB, at exchange.Place) []exchange.Flow {
	t.Helper()
	flows, err := x.exchange.Crossing(at)
	must(t, err)
	return flows
}
