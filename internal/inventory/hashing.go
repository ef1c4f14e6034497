package inventory

import "math"

// AtLeast is the probability that each of so many members of a bundle gets at
// least k of so many tuples, where every tuple's hash falls on every member with
// the same probability and independently of the others.
//
// It is exact but for rounding: the numbers of tuples that fall on the members
// are distributed as independent Poisson variables are, given their sum. So what
// the sum of such variables has at the number of tuples is compared, with only
// those that are k or more and with all. Only positive numbers are added, so
// that nothing cancels, which it would by inclusion and exclusion.
func AtLeast(tuples, members, k int) float64 {
	switch {
	case members < 1 || k < 1:
		return 1
	case tuples < members*k:
		return 0
	case float64(members)*fewer(tuples, members, k) < negligible:
		return 1
	}
	mean := float64(tuples) / float64(members)
	return min(1, poissonFrom(k, mean).times(members).at(tuples)/poissonFrom(0, mean).times(members).at(tuples))
}

// negligible is a probability that makes no difference to one that is near 1.
const negligible = 1e-15

// fewer is the probability that one given member gets fewer than k of the
// tuples, which are k a member at least.
func fewer(tuples, members, k int) (p float64) {
	if members == 1 {
		return 0
	}
	share := 1 / float64(members)
	term := math.Exp(float64(tuples) * math.Log1p(-share))
	for j := range k {
		p += term
		term *= float64(tuples-j) / float64(j+1) * share / (1 - share)
	}
	return p
}

func poisson(n int, mean float64) float64 {
	factorial, _ := math.Lgamma(float64(n) + 1)
	return math.Exp(float64(n)*math.Log(mean) - mean - factorial)
}

// weights is a part of a distribution over whole numbers: values[i] is the
// weight of from + i.
type weights struct {
	from   int
	values []float64
}

// poissonFrom is the Poisson distribution from k on.
func poissonFrom(k int, mean float64) weights {
	w := weights{from: k}
	highest := 0.0
	for n := k; ; n++ {
		p := poisson(n, mean)
		highest = max(highest, p)
		if float64(n) > mean && p < highest*tail {
			return w
		}
		w.values = append(w.values, p)
	}
}

// tail is what is left away on both sides of a distribution, as a share of its
// highest weight.
const tail = 1e-30

func (w weights) at(n int) float64 {
	if i := n - w.from; i >= 0 && i < len(w.values) {
		return w.values[i]
	}
	return 0
}

// times is the distribution of the sum of n such variables, by doubling.
func (w weights) times(n int) weights {
	sum := weights{0, []float64{1}}
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			sum = sum.plus(w)
		}
		if n > 1 {
			w = w.plus(w)
		}
	}
	return sum
}

// plus is the distribution of the sum.
func (w weights) plus(other weights) weights {
	sum := make([]float64, len(w.values)+len(other.values)-1)
	for i, a := range w.values {
		for j, b := range other.values {
			sum[i+j] += a * b
		}
	}
	return weights{w.from + other.from, sum}.trimmed()
}

func (w weights) trimmed() weights {
	highest := 0.0
	for _, p := range w.values {
		highest = max(highest, p)
	}
	for w.values[0] < highest*tail {
		w.from, w.values = w.from+1, w.values[1:]
	}
	for w.values[len(w.values)-1] < highest*tail {
		w.values = w.values[:len(w.values)-1]
	}
	return w
}
