package inventory

import (
	"math"
	"testing"
)

// So many tuples put k on each of the members with 99 % certainty, and one less
// does not.
func TestTuplesForCertainty(t *testing.T) {
	for _, c := range []struct{ k, members, tuples int }{
		{3, 2, 15}, {3, 4, 37}, {3, 8, 84}, {3, 16, 184},
		{1, 4, 21}, {1, 8, 51}, {1, 16, 115},
	} {
		if p := AtLeast(c.tuples, c.members, c.k); p < 0.99 {
			t.Errorf("%d tuples put %d on each of %d with %v", c.tuples, c.k, c.members, p)
		}
		if p := AtLeast(c.tuples-1, c.members, c.k); p >= 0.99 {
			t.Errorf("%d tuples put %d on each of %d with %v already", c.tuples-1, c.k, c.members, p)
		}
		if got := enoughTuples(c.members); c.k == detectable && got != c.tuples {
			t.Errorf("%d members need %d tuples, want %d", c.members, got, c.tuples)
		}
	}
	// What a simulation found lies within a tenth of a per cent of it.
	for members, tuples := range map[int]int{2: 15, 4: 36, 8: 84, 16: 186} {
		if p := AtLeast(tuples, members, 3); p < 0.989 || p > 0.993 {
			t.Errorf("%d tuples put 3 on each of %d with %v", tuples, members, p)
		}
	}
	if p := AtLeast(16, 8, 1); math.Round(100*p) != 31 {
		t.Errorf("16 flows hit all of 8 members with %v", p)
	}
}

// counted is the probability by going through all ways that the tuples can fall.
func counted(tuples, members, k int) float64 {
	good, all := 0, 1
	for range tuples {
		all *= members
	}
	for way := range all {
		hits := make([]int, members)
		for range tuples {
			hits[way%members]++
			way /= members
		}
		met := true
		for _, n := range hits {
			met = met && n >= k
		}
		if met {
			good++
		}
	}
	return float64(good) / float64(all)
}

func TestAtLeastAgainstAllWays(t *testing.T) {
	for members := 1; members <= 5; members++ {
		for tuples := 0; tuples <= 8; tuples++ {
			for k := 0; k <= 4; k++ {
				if got, want := AtLeast(tuples, members, k), counted(tuples, members, k); math.Abs(got-want) > 1e-12 {
					t.Errorf("AtLeast(%d, %d, %d) = %v, want %v", tuples, members, k, got, want)
				}
			}
		}
	}
}

// For one on each there is a closed form, good where little cancels.
func TestAtLeastAgainstInclusionAndExclusion(t *testing.T) {
	for _, c := range []struct{ tuples, members int }{{100, 7}, {400, 64}, {3000, 300}, {9000, 1024}} {
		want, term := 0.0, 1.0
		for j := range c.members {
			want += term * math.Pow(1-float64(j)/float64(c.members), float64(c.tuples))
			term *= -float64(c.members-j) / float64(j+1)
			if math.Abs(term)*math.Pow(1-float64(j+1)/float64(c.members), float64(c.tuples)) < 1e-18 {
				break
			}
		}
		if got := AtLeast(c.tuples, c.members, 1); math.Abs(got-want) > 1e-9 {
			t.Errorf("%d tuples hit all of %d with %v, want %v", c.tuples, c.members, got, want)
		}
	}
}

func TestAtLeastAtItsEnds(t *testing.T) {
	for _, c := range []struct {
		tuples, members, k int
		want               float64
	}{
		{0, 0, 3, 1}, {0, 8, 0, 1}, {0, 8, 1, 0}, {23, 8, 3, 0}, {2, 1, 3, 0}, {3, 1, 3, 1}, {1 << 40, 1024, 3, 1}, {1 << 40, 1, 3, 1},
	} {
		if got := AtLeast(c.tuples, c.members, c.k); got != c.want {
			t.Errorf("AtLeast(%d, %d, %d) = %v, want %v", c.tuples, c.members, c.k, got, c.want)
		}
	}
	before := 0.0
	for tuples := 384; tuples < 5000; tuples += 100 {
		p := AtLeast(tuples, 128, 3)
		if p < before-1e-13 || p > 1 {
			t.Fatalf("%d tuples over 128 members: %v after %v", tuples, p, before)
		}
		before = p
	}
	if before < 1-1e-10 {
		t.Errorf("5,000 tuples over 128 members: %v", before)
	}
}

// Also for as many members as a link can have, and quickly.
func TestEnoughTuplesAreTheLeast(t *testing.T) {
	for _, members := range []int{1, 3, 64, maxMembers} {
		n := enoughTuples(members)
		if now, before := AtLeast(n, members, detectable), AtLeast(n-1, members, detectable); now < certain || before >= certain {
			t.Errorf("%d members: %d tuples give %v, one less %v", members, n, now, before)
		}
	}
}

func BenchmarkEnoughTuples1024(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		enoughTuples(1024)
	}
}
