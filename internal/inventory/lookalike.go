package inventory

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// look is what a person sees of a name: without the characters that are not
// shown, in the one normal form of what can be written in several (Unicode
// Standard Annex 15), and with one plain space for spaces of any width. Two
// names that look alike would be two series that nobody can tell apart.
func look(name string) string {
	shown := strings.Map(func(r rune) rune {
		if invisible(r) {
			return -1
		}
		return r
	}, name)
	return strings.Join(strings.Fields(norm.NFC.String(shown)), " ")
}

// invisible are the characters that are not shown by themselves, such as the
// zero-width space and the soft hyphen (Unicode Standard, section 5.21,
// Default_Ignorable_Code_Point). In a name of their script they stand rightly;
// so they are no fault of a name, but no difference between two.
func invisible(r rune) bool {
	return unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// retype is what to do where two names look alike.
const retype = "they differ only in characters that are not shown, in spaces, or in how accents are written: type it anew, or take another"
