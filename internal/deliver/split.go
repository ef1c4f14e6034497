package deliver

import (
	"encoding/json"
	"errors"
	"fmt"

	"ixpqos/internal/wire"
)

// group is what is stored in one row: results of one (test, family, dscp), and
// what was heard of it, stay in one batch, so that every row is written whole.
type group struct {
	test         string
	family, dscp uint8
}

func groupOf(r wire.Result) group { return group{r.Test, r.Family, r.DSCP} }

func groupOfHeard(h wire.Heard) group { return group{h.Test, h.Family, h.DSCP} }

var errOneGroup = errors.New("it cannot be split: all its results are of one test, family and DSCP")

// split makes two batches of one. The same batch is always split in the same way.
func split(body []byte) (first, second []byte, err error) {
	var whole wire.Batch
	if err := json.Unmarshal(body, &whole); err != nil {
		return nil, nil, fmt.Errorf("it cannot be split: %w", err)
	}
	inFirst := firstHalf(groupsOf(whole))
	if inFirst == nil {
		return nil, nil, errOneGroup
	}
	one, two := whole, whole
	one.Results, two.Results = divide(whole.Results, inFirst, groupOf)
	one.Heard, two.Heard = divide(whole.Heard, inFirst, groupOfHeard)
	first, err = json.Marshal(one)
	if err != nil {
		return nil, nil, err
	}
	second, err = json.Marshal(two)
	return first, second, err
}

// groupsOf gives the group of everything in the batch.
func groupsOf(b wire.Batch) (all []group) {
	for _, r := range b.Results {
		all = append(all, groupOf(r))
	}
	for _, h := range b.Heard {
		all = append(all, groupOfHeard(h))
	}
	return all
}

func divide[T any](all []T, inFirst map[group]bool, of func(T) group) (first, second []T) {
	first, second = []T{}, []T{} // not null in JSON
	for _, one := range all {
		if inFirst[of(one)] {
			first = append(first, one)
		} else {
			second = append(second, one)
		}
	}
	return first, second
}

// firstHalf chooses groups, in the order in which they come, until they have
// half of everything; at least one is chosen and one is not. It is nil where
// that cannot be.
func firstHalf(all []group) map[group]bool {
	sizes := map[group]int{}
	var order []group
	for _, g := range all {
		if sizes[g] == 0 {
			order = append(order, g)
		}
		sizes[g]++
	}
	if len(order) < 2 {
		return nil
	}
	chosen, n := map[group]bool{}, 0
	for _, g := range order[:len(order)-1] {
		chosen[g] = true
		if n += sizes[g]; 2*n >= len(all) {
			break
		}
	}
	return chosen
}
