package show

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode"
)

// complaints are what the sentences are about in which a probe says what is wrong.
type complaints []complaint

// complaint is whom one sentence names: addresses, and names in quotes.
type complaint struct {
	addresses map[netip.Addr]bool
	names     map[string]bool
	// families are those that it speaks of, of any where none.
	families map[uint8]bool
}

// complaintsOf takes a sentence apart: it may tell of several pairs.
func complaintsOf(sentences []string) (all complaints) {
	for sentence := range strings.SplitSeq(strings.Join(sentences, "; "), "; ") {
		c := complaint{map[netip.Addr]bool{}, map[string]bool{}, map[uint8]bool{}}
		for i, part := range strings.Split(sentence, `"`) {
			if i%2 == 1 {
				c.names[part] = true
				continue
			}
			for _, word := range strings.FieldsFunc(part, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(",;()", r) }) {
				c.hear(word)
			}
		}
		all = append(all, c)
	}
	return all
}

// hear takes in a word that may be an address, with a port or without, or a family.
func (c complaint) hear(word string) {
	for _, word := range []string{word, strings.TrimRight(word, ":.")} {
		if ip, err := netip.ParseAddr(word); err == nil {
			c.addresses[ip] = true
		} else if socket, err := netip.ParseAddrPort(word); err == nil {
			c.addresses[socket.Addr()] = true
		}
		if family, err := strconv.ParseUint(strings.TrimPrefix(word, "IPv"), 10, 8); err == nil && strings.HasPrefix(word, "IPv") {
			c.families[uint8(family)] = true
		}
	}
}

// about tells whether a probe complains of what has part in a pair: of an address
// of one of its ends, or of the other end by its name.
func (all complaints) about(e expected, other string) bool {
	for _, c := range all {
		if c.addresses[e.from] || c.addresses[e.to] || c.names[other] && (len(c.families) == 0 || c.families[e.Family]) {
			return true
		}
	}
	return false
}
