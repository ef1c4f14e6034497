package exchange

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Direction is one way over a link.
type Direction string

// Forward is from the switch that a link's name has first to the other.
const (
	Forward  Direction = "forward"
	Backward Direction = "backward"
)

// Place is where a fault is: one direction of one member.
type Place struct {
	Link      string
	Member    int
	Direction Direction
}

func (p Place) String() string { return fmt.Sprintf("%s member %d %s", p.Link, p.Member, p.Direction) }

// MostDelay is how long a fault may hold a packet back.
const MostDelay = 10 * time.Second

// A kind of fault is a chain of a hook and a priority: on a member's egress, or
// where the member arrives at the other end. The latter are those that send the
// packet themselves, which on the egress would meet the faults once more.
type kind struct {
	name     string
	arrives  bool
	priority int
}

var (
	dead      = kind{name: "dead", priority: -3}
	loss      = kind{name: "loss", priority: -2}
	remarking = kind{name: "dscp", priority: -1}
	duplicate = kind{name: "duplicate", priority: -3, arrives: true}
	reorder   = kind{name: "reorder", priority: -2, arrives: true}
	delay     = kind{name: "delay", priority: -1, arrives: true}
)

// Lose loses a share of the packets: all at 100 percent.
func (x *Exchange) Lose(at Place, percent float64) error {
	chance, err := random(percent)
	if err != nil {
		return err
	}
	return x.install(at, loss, fmt.Sprintf("loss of %g %%", percent), chance+" counter name touched drop")
}

// Kill makes a link dead: no member takes anything, in neither direction.
func (x *Exchange) Kill(link string) error {
	l, err := x.link(link)
	if err != nil {
		return err
	}
	for _, direction := range []Direction{Forward, Backward} {
		var rules strings.Builder
		for m := range l.Members {
			rules.WriteString(dead.ruleset(m, "dead link", "counter name touched drop"))
		}
		b, _ := l.bundle(direction)
		if err := x.NFT(b.name(), rules.String()); err != nil {
			return err
		}
	}
	return nil
}

// Remark gives packets another DSCP.
func (x *Exchange) Remark(at Place, dscp int) error {
	if dscp < 0 || dscp > 63 {
		return wrongf("DSCP %d: it is 0 to 63", dscp)
	}
	return x.install(at, remarking, fmt.Sprintf("DSCP %d", dscp),
		fmt.Sprintf("ip dscp != %d counter name touched ip dscp set %[1]d", dscp),
		fmt.Sprintf("ip6 dscp != %d counter name touched ip6 dscp set %[1]d", dscp))
}

// Duplicate lets a share of the packets arrive twice.
func (x *Exchange) Duplicate(at Place, percent float64) error {
	chance, err := random(percent)
	if err != nil {
		return err
	}
	return x.install(at, duplicate, fmt.Sprintf("%g %% duplicated", percent), chance+` counter name touched dup to "uplink"`)
}

// Delay holds every packet back by as much, and a little more.
func (x *Exchange) Delay(at Place, by time.Duration) error {
	return x.hold(at, delay, fmt.Sprintf("delay of %v", by), 100, by)
}

// Reorder holds a share of the packets back, so that those behind them overtake
// where they are due in that time.
func (x *Exchange) Reorder(at Place, percent float64, by time.Duration) error {
	return x.hold(at, reorder, fmt.Sprintf("%g %% held back by %v", percent, by), percent, by)
}

// hold has packets go through the holder, which reads the time from their mark.
func (x *Exchange) hold(at Place, k kind, what string, percent float64, by time.Duration) error {
	chance, err := random(percent)
	if err != nil {
		return err
	}
	if by < time.Microsecond || by > MostDelay {
		return wrongf("a delay of %v: it is %v to %v", by, time.Microsecond, MostDelay)
	}
	return x.install(at, k, what, fmt.Sprintf(`%s counter name touched meta mark set %d fwd to "hold"`, chance, by.Microseconds()))
}

// random is the match that holds for a share of the packets.
func random(percent float64) (string, error) {
	const whole = 10_000
	count := int(math.Round(percent / 100 * whole))
	if !(percent > 0 && percent <= 100) || count == 0 {
		return "", wrongf("%v %% of the packets: it is 0.01 to 100", percent)
	}
	return fmt.Sprintf("numgen random mod %d <= %d", whole, count-1), nil
}

// ruleset makes a fault on a member, in place of one of its kind. It is a table
// of its own; what it is called is the comment of its counter.
func (k kind) ruleset(member int, what string, rules ...string) string {
	hook := "egress"
	if k.arrives {
		hook = "ingress"
	}
	return fmt.Sprintf(`table netdev m%d-%s { }
delete table netdev m%[1]d-%[2]s
table netdev m%[1]d-%[2]s {
	counter touched {
		comment "%[3]s"
	}
	chain fault {
		type filter hook %[4]s device "m%[1]d" priority %[5]d
		%[6]s
	}
}
`, member, k.name, what, hook, k.priority, strings.Join(rules, "\n\t\t"))
}

// install puts a fault in its place.
func (x *Exchange) install(at Place, k kind, what string, rules ...string) error {
	b, err := x.find(at)
	if err != nil {
		return err
	}
	if k.arrives {
		b = b.reverse()
	}
	return x.NFT(b.name(), k.ruleset(at.Member, what, rules...))
}

// find is the bundle in which a place is.
func (x *Exchange) find(at Place) (bundle, error) {
	l, err := x.link(at.Link)
	if err != nil {
		return bundle{}, err
	}
	if at.Member < 0 || at.Member >= l.Members {
		return bundle{}, wrongf("member %d of link %s: it is 0 to %d", at.Member, l.Name, l.Members-1)
	}
	return l.bundle(at.Direction)
}

func (x *Exchange) link(name string) (Link, error) {
	i := slices.IndexFunc(x.Links, func(l Link) bool { return l.Name == name })
	if i >= 0 {
		return x.Links[i], nil
	}
	var names []string
	for _, l := range x.Links {
		names = append(names, l.Name)
	}
	return Link{}, wrongf("link %q: there are %s", name, strings.Join(names, ", "))
}

// bundle is one direction of the link.
func (l Link) bundle(d Direction) (bundle, error) {
	switch d {
	case Forward:
		return bundle{l.From, l.To}, nil
	case Backward:
		return bundle{l.To, l.From}, nil
	}
	return bundle{}, wrongf("direction %q of link %s: it is forward (from %s to %s) or backward", d, l.Name, l.From, l.To)
}
