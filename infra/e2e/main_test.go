// Package e2e tests the programs as an exchange runs them: a server and probes
// are real processes on hosts of package lab, results come from the API alone,
// and faults are nft rules, pulled cables and killed processes.
//
// What it promises: it waits for conditions, with a bound that only a fault
// reaches; each test has an exchange of its own, and they run side by side.
package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ixpqos/infra/influx"
)

// bound is how long anything may take that is waited for.
const bound = 3 * time.Minute

// role is the environment variable that makes the test binary a tool of its own
// tests.
const role = "IXPQOS_E2E_ROLE"

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(role) {
	case "relay":
		err = relay(os.Args[1], os.Args[2])
	case "hold":
		err = hold(os.Args[1:])
	case "spin":
		spin()
		return
	case "nobody":
		err = becomeNobody(os.Args[1:])
	default:
		status := influxd.Main(m)
		if err := os.RemoveAll(built.dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			status = 1
		}
		os.Exit(status)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// built are the programs under test, which the first test that needs them
// builds.
var built struct {
	once sync.Once
	dir  string
	err  error
}

// program is the path of a program, built from the sources.
func program(t testing.TB, name string) string {
	t.Helper()
	built.once.Do(func() { built.dir, built.err = build() })
	if built.err != nil {
		t.Fatal(built.err)
	}
	return filepath.Join(built.dir, name)
}

func build() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "ixpqos-e2e-"); err != nil {
		return "", err
	}
	for name, source := range map[string]string{"ixpqos-probe": "ixpqos/probe", "ixpqos-server": "ixpqos/functions/server"} {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-ldflags", "-X main.version=e2e", "-o", filepath.Join(dir, name), source)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return dir, fmt.Errorf("build %s: %w\n%s", name, err, out)
		}
	}
	return dir, os.Chmod(dir, 0o755) // a program that runs as nobody must be found
}

// await polls until a condition gives no error, and fails the test with the
// last one where it does not come to that.
func await(t testing.TB, what string, condition func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	poll := time.NewTicker(100 * time.Millisecond)
	defer poll.Stop()
	for {
		err := condition()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within %v: %v", what, bound, err)
		case <-poll.C:
		}
	}
}

// process is a program that runs in the background.
type process struct {
	cmd   *exec.Cmd
	log   string // file of its standard error
	ended chan struct{}
}

// start starts a program. The end of the test ends it; what it logged is told
// where the test failed.
func start(t testing.TB, name string, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{cmd: cmd, log: filepath.Join(t.TempDir(), "stderr"), ended: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if cmd.Stderr == nil {
		cmd.Stderr = log
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait() // the process's state says how it ended
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s logged:\n%s", name, tail(p.logged()))
		}
	})
	return p
}

func (p *process) logged() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func tail(text string) string {
	const most = 6000
	return text[max(0, len(text)-most):]
}

// kill ends the process as a loss of power does.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // the only error is that it has ended
	<-p.ended
}

// stop asks the process to end, as systemd does, and returns its exit status.
func (p *process) stop(t testing.TB, within time.Duration) int {
	t.Helper()
	began := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("SIGTERM: %v", err)
	}
	select {
	case <-p.ended:
	case <-time.After(bound):
		t.Fatalf("does not end on SIGTERM")
	}
	if took := time.Since(began); took > within {
		t.Errorf("took %v to end on SIGTERM, at most %v are allowed", took, within)
	}
	return p.cmd.ProcessState.ExitCode()
}

// ended is a program that ran to its end.
type ended struct {
	status      int
	out, errOut string
}

// lines are those of standard error.
func (e ended) lines() []string { return strings.Split(strings.TrimRight(e.errOut, "\n"), "\n") }

// finish runs a program to its end.
func finish(t testing.TB, cmd *exec.Cmd) ended {
	t.Helper()
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatalf("%v: %v", cmd.Args, err)
	}
	return ended{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
}

// within is a context that ends with the test, or after bound.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	t.Cleanup(cancel)
	return ctx
}

// runs runs a program on this machine to its end.
func runs(t testing.TB, name string, args ...string) ended {
	t.Helper()
	return finish(t, exec.CommandContext(within(t), program(t, name), args...))
}

// openFolder is a folder that every user can look into, with a short name.
func openFolder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ixpqos-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// makeKey makes a key with the server's own command.
func makeKey(t testing.TB, name, role string) (key, hash string) {
	t.Helper()
	made := runs(t, "ixpqos-server", "key", "new", name, "--role", role)
	if _, err := fmt.Sscanf(made.out, "key:    %s\nsha256: %s\n", &key, &hash); err != nil || made.status != 0 {
		t.Fatalf("key new %s: status %d, %v: %s%s", name, made.status, err, made.out, made.errOut)
	}
	return key, hash
}

// write puts a file in its place at once, as an editor does.
func write(t testing.TB, path, text string) {
	t.Helper()
	temp := path + ".new"
	if err := errors.Join(os.WriteFile(temp, []byte(text), 0o644), os.Rename(temp, path)); err != nil {
		t.Fatal(err)
	}
}
