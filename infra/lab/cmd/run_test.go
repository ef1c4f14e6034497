package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ixpqos/infra/needs"
	"ixpqos/internal/wire"
)

// programs builds those that the lab runs, and returns their folder.
func programs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, source := range map[string]string{"ixpqos-probe": "ixpqos/probe", "ixpqos-server": "ixpqos/functions/server"} {
		cmd := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", filepath.Join(dir, name), source)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", name, err, out)
		}
	}
	return dir
}

// TestTheLabRuns starts the lab as a person does, after one that was killed, sees
// that it measures, and ends it.
func TestTheLabRuns(t *testing.T) {
	needs.Time(t)
	m := newMachine(t)
	bin := programs(t)

	killed := m.start(bin)
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = killed.Wait()
	if left := run(t, m.command("", "ip", "netns", "list")).out; !strings.Contains(left, prefix) {
		t.Fatalf("the killed lab left nothing (%q): it proves nothing", left)
	}

	lab := m.start(bin)
	m.lab("run", "--bin", bin).says(t, 1, "a lab is running already: end that one with Ctrl-C first")
	m.measures()
	if err := lab.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := lab.Wait(); err != nil {
		t.Errorf("the lab ended on Ctrl-C with %v", err)
	}
	m.clean()
}

// start starts the lab, and returns when it says that it runs.
func (m machine) start(bin string) *exec.Cmd {
	m.t.Helper()
	cmd := m.command("lab", os.Args[0], "run", "--bin", bin)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = cmd.Process.Kill() }) // it has ended, where all is well
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.Contains(lines.Text(), "Ctrl-C ends") {
			return cmd
		}
	}
	m.t.Fatalf("the lab does not say that it runs: %v", cmd.Wait())
	return nil
}

// measures waits until every pair has been measured in both families, without
// loss.
func (m machine) measures() {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), 2*time.Minute)
	defer cancel()
	poll := time.NewTicker(500 * time.Millisecond)
	defer poll.Stop()
	for {
		err := whole(run(m.t, m.command("fetch", os.Args[0], url+"/api/v2/matrix?test=ping")))
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			m.t.Fatalf("the matrix is not whole within two minutes: %v", err)
		case <-poll.C:
		}
	}
}

func whole(got ended) error {
	var matrix wire.Matrix
	if err := json.Unmarshal([]byte(got.out), &matrix); err != nil {
		return fmt.Errorf("%w: %s%s", err, got.out, got.errOut)
	}
	good := 0
	for _, c := range matrix.Cells {
		if c.State == wire.StateFresh && c.LossRatio != nil && *c.LossRatio == 0 {
			good++
		}
	}
	if want := 4 * 3 * 2; good != want {
		return fmt.Errorf("%d of %d cells are good: %s", good, want, got.out)
	}
	return nil
}
