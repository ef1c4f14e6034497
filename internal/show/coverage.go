package show

import (
	"context"
	"fmt"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"ixpqos/internal/inventory"
	"ixpqos/internal/wire"
)

// covered is how surely all tests of an inventory measure its links.
func (v *Viewer) covered(inv *inventory.Inventory) *inventory.Coverage {
	return v.coverage.of(inv, func(inv *inventory.Inventory) *inventory.Coverage { return inv.Coverage(inv.Tests...) })
}

type linksOutput struct{ Body wire.Links }

func (v *Viewer) getLinks(context.Context, *struct{}) (*linksOutput, error) {
	inv := v.Inventory()
	return &linksOutput{Body: wire.LinksOf(inv.Version, v.covered(inv).Links)}, nil
}

type coverageOutput struct{ Body wire.PairCoverage }

func (v *Viewer) getCoverage(_ context.Context, in *PairInput) (*coverageOutput, error) {
	inv := v.Inventory()
	pair, ok := v.covered(inv).Pair(in.Source, in.Target)
	switch {
	case ok:
		return &coverageOutput{Body: wire.CoverageOf(inv.Version, pair)}, nil
	case !knowsPair(inv, *in):
		return nil, unknownPair(*in)
	}
	return nil, huma.Error404NotFound(uncovered(inv, *in))
}

// uncovered is why nothing can be said of the way of a pair.
func uncovered(inv *inventory.Inventory, in PairInput) string {
	if !measuresFlows(inv, in, "") {
		return fmt.Sprintf("no test of kind %s measures from %q to %q, so that none of its packets is spread over the members of links", inventory.KindSTAMP, in.Source, in.Target)
	}
	source, _ := inv.Node(in.Source)
	target, _ := inv.Node(in.Target)
	for _, node := range []inventory.Node{source, target} {
		if node.Switch == "" {
			return fmt.Sprintf("the way from %q to %q is not known: the inventory gives no switch for %q", in.Source, in.Target, node.Name)
		}
	}
	return fmt.Sprintf("the way from %q to %q is not known: no links of the inventory lead from switch %q to switch %q", in.Source, in.Target, source.Switch, target.Switch)
}

// measuresFlows tells whether a test measures flows of the pair: the one of the
// name, or any where it is empty.
func measuresFlows(inv *inventory.Inventory, in PairInput, name string) bool {
	part, _ := inv.Part(in.Source)
	return slices.ContainsFunc(inv.Tests, func(test inventory.Test) bool {
		return test.Kind == inventory.KindSTAMP && (name == "" || name == test.Name) &&
			slices.ContainsFunc(part.Pairs(test), func(pair inventory.Pair) bool { return pair.Target == in.Target })
	})
}
