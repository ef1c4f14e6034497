package deliver

import (
	"encoding/json"
	"errors"
	"fmt"

	"ixpqos/internal/wire"
)

// group is what is stored in one row: results of one (test, family, dscp) stay
// in one batch, so that every row is written whole.
type group struct {
	test         string
	family, dscp uint8
}

func groupOf(r wire.Result) group { return group{r.Test, r.Family, r.DSCP} }

var errOneGroup = errors.New("it cannot be split: all its results are of one test, family and DSCP")

// split makes two batches of one. The same batch is always split in the same way.
func split(body []byte) (first, second []byte, err error) {
	var whole wire.Batch
	if err := json.Unmarshal(body, &whole); err != nil {
		return nil, nil, fmt.Errorf("it cannot be split: %w", err)
	}
	inFirst := firstHalf(whole.Results)
	if inFirst == nil {
		return nil, nil, errOneGroup
	}
	one, two := whole, whole
	one.Results, two.Results = []wire.Result{}, []wire.Result{}
	for _, r := range whole.Results {
		if inFirst[groupOf(r)] {
			one.Results = append(one.Results, r)
		} else {
			two.Results = append(two.Results, r)
		}
	}
	first, err = json.Marshal(one)
	if err != nil {
		return nil, nil, err
	}
	second, err = json.Marshal(two)
	return first, second, err
}

// firstHalf chooses groups, in the order in which they come, until they have
// half of the results; at least one is chosen and one is not. It is nil where
// that cannot be.
func firstHalf(results []wire.Result) map[group]bool {
	sizes := map[group]int{}
	var order []group
	for _, r := range results {
		if sizes[groupOf(r)] == 0 {
			order = append(order, groupOf(r))
		}
		sizes[groupOf(r)]++
	}
	if len(order) < 2 {
		return nil
	}
	chosen, n := map[group]bool{}, 0
	for _, g := range order[:len(order)-1] {
		chosen[g] = true
		if n += sizes[g]; 2*n >= len(results) {
			break
		}
	}
	return chosen
}
