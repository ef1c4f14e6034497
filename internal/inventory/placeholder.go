package inventory

import (
	"encoding/hex"
	"fmt"
)

// samePlaceholder is how many of a hash's 64 hex digits are the same where a
// person wrote it: of a random hash that does not happen.
const samePlaceholder = 48

// Warnings are what is valid, and yet not as it must be once the inventory is in
// use: keys that are placeholders, as examples have them, and tests that nobody
// has anything to measure by.
func (inv *Inventory) Warnings() []string {
	return append(inv.placeholders(), inv.idle()...)
}

func (inv *Inventory) idle() (warnings []string) {
	loads := loadsOf(inv)
	for i, test := range inv.Tests {
		if mostPairs(loads, i).pairs[i] == 0 {
			warnings = append(warnings, fmt.Sprintf(
				"test %q measures nothing: no probe of its sources has another probe or target that it names, that answers %s and that has an address of the same family",
				test.Name, test.Kind))
		}
	}
	return warnings
}

func (inv *Inventory) placeholders() (warnings []string) {
	for _, key := range inv.Keys() {
		if isPlaceholder(key.Hash) {
			warnings = append(warnings, fmt.Sprintf(
				"%s %q: key_sha256 %.4x… is a placeholder, which is the hash of nobody's key; make a key by: %s, and write its sha256 there",
				key.Role, key.Name, key.Hash, makeKey(key)))
		}
	}
	return warnings
}

func makeKey(key Key) string {
	command := fmt.Sprintf("ixpqos-server key new %q", key.Name)
	if key.Role == RoleViewer {
		command += " --role viewer"
	}
	return command
}

func isPlaceholder(hash [32]byte) bool {
	var times [256]int
	for _, digit := range []byte(hex.EncodeToString(hash[:])) {
		if times[digit]++; times[digit] >= samePlaceholder {
			return true
		}
	}
	return false
}
