package wire

import "ixpqos/internal/inventory"

// Links are how surely every member of every link is measured.
type Links struct {
	Inventory string         `json:"inventory" doc:"version of the inventory"`
	Links     []LinkCoverage `json:"links" doc:"in the order of the inventory, each in both directions"`
}

// Covered are the probabilities that no member is missed.
type Covered struct {
	Covered    float64 `json:"covered" doc:"probability, 0 to 1, that every member was measured by at least one tuple" minimum:"0" maximum:"1"`
	Detectable float64 `json:"detectable" doc:"probability, 0 to 1, that every member was measured by at least three tuples, which is what telling 5 % loss on one member within 30 s takes" minimum:"0" maximum:"1"`
}

// OwnCovered is Covered by one pair's tuples alone.
type OwnCovered struct {
	Covered    float64 `json:"own_covered" doc:"probability, 0 to 1, that every member was measured by at least one of this pair's own tuples, whatever other pairs send" minimum:"0" maximum:"1"`
	Detectable float64 `json:"own_detectable" doc:"probability, 0 to 1, that every member was measured by at least three of this pair's own tuples, whatever other pairs send" minimum:"0" maximum:"1"`
}

// LinkCoverage is how surely every member of a link is measured in one direction.
type LinkCoverage struct {
	Link    string `json:"link"`
	From    string `json:"from" doc:"the switch that packets come from"`
	To      string `json:"to" doc:"the switch that they go to"`
	Members int    `json:"members" doc:"parallel cables of the link"`
	Hash    string `json:"hash" enum:"l4,l3,l2" doc:"the layer whose addresses, and on l4 ports, choose the member"`
	Tuples  int    `json:"tuples" doc:"distinct ones of what the link hashes, that cross it in this direction: of all pairs, requests and replies"`
	Covered
	Assumption string `json:"assumption" doc:"what the probabilities rest on"`
}

// PairLink is a link on the way of a pair.
type PairLink struct {
	LinkCoverage
	OwnTuples int `json:"own_tuples" doc:"how many of the tuples are this pair's own: its requests where the link is on the way forward, the replies to them on the way back"`
	OwnCovered
}

// PairCoverage is how surely every member on the way of a pair is measured.
type PairCoverage struct {
	Inventory string     `json:"inventory" doc:"version of the inventory"`
	Source    string     `json:"source"`
	Target    string     `json:"target"`
	Forward   []PairLink `json:"forward" doc:"the links from source to target, in their order"`
	Backward  []PairLink `json:"backward" doc:"the links from target to source, in their order"`
	Total     Total      `json:"total" doc:"the products over all links, forward and backward; 1 where the way has none. They assume that successive switches hash independently"`
}

// Total is what holds for a whole way.
type Total struct {
	Covered
	OwnCovered
}

// LinksOf are the links of an inventory's version.
func LinksOf(version string, links []inventory.LinkCoverage) Links {
	return Links{Inventory: version, Links: each(links, fromLinkCoverage)}
}

// CoverageOf is a pair's coverage by an inventory's version.
func CoverageOf(version string, pair inventory.PairCoverage) PairCoverage {
	return PairCoverage{Inventory: version, Source: pair.Source, Target: pair.Target,
		Forward: each(pair.Forward, fromPairLink), Backward: each(pair.Backward, fromPairLink),
		Total: Total{Covered(pair.All), OwnCovered(pair.Own)}}
}

func fromLinkCoverage(l inventory.LinkCoverage) LinkCoverage {
	return LinkCoverage{Link: l.Link, From: l.From, To: l.To, Members: l.Members, Hash: l.Hash, Tuples: l.Tuples,
		Covered: Covered(l.Certainty), Assumption: l.Assumption}
}

func fromPairLink(l inventory.PairLink) PairLink {
	return PairLink{LinkCoverage: fromLinkCoverage(l.LinkCoverage), OwnTuples: l.OwnTuples, OwnCovered: OwnCovered(l.Own)}
}

// each is never null.
func each[From, To any](list []From, convert func(From) To) []To {
	converted := make([]To, len(list))
	for i, from := range list {
		converted[i] = convert(from)
	}
	return converted
}
