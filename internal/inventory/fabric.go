package inventory

import "slices"

// fabric is the switches and the links between them.
type fabric struct {
	links []Link
	// switches are in the order of the inventory; at says which one a node hangs on.
	switches []string
	at       map[string]int
	// trees has, for every switch that was asked for, by which link every other one
	// is reached from it.
	trees map[int][]int
}

// none stands for a link that is not there.
const none = -1

func newFabric(inv *Inventory) *fabric {
	f := &fabric{links: inv.Links, at: map[string]int{}, trees: map[int][]int{}}
	for _, site := range inv.Sites {
		f.switches = append(f.switches, site.Switches...)
	}
	for _, probe := range inv.Probes {
		f.at[probe.Name] = slices.Index(f.switches, probe.Switch)
	}
	for _, target := range inv.Targets {
		f.at[target.Name] = slices.Index(f.switches, target.Switch)
	}
	return f
}

// direction is one of the two of a link: 2 i is that of link i from its first
// switch to its second, 2 i + 1 the other.
type direction int

func (d direction) link() int { return int(d) / 2 }

// ends are the switches that it leads from and to.
func (d direction) ends(links []Link) (from, to string) {
	between := links[d.link()].Between
	return between[d%2], between[1-d%2]
}

// way is the directed links from one node to another: the fewest that there are,
// and of several such ways the one by the links that the inventory lists first,
// seen from the switch that it lists first, so that there and back are the same
// way. Which one a fabric takes only its operator could tell. A link beside
// another one between the same two switches is taken to carry nothing. ok is
// false where a node's switch is not known, or nothing leads there.
func (f *fabric) way(from, to string) (way []direction, ok bool) {
	a, b := f.at[from], f.at[to]
	if a == none || b == none {
		return nil, false
	}
	if a <= b {
		return f.descend(a, b)
	}
	way, ok = f.descend(b, a)
	slices.Reverse(way)
	for i := range way {
		way[i] ^= 1
	}
	return way, ok
}

func (f *fabric) descend(root, to int) (way []direction, ok bool) {
	via := f.tree(root)
	for to != root {
		if via[to] == none {
			return nil, false
		}
		d := direction(2 * via[to])
		if _, end := d.ends(f.links); end != f.switches[to] {
			d ^= 1
		}
		way = append(way, d)
		start, _ := d.ends(f.links)
		to = slices.Index(f.switches, start)
	}
	slices.Reverse(way)
	return way, true
}

// tree is by which link each switch is reached from the root, breadth first.
func (f *fabric) tree(root int) []int {
	if via, ok := f.trees[root]; ok {
		return via
	}
	via := slices.Repeat([]int{none}, len(f.switches))
	for queue := []int{root}; len(queue) > 0; queue = queue[1:] {
		for i, link := range f.links {
			to := f.other(link, queue[0])
			if to != none && via[to] == none {
				via[to] = i
				queue = append(queue, to)
			}
		}
	}
	f.trees[root] = via
	return via
}

// other is the switch at the other end of a link; none where it does not end here.
func (f *fabric) other(link Link, here int) int {
	switch f.switches[here] {
	case link.Between[0]:
		return slices.Index(f.switches, link.Between[1])
	case link.Between[1]:
		return slices.Index(f.switches, link.Between[0])
	}
	return none
}
