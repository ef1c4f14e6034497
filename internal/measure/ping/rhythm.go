package ping

import (
	"fmt"
	"slices"
)

// A rhythm has so many equal gaps at least; chance has them in less than one
// round of 200.
const (
	equalGaps   = 4
	similarGaps = 6
)

// rhythm says in which rhythm pings were lost, as a limit on replies makes it,
// and is empty where there is none: every n-th is lost, or, once the first was
// lost, about every n-th is answered.
func (t *tally) rhythm() string {
	var lost, answered []int
	for seq, p := range t.pings {
		switch {
		case seq == 0 || !p.gone:
		case !p.answered:
			lost = append(lost, seq)
		case len(lost) > 0:
			answered = append(answered, seq)
		}
	}
	if n := beat(lost); n > 0 {
		return fmt.Sprintf("leaves every %s ping unanswered", ordinal(n))
	}
	if n := beat(answered); n > 0 {
		return fmt.Sprintf("answers about every %s ping only", ordinal(n))
	}
	return ""
}

// beat is the gap between numbers that are about equally far apart; 0 where
// they are not, or follow each other.
func beat(numbers []int) int {
	var gaps []int
	for i := 1; i < len(numbers); i++ {
		gaps = append(gaps, numbers[i]-numbers[i-1])
	}
	if len(gaps) < equalGaps {
		return 0
	}
	low, high := slices.Min(gaps), slices.Max(gaps)
	if low < 2 || high-low > 1 || high > low && len(gaps) < similarGaps {
		return 0
	}
	return low
}

func ordinal(n int) string {
	switch n {
	case 2:
		return "second"
	case 3:
		return "third"
	}
	return fmt.Sprintf("%dth", n)
}
