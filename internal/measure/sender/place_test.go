package sender

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func at(seq, number int64) point { return point{seq: seq, low: number, high: number} }

func lifeOf(life uint8, points ...point) []point {
	for i := range points {
		points[i].life = life
	}
	return points
}

func TestGapsSayTheDirection(t *testing.T) {
	for name, c := range map[string]struct {
		points []point
		want   []gap
	}{
		"nothing missing":            {[]point{beginning, at(0, 0), at(1, 1), at(2, 2)}, nil},
		"lost forward":               {[]point{beginning, at(0, 0), at(2, 1)}, []gap{{0, 2, fate{forward: 1}}}},
		"lost backward":              {[]point{beginning, at(0, 0), at(2, 2)}, []gap{{0, 2, fate{backward: 1}}}},
		"both":                       {[]point{beginning, at(0, 0), at(5, 3)}, []gap{{0, 5, fate{forward: 2, backward: 2}}}},
		"from the first packet on":   {[]point{beginning, at(3, 1)}, []gap{{-1, 3, fate{forward: 2, backward: 1}}}},
		"a duplicate on the way":     {[]point{beginning, {seq: 0, low: 0, high: 1}, at(2, 2)}, []gap{{0, 2, fate{forward: 1}}}},
		"overtaken":                  {[]point{beginning, at(0, 0), at(1, 2), at(2, 1), at(3, 3)}, nil},
		"lost before overtaking":     {[]point{beginning, at(0, 0), at(2, 2), at(3, 1), at(4, 3)}, []gap{{0, 2, fate{forward: 1}}}},
		"lost while overtaking":      {[]point{beginning, at(0, 0), at(1, 4), at(2, 1), at(4, 3), at(5, 5)}, []gap{{2, 4, fate{backward: 1}}}},
		"the reflector counts anew":  {append([]point{at(7, 7)}, lifeOf(1, at(8, 0), at(9, 1))...), nil},
		"and was away":               {append([]point{at(7, 7)}, lifeOf(1, at(12, 0))...), []gap{{7, 12, fate{}}}},
		"and lost what it answered":  {append([]point{at(7, 7)}, lifeOf(1, at(12, 2))...), []gap{{7, 12, fate{backward: 2}}}},
		"loss on both sides of that": {append([]point{at(5, 5), at(7, 6)}, lifeOf(1, at(8, 0), at(10, 2))...), []gap{{5, 7, fate{forward: 1}}, {8, 10, fate{backward: 1}}}},
	} {
		if diff := cmp.Diff(c.want, gaps(nil, c.points), cmp.AllowUnexported(gap{}, fate{}), cmp.Transformer("", func(f fate) [2]int64 { return [2]int64{f.forward, f.backward} })); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestGapsCountWhatWasLost makes up what happens to packets that do not overtake
// each other, and expects every gap to tell how many were lost in which direction.
func TestGapsCountWhatWasLost(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	for range 500 {
		points := []point{beginning}
		var forward, backward []int64
		number := int64(0)
		for seq := range int64(100) {
			switch random.IntN(8) {
			case 0:
				forward = append(forward, seq)
			case 1:
				backward = append(backward, seq)
				number++
			default:
				points = append(points, at(seq, number))
				number++
			}
		}
		for _, g := range gaps(nil, points) {
			within := func(lost []int64) (n int64) {
				for _, seq := range lost {
					if seq > g.after && seq < g.before {
						n++
					}
				}
				return n
			}
			if g.forward != within(forward) || g.backward != within(backward) {
				t.Fatalf("%+v; lost were %v forward, %v backward", g, forward, backward)
			}
		}
		if !slices.IsSortedFunc(points, func(a, b point) int { return int(a.seq - b.seq) }) {
			t.Fatal("the points were moved")
		}
	}
}
