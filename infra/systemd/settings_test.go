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
			listsAll(t, help, tc.name+".env.example")
			variables := regexp.MustCompile(`(IXPQOS|INFLUX)_[A-Z0-9_]+`).FindAllString(unit+read(t, tc.name+".env.example"), -1)
			if len(variables) == 0 {
				t.Error("no setting was found: nothing was checked")
			}
			for _, variable := range variables {
				if !regexp.MustCompile(`\$` + variable + `\b`).MatchString(help) {
					t.Errorf("%s is not in the help of ixpqos-%s %s:\n%s", variable, tc.name, tc.command, help)
				}
			}
		})
	}
}

// TestAKeyIsReplacedWithoutARestart: the service, ixpqos-probe check and README
// mean one file, and the service has no copy of it from its start.
func TestAKeyIsReplacedWithoutARestart(t *testing.T) {
	for unit, readmes := range map[string][]string{
		"ixpqos-probe.service":  {"install -m 0640 -g ixpqos /dev/stdin /etc/ixpqos/probe.key ", "install -D -m 0644 infra/systemd/probe.env.example /etc/ixpqos/probe.env "},
		"ixpqos-probe@.service": {"`/etc/ixpqos/probe-p1.key`", "`/etc/ixpqos/probe-p1.env`"},
	} {
		text := read(t, unit)
		if strings.Contains(text, "\nLoadCredential=") || !strings.Contains(text, "\nSupplementaryGroups=ixpqos\n") {
			t.Errorf("%s gives a copy of the key, or none", unit)
		}
		for _, said := range readmes {
			if !strings.Contains(read(t, "../../README.md"), said) {
				t.Errorf("README does not say %q", said)
			}
			_, path, _ := strings.Cut(strings.TrimRight(said, " `"), "/etc/")
			if path = "/etc/" + strings.Replace(path, "-p1.", "-%i.", 1); !strings.Contains(text, "="+path+"\n") {
				t.Errorf("%s does not name %s", unit, path)
			}
		}
	}
}

// listsAll fails where a setting that a help names is not in an example, as a
// line that can be taken out of its comment.
func listsAll(t *testing.T, help, example string) {
	t.Helper()
	lines := "\n" + read(t, example)
	settings := regexp.MustCompile(`\$([A-Z][A-Z0-9_]*)[,)]`).FindAllStringSubmatch(help, -1)
	if len(settings) < 5 {
		t.Errorf("only %d settings were found in the help:\n%s", len(settings), help)
	}
	for _, s := range settings {
		if !strings.Contains(lines, "\n"+s[1]+"=") && !strings.Contains(lines, "\n#"+s[1]+"=") {
			t.Errorf("%s does not list %s", example, s[1])
		}
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
