package inventory

import (
	"math/bits"
	"sort"
)

// detectable is how many tuples a member needs so that a loss of 5 % on it is
// told within 30 s with 99 % certainty (simulated).
const detectable = 3

// Certainty is how sure it is that every member of a bundle, or of all bundles
// on a way, is measured: by one tuple at least, and by the three that it takes
// to tell a small loss soon.
type Certainty struct{ Covered, Detectable float64 }

func (c Certainty) and(other Certainty) Certainty {
	return Certainty{c.Covered * other.Covered, c.Detectable * other.Detectable}
}

// LinkCoverage is what crosses a link in one direction.
type LinkCoverage struct {
	Link, From, To string
	Members        int
	Hash           string
	// Tuples are the distinct ones of what the link hashes, of all pairs that cross
	// it, requests and replies.
	Tuples int
	Certainty
	// Assumption is what the certainty rests on.
	Assumption string
}

// PairLink is a link on the way of a pair, and what of its tuples are the pair's own.
type PairLink struct {
	LinkCoverage
	OwnTuples int
	Own       Certainty
}

// PairCoverage is how sure it is that a pair's way is measured. Both totals are
// products over all links of the way, there and back, so they assume that
// successive switches hash independently.
type PairCoverage struct {
	Source, Target    string
	Forward, Backward []PairLink
	// Own is by the pair's own tuples, All by those of all pairs.
	Own, All Certainty
}

// Coverage says how surely tests measure every member of every link. It may be
// asked by many at the same time.
type Coverage struct {
	// Links are in the order of the inventory, each there and then back.
	Links []LinkCoverage
	pairs map[ends]PairCoverage
}

// Pair is the coverage of a pair that one of the tests measures; false for any
// other, and where its way is not known.
func (c *Coverage) Pair(source, target string) (PairCoverage, bool) {
	pair, ok := c.pairs[ends{source, target}]
	return pair, ok
}

// Coverage computes that of all given tests of kind stamp together. It takes a
// while for a large exchange: once for an inventory is enough.
func (inv *Inventory) Coverage(tests ...Test) *Coverage {
	requests, f, sure := inv.requests(tests), newFabric(inv), assurance{}
	c := &Coverage{Links: make([]LinkCoverage, 2*len(inv.Links)), pairs: make(map[ends]PairCoverage, len(requests))}
	for i, tuples := range f.tuples(requests.withReplies()) {
		d := direction(i)
		link := inv.Links[d.link()]
		c.Links[i] = LinkCoverage{Link: link.Name, Members: link.Members, Hash: link.Hash, Tuples: tuples,
			Certainty: sure.of(tuples, link.Members), Assumption: assumptions[link.Hash]}
		c.Links[i].From, c.Links[i].To = d.ends(inv.Links)
	}
	for pair, own := range requests {
		if way, ok := f.way(pair.from, pair.to); ok {
			c.pairs[pair] = c.pair(pair, own, way, inv.Links, sure)
		}
	}
	return c
}

func (c *Coverage) pair(of ends, own share, way []direction, links []Link, sure assurance) PairCoverage {
	pair := PairCoverage{Source: of.from, Target: of.to, Own: Certainty{1, 1}, All: Certainty{1, 1}}
	cross := func(d direction) PairLink {
		tuples := own.tuples(links[d.link()].Hash)
		p := PairLink{LinkCoverage: c.Links[d], OwnTuples: tuples, Own: sure.of(tuples, c.Links[d].Members)}
		pair.Own, pair.All = pair.Own.and(p.Own), pair.All.and(p.Certainty)
		return p
	}
	for i := range way {
		pair.Forward = append(pair.Forward, cross(way[i]))
		pair.Backward = append(pair.Backward, cross(way[len(way)-1-i]^1))
	}
	return pair
}

