package inventory

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What README writes in place of hashes is valid, so that the example loads, but
// it is nobody's key.
func TestPlaceholdersForKeysAreWarnedOf(t *testing.T) {
	zeros, hash := strings.Repeat("0", 63)+"1", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
	text := onePing + `probes:
- {name: p1, addresses: [192.0.2.1], key_sha256: [` + zeros + `]}
- {name: p 2, addresses: [192.0.2.2], key_sha256: [` + hash + `, ` + strings.Repeat("ab", 16) + strings.Repeat("a", 32) + `]}
- {name: p3, addresses: [192.0.2.3], key_sha256: [` + strings.Repeat("ab", 17) + strings.Repeat("a", 30) + `]}
- {name: p4, addresses: [192.0.2.4]}
viewers:
- {name: noc, key_sha256: [` + strings.Repeat("F", 64) + `]}
`
	inv, err := ParseYAML("i.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`probe "p1": key_sha256 00000000… is a placeholder, which is the hash of nobody's key; make a key by: ixpqos-server key new "p1", and write its sha256 there`,
		`probe "p 2": key_sha256 abababab… is a placeholder, which is the hash of nobody's key; make a key by: ixpqos-server key new "p 2", and write its sha256 there`,
		`viewer "noc": key_sha256 ffffffff… is a placeholder, which is the hash of nobody's key; make a key by: ixpqos-server key new "noc" --role viewer, and write its sha256 there`,
	}
	if diff := cmp.Diff(want, inv.Warnings()); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestTestsWithoutAPairAreWarnedOf(t *testing.T) {
	inv := mustParse(t, `probes:
- {name: p1, addresses: [192.0.2.1]}
- {name: p6, addresses: ["2001:db8::6"]}
targets: [{name: rs1, addresses: [192.0.2.9]}]
tests:
- {name: fabric, kind: stamp}
- {name: ping, kind: icmp, every: 5m}
- {name: self, kind: icmp, every: 5m, sources: [p1], targets: [p1]}
`)
	want := []string{
		`test "fabric" measures nothing: no probe of its sources has another probe or target that it names, that answers stamp and that has an address of the same family`,
		`test "self" measures nothing: no probe of its sources has another probe or target that it names, that answers icmp and that has an address of the same family`,
	}
	if diff := cmp.Diff(want, inv.Warnings()); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}
