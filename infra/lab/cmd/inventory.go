package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"ixpqos/infra/lab/exchange"
	"ixpqos/internal/access"
)

// tests are those of the lab: pings, and many flows through the fabric, more
// often than an exchange would so that there is something to see at once.
const tests = `
tests:
  - {name: ping, kind: icmp, every: 10s, count: 5, spacing: 200ms}
  - {name: fabric, kind: stamp, flows: 16, spacing: 250ms, size: 128, interval: 10s}
`

// describe writes the inventory of the exchange, with new keys, and the key of
// each probe beside it.
func describe(x *exchange.Exchange) (inventory string, err error) {
	var text strings.Builder
	text.WriteString("exchange: Lab-IX\n\nsites:\n")
	for _, s := range x.Sites {
		fmt.Fprintf(&text, "  - {name: %s, switches: [%s]}\n", s.Name, s.Switch)
	}
	text.WriteString("\nlinks:\n")
	for _, l := range x.Links {
		fmt.Fprintf(&text, "  - {name: %s, between: [%s, %s], members: %d}\n", l.Name, l.From, l.To, l.Members)
	}
	text.WriteString("\nprobes:\n")
	for _, p := range x.Probes {
		key, hash := access.NewKey()
		fmt.Fprintf(&text, "  - {name: %s, site: %s, switch: %s, addresses: [%s, \"%s\"], key_sha256: [%x]}\n",
			p.Name, p.Site, p.Switch, p.IPv4, p.IPv6, hash)
		if err := os.WriteFile(keyFile(p.Name), []byte(key+"\n"), 0o600); err != nil {
			return "", err
		}
	}
	text.WriteString(tests)
	inventory = filepath.Join(folder, "inventory.yaml")
	return inventory, os.WriteFile(inventory, []byte(text.String()), 0o600)
}

func keyFile(probe string) string { return filepath.Join(folder, probe+".key") }
