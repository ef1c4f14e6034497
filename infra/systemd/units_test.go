// Package systemd holds the units that run probe and server on a host, with
// examples of their settings. Its tests let systemd itself judge them.
package systemd

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ixpqos/infra/needs"
)

// units are the services, with the exposure that systemd-analyze security may
// find in them, in tenths. What is left in the probe is the network, the raw
// sockets and the question whether the clock is synchronised.
var units = []struct {
	name     string
	exposure int
}{
	{"probe", 18},
	{"probe@", 18},
	{"server", 11},
}

// placed copies a unit to where its binary exists.
func placed(t *testing.T, name string) string {
	t.Helper()
	unit, err := os.ReadFile("ixpqos-" + name + ".service")
	if err != nil {
		t.Fatal(err)
	}
	binary := []byte("/usr/local/bin/ixpqos-" + strings.TrimSuffix(name, "@"))
	if n := bytes.Count(unit, append([]byte("ExecStart="), binary...)); n != 1 {
		t.Fatalf("%s is started %d times", binary, n)
	}
	path := filepath.Join(t.TempDir(), strings.Replace("ixpqos-"+name+".service", "@.", "@p1.", 1))
	if err := os.WriteFile(path, bytes.ReplaceAll(unit, binary, []byte("/bin/true")), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func analyze(t *testing.T, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "systemd-analyze", args...).CombinedOutput()
	return string(out), err
}

func TestUnitsAreValid(t *testing.T) {
	needs.Systemd(t)
	for _, unit := range units {
		t.Run(unit.name, func(t *testing.T) {
			out, err := analyze(t, "verify", "--man=no", "--recursive-errors=no", placed(t, unit.name))
			if err != nil || out != "" {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

func TestUnitsAreHardened(t *testing.T) {
	needs.Systemd(t)
	for _, unit := range units {
		t.Run(unit.name, func(t *testing.T) {
			threshold := fmt.Sprintf("--threshold=%d", unit.exposure)
			out, err := analyze(t, "security", "--no-pager", "--offline=true", threshold, placed(t, unit.name))
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

// TestProbesAreTheSame: the unit for several probes on one host differs in the
// names of files and folders alone, and no two of its probes share any.
func TestProbesAreTheSame(t *testing.T) {
	_, one, _ := strings.Cut(read(t, "ixpqos-probe.service"), "[Unit]")
	_, several, _ := strings.Cut(read(t, "ixpqos-probe@.service"), "[Unit]")
	own := 0
	lines := strings.Split(one, "\n")
	for i, line := range strings.Split(several, "\n") {
		if strings.Contains(line, "%i") {
			own++
			line = strings.NewReplacer("-%i", "", " %i", "").Replace(line)
		}
		if i >= len(lines) || line != lines[i] {
			t.Errorf("line %d after [Unit] is %q in one alone", i, line)
		}
	}
	if own != 5 {
		t.Errorf("%d lines are an instance's own; it has a description, settings, key, state and the folder of that", own)
	}
}

// TestJudgesCanFail keeps a systemd-analyze that finds nothing from passing for
// units that are right.
func TestJudgesCanFail(t *testing.T) {
	needs.Systemd(t)
	path := filepath.Join(t.TempDir(), "ixpqos-bad.service")
	if err := os.WriteFile(path, []byte("[Service]\nExecStart=/bin/true\nNoSuchSetting=yes\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, _ := analyze(t, "verify", "--man=no", "--recursive-errors=no", path); !strings.Contains(out, "NoSuchSetting") {
		t.Errorf("verify does not see an unknown setting: %s", out)
	}
	if out, err := analyze(t, "security", "--no-pager", "--offline=true", "--threshold=20", path); err == nil {
		t.Errorf("security lets a service without any protection pass: %s", out)
	}
}
