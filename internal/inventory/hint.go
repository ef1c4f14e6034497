package inventory

import (
	"slices"
	"strings"
)

// maxListed is how many names a hint lists.
const maxListed = 20

// maxNear is how many names a hint offers that are equally near: more are a list
// to read, not a guess.
const maxNear = 3

// hint ends an error about an unknown word: with the known ones that were most
// likely meant, else with all that are known, introduced by lead.
func hint(word string, known []string, lead string) string {
	if near := nearest(word, known); len(near) > 0 && len(near) <= maxNear {
		return "; did you mean " + either(near) + "?"
	}
	if len(known) == 0 {
		return "; none is defined"
	}
	if len(known) > maxListed {
		return "; " + lead + " " + strings.Join(known[:maxListed], ", ") + " and others"
	}
	return "; " + lead + " " + strings.Join(known, ", ")
}

// either are words of which one was meant: "a", "b" or "c".
func either(words []string) string {
	last := len(words) - 1
	if last == 0 {
		return `"` + words[0] + `"`
	}
	return `"` + strings.Join(words[:last], `", "`) + `" or "` + words[last] + `"`
}

// nearest are the known words that are as near as any is, each once; none where
// all are far away.
func nearest(word string, known []string) (near []string) {
	least := max(1, (len(word)+1)/3)
	for _, candidate := range known {
		d := distance(strings.ToLower(word), strings.ToLower(candidate), least+1)
		if d < least {
			near, least = nil, d
		}
		if d == least && !slices.Contains(near, candidate) {
			near = append(near, candidate)
		}
	}
	return near
}

// distance counts the letters to insert, delete, replace or swap with their
// neighbour between a and b (optimal string alignment); it may answer limit for
// anything that is at least that far.
func distance(a, b string, limit int) int {
	if max(len(a)-len(b), len(b)-len(a)) >= limit {
		return limit
	}
	var before []int
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			replace := last[j]
			if a[i] != b[j] {
				replace++
			}
			row[j+1] = min(replace, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		if slices.Min(row) >= limit {
			return limit
		}
		before, last = last, row
	}
	return last[len(b)]
}
