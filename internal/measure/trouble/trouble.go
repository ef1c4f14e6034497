// Package trouble puts what is wrong with a test into one sentence for a person.
package trouble

import (
	"fmt"
	"slices"
	"strings"
)

// shown is how many things a sentence tells: more of them are seldom of another kind.
const shown = 3

// Sentence tells what is wrong with a test, each thing once, in the order in
// which it comes; it is empty where nothing is.
func Sentence(test string, wrong []string) string {
	var told []string
	for _, w := range wrong {
		if w != "" && !slices.Contains(told, w) {
			told = append(told, w)
		}
	}
	if len(told) == 0 {
		return ""
	}
	rest := ""
	if len(told) > shown {
		rest = fmt.Sprintf("; and %d more", len(told)-shown)
		told = told[:shown]
	}
	return fmt.Sprintf("test %q: %s%s", test, strings.Join(told, "; "), rest)
}
