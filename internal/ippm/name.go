package ippm

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxName is the longest name in bytes.
const MaxName = 63

// CheckName tells why name cannot stand for a probe, target, test, site,
// switch or link, and is nil where it can: 1 to 63 bytes of UTF-8 with no
// control character, no space around it and no backslash at its end (which
// would corrupt a line of InfluxDB's protocol), and not "." or "..", which in a
// path mean something else (RFC 3986, section 5.2.4).
func CheckName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("is empty; a name has 1 to %d bytes", MaxName)
	case len(name) > MaxName:
		return fmt.Errorf("has %d bytes; a name has at most %d", len(name), MaxName)
	case !utf8.ValidString(name):
		return fmt.Errorf("is not valid UTF-8")
	case strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("contains a control character")
	case strings.TrimSpace(name) != name:
		return fmt.Errorf("begins or ends with a space")
	case name == "." || name == "..":
		return fmt.Errorf("is %q, which means a folder in a path; take another", name)
	case strings.HasSuffix(name, `\`):
		return fmt.Errorf("ends with a backslash")
	}
	return nil
}