var assumptions = map[string]string{
	HashL4: "assumes that the switches hash uniformly on layer 4, and independently of each other: a tuple is two addresses and two ports",
	HashL3: "assumes that the switches hash uniformly on layer 3, and independently of each other: a tuple is two addresses, so that more flows do not help",
	HashL2: "assumes that the switches hash uniformly on layer 2, and independently of each other: a tuple is two hosts with a hardware address each, so that neither more flows nor families help",
}

// assurance remembers what was computed: most links are asked for the same.
type assurance map[[2]int]Certainty

func (a assurance) of(tuples, members int) Certainty {
	question := [2]int{tuples, members}
	answer, ok := a[question]
	if !ok {
		answer = Certainty{Covered: AtLeast(tuples, members, 1), Detectable: AtLeast(tuples, members, detectable)}
		a[question] = answer
	}
	return answer
}

// ends are the nodes that a packet goes from and to.
type ends struct{ from, to string }

// share is what goes from one node to another: flows in families (a bit each).
type share struct {
	flows    int
	families uint64
}

// tuples are the distinct ones of what a link hashes. A node has at most one
// address per family, and one hardware address.
func (s share) tuples(hash string) int {
	switch hash {
	case HashL3:
		return bits.OnesCount64(s.families)
	case HashL2:
		return min(1, s.flows)
	default:
		return s.flows
	}
}

// traffic is everything that tests send over a fabric.
type traffic map[ends]share

func (t traffic) add(e ends, s share) {
	before := t[e]
	t[e] = share{before.flows + s.flows, before.families | s.families}
}

func (inv *Inventory) requests(tests []Test) traffic {
	requests := traffic{}
	for _, probe := range inv.Probes {
		part, _ := inv.Part(probe.Name)
		for _, test := range tests {
			if test.Kind != KindSTAMP {
				continue
			}
			for _, pair := range part.Pairs(test) {
				requests.add(ends{probe.Name, pair.Target}, share{test.Flows, 1 << pair.Family})
			}
		}
	}
	return requests
}

// withReplies adds the replies. That of a flow has its ports the other way
// round, so it is another tuple than any request between the same two.
func (t traffic) withReplies() traffic {
	all := traffic{}
	for e, s := range t {
		all.add(e, s)
		all.add(ends{e.to, e.from}, s)
	}
	return all
}

// tuples are how many cross each direction of each link.
func (f *fabric) tuples(all traffic) []int {
	counts := make([]int, 2*len(f.links))
	for e, s := range all {
		way, _ := f.way(e.from, e.to)
		for _, d := range way {
			counts[d] += s.tuples(f.links[d.link()].Hash)
		}
	}
	return counts
}

// certain is the certainty that flows: auto goes for.
const certain = 0.99

// enoughFlows is how many flows it takes until every link with layer-4 hashing
// that the test crosses has enough tuples of it, in both directions; at most
// what a probe with so many pairs may have.
func (inv *Inventory) enoughFlows(t Test, pairs int) int {
	t.Flows = 1
	flows, enough := 1, map[int]int{}
	for i, each := range newFabric(inv).tuples(inv.requests([]Test{t}).withReplies()) {
		link := inv.Links[direction(i).link()]
		if each == 0 || link.Hash != HashL4 {
			continue
		}
		if enough[link.Members] == 0 {
			enough[link.Members] = enoughTuples(link.Members)
		}
		flows = max(flows, (enough[link.Members]+each-1)/each)
	}
	return max(1, min(flows, MaxFlows, MaxProbeFlows/max(1, pairs)))
}

// enoughTuples is how many put three on each member.
func enoughTuples(members int) int {
	// A hundred a member are enough for any number of members that a link can have.
	// The first number for which Boole's inequality says so is hardly more than it takes.
	least := detectable * members
	n := least + sort.Search(100*members-least, func(more int) bool {
		return float64(members)*fewer(least+more, members, detectable) <= 1-certain
	})
	for AtLeast(n-1, members, detectable) >= certain {
		n--
	}
	return n
}
