package service_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"testing"
	"time"
)

const inventoryText = `
exchange: Test-IX
sites: [{name: rome-1, switches: [sw1]}]
probes:
  - {name: p1, site: rome-1, switch: sw1, addresses: [127.0.0.1]}
  - {name: p2, site: rome-1, switch: sw1, addresses: [127.0.0.2]}
tests: [{name: ping, kind: icmp, every: 10s, count: 5, spacing: 200ms}]
`

var keysText = fmt.Sprintf("keys:\n- {role: probe, name: p1, sha256: %x}\n- {role: viewer, name: noc, sha256: %x}\n",
	sha256.Sum256([]byte(probeKey)), sha256.Sum256([]byte(viewerKey)))

// batchText is a batch of p1 without results, of now.
func batchText() string {
	return fmt.Sprintf(`{"probe":"p1","inventory":"x","peers":["p2"],"start":%q,"health":{},"results":[]}`, time.Now().UTC().Format(time.RFC3339))
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
