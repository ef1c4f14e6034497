package sender

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
	"ixpqos/internal/measure/stamp"
)

// test is a test that runs.
type test struct {
	inventory.Test
	source, netif string
	addresses     []inventory.Address
	tell          func(sentence string)
	missed        func()
	random        func() uint16
	origin        int64
	patience      time.Duration

	lanes  []*lane
	pairs  []*pair // by slot; nil where none is
	bySSID map[uint16]*pair
	clock  stamp.ErrorEstimate

	interval interval
	given    spans // in which whole intervals began, by the wall clock
	closed   []interval
	settled  int // pairs of the oldest closed interval
	ending   bool
	misfits  int // of this tick
	results  []ippm.Result
	books    books
	lateness ippm.Delay
	unusable []error   // pairs
	failures []failure // since the newest interval was given
}

func newTest(plan inventory.Test, part inventory.Part, phase int64) *test {
	t := &test{Test: plan, source: part.Probe, netif: part.Interface, addresses: part.Addresses, bySSID: map[uint16]*pair{}}
	t.books.lateness = &t.lateness
	families := plan.Families
	period := int64(plan.Spacing / Tick)
	for _, family := range families {
		for flow := range plan.Flows {
			place := int64(flow*len(families) + slices.Index(families, family))
			t.lanes = append(t.lanes, &lane{family: family, flow: flow, port: plan.Port + uint16(flow),
				offset: (place*period/int64(plan.Flows*len(families)) + phase) % period})
		}
	}
	return t
}

// from is the own address in a family.
func (t *test) from(family uint8) (netip.Addr, error) {
	for _, a := range t.addresses {
		if a.Family == family {
			return netip.ParseAddr(a.Host)
		}
	}
	return netip.Addr{}, fmt.Errorf("this probe has no IPv%d address", family)
}

// take makes the pairs those that are wanted. Those that stay are not touched:
// what is measured to one target does not suffer from another that comes.
func (t *test) take(wanted []inventory.Pair, peers []inventory.Peer) {
	t.unusable = nil
	for _, p := range t.pairs {
		if p != nil && !p.left && !slices.Contains(wanted, p.Pair) {
			p.left, p.until = true, t.interval.number
		}
	}
	if len(t.closed) == 0 {
		t.dropLeft(t.interval.number)
	}
	for _, w := range wanted {
		if !slices.ContainsFunc(t.pairs, func(p *pair) bool { return p != nil && !p.left && p.Pair == w }) {
			t.add(w)
		}
	}
	for _, p := range t.pairs {
		if p != nil {
			p.isProbe(slices.ContainsFunc(peers, func(q inventory.Peer) bool { return q.Name == p.Target && q.IsProbe() }))
		}
	}
}

// dropLeft drops the pairs that left the test of which all intervals are settled,
// up to that one.
func (t *test) dropLeft(settled uint32) {
	for slot, p := range t.pairs {
		if p != nil && p.left && settled+1 >= p.until {
			delete(t.bySSID, p.ssid)
			t.pairs[slot] = nil
		}
	}
	for len(t.pairs) > 0 && t.pairs[len(t.pairs)-1] == nil {
		t.pairs = t.pairs[:len(t.pairs)-1]
	}
}

func (t *test) add(wanted inventory.Pair) {
	address, err := netip.ParseAddr(wanted.To)
	if err != nil {
		t.unusable = append(t.unusable, fmt.Errorf("target %q: %w", wanted.Target, err))
		return
	}
	slot := slices.Index(t.pairs, nil)
	if slot < 0 {
		slot = len(t.pairs)
		t.pairs = append(t.pairs, nil)
	}
	p := &pair{Pair: wanted, to: netip.AddrPortFrom(address, wanted.ReflectorPort), ssid: t.newSSID(), slot: slot, from: t.interval.number + 1}
	if err := t.openSessions(p); err != nil {
		t.unusable = append(t.unusable, fmt.Errorf("target %q: %w", wanted.Target, err))
		return
	}
	t.pairs[slot] = p
	t.bySSID[p.ssid] = p
}

// newSSID is one that no session of the test has, nor had before a restart but by
// chance: with the old one, the reflector's numbers would go on where its old
// session ended (RFC 8972, section 3).
func (t *test) newSSID() uint16 {
	for {
		ssid := t.random()
		if _, taken := t.bySSID[ssid]; ssid != 0 && !taken {
			return ssid
		}
	}
}

// The headers that are in the size of a test (RFC 791, RFC 8200, RFC 768).
const ipv4Header, ipv6Header, udpHeader = 20, 40, 8

func (t *test) openSessions(p *pair) error {
	payload := t.Size - udpHeader - ipv4Header
	if p.Family == 6 {
		payload = t.Size - udpHeader - ipv6Header
	}
	size := recordsFor(t.Every, t.Spacing)
	records := make([]record, size*t.Flows)
	for flow := range t.Flows {
		packet, err := stamp.AppendRequest(nil, stamp.Request{SSID: p.ssid, ReplyDSCP: t.DSCP}, payload)
		if err != nil {
			return err
		}
		p.sessions = append(p.sessions, newSession(records[flow*size:(flow+1)*size:(flow+1)*size], packet, p.Stateful))
	}
	return nil
}

// recordsFor is how many records a session needs: of an interval, what is sent
// until it is settled, and one packet at either end.
func recordsFor(every, spacing time.Duration) int {
	return ringSize(int((every+settleAfter+(settleTicks+1)*Tick)/spacing) + 2)
}

// second is which one of its interval a moment is in.
func (t *test) second(m Moment) int64 { return (m.Wall - t.interval.start) / int64(time.Second) }

func (t *test) pairAt(slot int) *pair {
	if slot >= len(t.pairs) {
		return nil
	}
	return t.pairs[slot]
}

// pairTo is the pair to an address and port, the one that is sent to where there
// are two.
func (t *test) pairTo(address netip.AddrPort) (found *pair) {
	for _, p := range t.pairs {
		if p != nil && p.to == address && (found == nil || found.left) {
			found = p
		}
	}
	return found
}

func (t *test) settlePair(p *pair, i interval) {
	if p == nil {
		return
	}
	if !i.whole || i.number < p.from || p.left && i.number >= p.until {
		for _, s := range p.sessions {
			s.discard(i.number)
		}
		return
	}
	t.books.open(ippm.ID{
		Series: ippm.Series{Source: t.source, Target: p.Target, Test: t.Name, Family: p.Family, DSCP: t.DSCP},
		Start:  time.Unix(0, i.start).UTC(),
	}, t.Kind, t.Every, t.Flows)
	for flow, s := range p.sessions {
		t.books.settle(s, t.Port+uint16(flow), i.number, &p.unserved)
	}
	p.uncounted += t.books.uncounted
	p.untimed += t.books.untimed
	t.results = append(t.results, t.books.close())
}

func (t *test) close() (err error) {
	for _, l := range t.lanes {
		if l.socket != nil {
			err = cmp.Or(err, l.socket.Close())
		}
	}
	return err
}
