package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCheckWarns: a file with placeholders is valid, and who checks it learns of them.
func TestCheckWarns(t *testing.T) {
	for name, c := range map[string]struct{ hash, warning string }{
		"a placeholder": {strings.Repeat("0", 63) + "1", `probe "p1": key_sha256 00000000… is a placeholder`},
		"a hash":        {"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", ""},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "inventory.yaml")
			text := "probes: [{name: p1, addresses: [192.0.2.1], key_sha256: [" + c.hash + "]}]\ntargets: [{name: rs1, addresses: [192.0.2.250]}]\ntests: [{name: ping, kind: icmp, every: 5m}]\n"
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			var said, warned strings.Builder
			if err := (checkCommand{File: file}).check(&said, &warned); err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(said.String(), file+" is valid: ") {
				t.Errorf("it said %q", said.String())
			}
			if got, want := warned.String(), "warning: "+file+": "+c.warning; c.warning == "" && got != "" || c.warning != "" && !strings.HasPrefix(got, want) {
				t.Errorf("it warned %q; want %q", got, c.warning)
			}
		})
	}
}
