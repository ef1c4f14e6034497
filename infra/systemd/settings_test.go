package systemd

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"ixpqos/infra/needs"
)

// TestSettingsAreKnown keeps units and examples from naming a setting that
// their binary does not have.
func TestSettingsAreKnown(t *testing.T) {
	needs.Time(t) // to build the binaries
	for _, tc := range []struct{ name, source, command string }{
		{"probe", "./probe", "run"},
		{"server", "./functions/server", "serve"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			help := helpOf(t, tc.source, tc.command)
			unit := read(t, "ixpqos-"+tc.name+".service")
			if started := "ExecStart=/usr/local/bin/ixpqos-" + tc.name + " " + tc.command + "\n"; !strings.Contains(unit, started) {
				t.Errorf("the unit does not say %q", started)
			}
			variables := regexp.MustCompile(`IXPQOS_[A-Z_]+`).FindAllString(unit+read(t, tc.name+".env.example"), -1)
			if len(variables) == 0 {
				t.Error("no setting was found: nothing was checked")
			}
			for _, variable := range variables {
				if !strings.Contains(help, "$"+variable+")") && !strings.Contains(help, "$"+variable+",") {
					t.Errorf("%s is not in the help of ixpqos-%s %s:\n%s", variable, tc.name, tc.command, help)
				}
			}
		})
	}
}

// helpOf builds a binary and returns what it says about a command.
func helpOf(t *testing.T, source, command string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	binary := filepath.Join(t.TempDir(), "binary")
	build := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", binary, source)
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v: %s", build, err, out)
	}
	out, err := exec.CommandContext(ctx, binary, command, "--help").CombinedOutput()
	if err != nil {
		t.Fatalf("%s --help: %v: %s", command, err, out)
	}
	return string(out)
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
