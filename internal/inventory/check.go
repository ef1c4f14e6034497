package inventory

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"ixpqos/internal/ippm"
)

const maxMembers = 1024

var (
	hashes = []string{HashL4, HashL3, HashL2}
	kinds  = []string{KindICMP, KindSTAMP}
)

// checker turns a raw inventory into a typed one and collects what is wrong.
type checker struct {
	problems
	inv *Inventory
	// switches are the known switches, in order, and siteOf says where they stand.
	switches []string
	siteOf   map[string]string
	taken    map[claim]string
}

// claim is something that only one owner may have: a name, an address, a key.
type claim struct{ space, value string }

// owner is what a problem is about.
type owner struct {
	label string
	line  int
}

func newChecker(file string) *checker {
	return &checker{problems: problems{file: file}, inv: &Inventory{}, siteOf: map[string]string{}, taken: map[claim]string{}}
}

// check is the typed inventory of the raw one.
func check(file string, raw rawInventory) (*Inventory, error) {
	c := newChecker(file)
	c.exchange(raw.Exchange)
	c.sites(raw.Sites.Value)
	c.links(raw.Links.Value)
	c.probes(raw.Probes)
	c.targets(raw.Targets.Value)
	c.peers(max(raw.Probes.Line, raw.Targets.Line), len(raw.Probes.Value)+len(raw.Targets.Value))
	c.viewers(raw.Viewers.Value)
	return c.finish(c.tests(raw.Tests))
}

// finish checks what can only be told of a whole inventory. The plans are
// those of its tests; others are the problems of further files.
func (c *checker) finish(plans []planned, others ...*problems) (*Inventory, error) {
	all := append(others, &c.problems)
	if joined(all...) == nil {
		loads := loadsOf(c.inv)
		c.pairs(plans, loads)
		c.rounds(plans, loads)
		c.packets(plans, loads)
		c.streams(plans, loads)
	}
	if err := joined(all...); err != nil {
		return nil, err
	}
	c.inv.Version = version(*c.inv)
	return c.inv, nil
}

// version is a hash of the content. Keys and viewers are no part of it: a
// probe that gets a new key has nothing else to do than before.
func version(inv Inventory) string {
	inv.Version, inv.Viewers = "", nil
	inv.Probes = slices.Clone(inv.Probes)
	for i := range inv.Probes {
		inv.Probes[i].KeyHashes = nil
	}
	text, err := json.Marshal(inv)
	if err != nil {
		panic(err) // only texts and numbers: it cannot fail
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:6])
}

func (c *checker) exchange(raw at[string]) {
	if !raw.given() {
		return
	}
	if err := ippm.CheckName(raw.Value); err != nil {
		c.add(raw.Line, "exchange %.80q %v", raw.Value, err)
	}
	c.inv.Exchange = raw.Value
}

func (c *checker) sites(raw []at[rawSite]) {
	for _, r := range raw {
		c.named("site", "site", r.Value.Name, r.Line)
		site := Site{Name: r.Value.Name.Value}
		for _, name := range r.Value.Switches.Value {
			c.named("switch", "switch", name, name.Line)
			c.siteOf[name.Value] = site.Name
			c.switches = append(c.switches, name.Value)
			site.Switches = append(site.Switches, name.Value)
		}
		c.inv.Sites = append(c.inv.Sites, site)
	}
}

func (c *checker) links(raw []at[rawLink]) {
	for _, r := range raw {
		o := c.named("link", "link", r.Value.Name, r.Line)
		link := Link{Name: r.Value.Name.Value, Hash: c.choice(o, "hash", r.Value.Hash, hashes, HashL4)}
		link.Between = c.between(o, r.Value.Between)
		if !r.Value.Members.given() {
			c.fail(o, r.Line, "has no members; say how many parallel cables it has, 1 to %d", maxMembers)
		}
		link.Members = c.number(o, "members", r.Value.Members, 1, maxMembers, 0)
		c.inv.Links = append(c.inv.Links, link)
	}
}

