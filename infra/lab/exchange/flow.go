package exchange

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"ixpqos/infra/lab/netns"
)

// Flow is one of UDP, and how many of its packets came to a member so far, with
// those that a fault then lost.
type Flow struct {
	Source, Destination         netip.Addr
	SourcePort, DestinationPort uint16
	Packets                     uint64
}

// Crossing tells which flows cross a member in a direction.
func (x *Exchange) Crossing(at Place) ([]Flow, error) {
	b, err := x.find(at)
	if err != nil {
		return nil, err
	}
	members, err := x.crossing(b)
	return members[at.Member], err
}

// flowSet is a set of nft with a counter in every element (libnftables-json(5)).
type flowSet struct {
	Name     string `json:"name"`
	Elements []struct {
		Element struct {
			Value struct {
				Concatenation []json.RawMessage `json:"concat"`
			} `json:"val"`
			Counter struct {
				Packets uint64 `json:"packets"`
			} `json:"counter"`
		} `json:"elem"`
	} `json:"elem"`
}

// crossing gives the flows of all members of a bundle, in order.
func (x *Exchange) crossing(b bundle) (map[int][]Flow, error) {
	sets, err := netns.List[flowSet](x.Network, b.name(), "set", "table netdev bundle")
	if err != nil {
		return nil, err
	}
	members := map[int][]Flow{}
	for _, set := range sets {
		name, _, _ := strings.Cut(strings.TrimPrefix(set.Name, "m"), "-")
		member, err := strconv.Atoi(name)
		if err != nil {
			return nil, fmt.Errorf("a set %s in %s is not of a member", set.Name, b.name())
		}
		for _, e := range set.Elements {
			f := Flow{Packets: e.Element.Counter.Packets}
			if err := f.parse(e.Element.Value.Concatenation); err != nil {
				return nil, fmt.Errorf("set %s in %s: %w", set.Name, b.name(), err)
			}
			members[member] = append(members[member], f)
		}
	}
	for _, flows := range members {
		slices.SortFunc(flows, Flow.compare)
	}
	return members, nil
}

// parse reads what tells the flow apart.
func (f *Flow) parse(concatenation []json.RawMessage) error {
	into := []any{&f.Source, &f.Destination, &f.SourcePort, &f.DestinationPort}
	if len(concatenation) != len(into) {
		return fmt.Errorf("%s is not a flow", concatenation)
	}
	for i, part := range concatenation {
		if err := json.Unmarshal(part, into[i]); err != nil {
			return fmt.Errorf("%s is not a flow: %w", concatenation, err)
		}
	}
	return nil
}

func (f Flow) compare(g Flow) int {
	return cmp.Or(f.Source.Compare(g.Source), f.Destination.Compare(g.Destination),
		cmp.Compare(f.SourcePort, g.SourcePort), cmp.Compare(f.DestinationPort, g.DestinationPort))
}

func (f Flow) String() string {
	return fmt.Sprintf("%v → %v", netip.AddrPortFrom(f.Source, f.SourcePort), netip.AddrPortFrom(f.Destination, f.DestinationPort))
}