func (c *checker) between(o owner, raw at[[]at[string]]) (ends [2]string) {
	if len(raw.Value) != 2 {
		c.fail(o, raw.Line, "between has %d entries; it names the two switches that the link joins", len(raw.Value))
		return ends
	}
	for i, end := range raw.Value {
		ends[i] = end.Value
		if _, known := c.siteOf[end.Value]; !known {
			c.fail(o, end.Line, "there is no switch %.80q%s", end.Value, hint(end.Value, c.switches, "switches are"))
		}
	}
	if ends[0] == ends[1] {
		c.fail(o, raw.Line, "joins switch %.80q to itself; it joins two switches", ends[0])
	}
	return ends
}

func (c *checker) viewers(raw []at[rawViewer]) {
	for _, r := range raw {
		o := c.named("viewer", "viewer", r.Value.Name, r.Line)
		viewer := Viewer{Name: r.Value.Name.Value, KeyHashes: c.keys(o, r.Value.KeySHA256.Value)}
		if len(r.Value.KeySHA256.Value) == 0 {
			c.fail(o, r.Value.KeySHA256.Line, "has no key_sha256; a viewer needs at least one")
		}
		c.inv.Viewers = append(c.inv.Viewers, viewer)
	}
}

// named checks a name, which must be the only one of its space, and is the
// owner to name in further problems.
func (c *checker) named(space, kind string, name at[string], line int) owner {
	o := owner{label: fmt.Sprintf("%s %.80q", kind, name.Value), line: line}
	if !name.given() {
		o.label = "a " + kind + " without a name"
		c.fail(o, line, "give it one of 1 to %d bytes", ippm.MaxName)
		return o
	}
	if err := ippm.CheckName(name.Value); err != nil {
		c.fail(o, name.Line, "the name %v", err)
		return o
	}
	if space != "" {
		c.claimName(space, name, o)
	}
	return o
}

// claimName takes a name for its owner, and all that look like it.
func (c *checker) claimName(space string, name at[string], o owner) {
	seen := look(name.Value)
	if seen == "" {
		c.fail(o, name.Line, "the name %+q has only characters that are not shown", name.Value)
		return
	}
	holder, alike := c.claim(space, name.Value, o, name.Line), c.claim("look of "+space, seen, o, name.Line)
	switch {
	case holder != "":
		c.fail(o, name.Line, "the name is taken by %s", holder)
	case alike != "":
		c.fail(o, name.Line, "the name %+q looks like that of %s; %s", name.Value, alike, retype)
	}
}

// claim takes a value for its owner; where another has it already, that is the holder.
func (c *checker) claim(space, value string, o owner, line int) (holder string) {
	key := claim{space, value}
	if holder = c.taken[key]; holder == "" {
		c.taken[key] = fmt.Sprintf("%s in line %d", o.label, line)
	}
	return holder
}

// fail adds a problem of the owner, in its own line where the value has none.
func (c *checker) fail(o owner, line int, format string, args ...any) {
	if line == 0 {
		line = o.line
	}
	c.add(line, "%s: %s", o.label, fmt.Sprintf(format, args...))
}

// choice is one of the known words, or absent where it is not given.
func (c *checker) choice(o owner, key string, raw at[string], known []string, absent string) string {
	if !raw.given() {
		return absent
	}
	if !slices.Contains(known, raw.Value) {
		c.fail(o, raw.Line, "%s %.80q is not known; known are %s", key, raw.Value, strings.Join(known, ", "))
	}
	return raw.Value
}

func (c *checker) number(o owner, key string, raw at[int], low, high, absent int) int {
	if !raw.given() {
		return absent
	}
	if raw.Value < low || raw.Value > high {
		c.fail(o, raw.Line, "%s is %d; it is %d to %d", key, raw.Value, low, high)
	}
	return raw.Value
}

// filled refuses a list that is there but empty: leaving it out means something
// else, and an emptied one must not mean that by accident.
func filled[T any](c *checker, o owner, key string, raw at[[]at[T]], absent string) bool {
	if raw.given() && len(raw.Value) == 0 {
		c.fail(o, raw.Line, "%s is empty; leave it out for %s", key, absent)
	}
	return len(raw.Value) > 0
}

// once reports whether a list has the value for the first time, and fails otherwise.
func once[T comparable](c *checker, o owner, key string, before []T, raw at[T]) bool {
	if slices.Contains(before, raw.Value) {
		c.fail(o, raw.Line, "%s has %v twice", key, raw.Value)
		return false
	}
	return true
}
