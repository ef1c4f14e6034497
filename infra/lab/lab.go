// Package lab builds exchanges out of network namespaces for tests: hosts of
// their own, joined by a switch, through the commands ip and nft.
//
// A lab is usable at once: when Host returns, the link is up, the switch
// forwards and every address is valid. Its names are its own, so tests and test
// processes run side by side. At the end of the test nothing is left of it, and
// of the processes only those are ended that run inside its namespaces. A test
// process that was itself killed leaves its namespaces to the next lab, which
// removes them.
package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ixpqos/infra/needs"
)

// bound is how long anything may take that the lab does by itself.
const bound = 20 * time.Second

// family begins the names of all labs; the id of the test process follows.
const family = "ixpqos-"

// bridge is the device of the switch's namespace that every host is joined to.
const bridge = "switch0"

// made counts the labs of this process.
var made atomic.Int64

// Lab is one switch and the hosts on it. Host may not be called from two
// goroutines at once.
type Lab struct {
	t          testing.TB
	prefix     string
	namespaces []string

	mu   sync.Mutex
	stop []context.CancelFunc
}

// New makes a lab with a switch and no hosts, which lives as long as the test.
// It skips the test where the machine cannot have one.
func New(t testing.TB) *Lab {
	t.Helper()
	needs.Netns(t)
	sweep(t)
	l := &Lab{t: t, prefix: fmt.Sprintf("%s%d-%d-", family, os.Getpid(), made.Add(1))}
	t.Cleanup(l.close)
	l.namespace(t, "switch")
	l.ip(t, "switch",
		// With snooping a bridge may hold back neighbour discovery.
		"link add "+bridge+" type bridge stp_state 0 mcast_snooping 0",
		"link set "+bridge+" up",
	)
	return l
}

// namespace makes a namespace with lo up.
func (l *Lab) namespace(t testing.TB, name string) {
	t.Helper()
	run(t, "", "ip", "netns", "add", l.prefix+name)
	l.namespaces = append(l.namespaces, l.prefix+name)
	l.ip(t, name, "link set lo up")
}

// ip runs ip commands in a namespace.
func (l *Lab) ip(t testing.TB, name string, lines ...string) {
	t.Helper()
	run(t, strings.Join(lines, "\n")+"\n", "ip", "-n", l.prefix+name, "-batch", "-")
}

// close ends what runs in the lab and removes it.
func (l *Lab) close() {
	l.mu.Lock()
	for _, stop := range l.stop {
		stop()
	}
	l.mu.Unlock()
	for _, name := range l.namespaces {
		if !await(func() bool { return !endProcesses(name) }) {
			l.t.Errorf("lab: processes in %s do not end", name)
		}
		if out, err := try("", "ip", "netns", "del", name); err != nil {
			l.t.Errorf("lab: %v: %s", err, out)
		}
	}
}

// endProcesses kills what runs in a namespace, and says whether anything did.
// Only the lab's own commands and their children can be in there.
func endProcesses(namespace string) bool {
	out, err := try("", "ip", "netns", "pids", namespace)
	if err != nil {
		return false // the namespace is gone, and its processes with it
	}
	found := false
	for field := range strings.FieldsSeq(string(out)) {
		id, err := strconv.Atoi(field)
		if err != nil || id == os.Getpid() {
			continue
		}
		found = true
		_ = syscall.Kill(id, syscall.SIGKILL) // it may have ended since
	}
	return found
}

// sweep removes the namespaces of test processes that were killed before they
// could do it themselves.
func sweep(t testing.TB) {
	t.Helper()
	for line := range strings.Lines(string(run(t, "", "ip", "netns", "list"))) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		rest, ours := strings.CutPrefix(name, family)
		process, _, numbered := strings.Cut(rest, "-")
		id, err := strconv.Atoi(process)
		if !ours || !numbered || err != nil || syscall.Kill(id, 0) != syscall.ESRCH {
			continue
		}
		_, _ = try("", "ip", "netns", "del", name) // another test process may be first
	}
}

// command makes a command that the end of the lab ends too, as does the end of
// this process, even a sudden one.
func (l *Lab) command(ctx context.Context, namespace, name string, args []string) *exec.Cmd {
	ctx, stop := context.WithCancel(ctx)
	l.mu.Lock()
	l.stop = append(l.stop, stop)
	l.mu.Unlock()
	cmd := exec.CommandContext(ctx, "ip", slices.Concat([]string{"netns", "exec", namespace, name}, args)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// await polls until a condition holds, and says whether it came to that.
func await(holds func() bool) bool {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			return false
		case <-poll.C:
		}
	}
	return true
}

// run runs a command that must succeed, and returns its output.
func run(t testing.TB, stdin, name string, args ...string) []byte {
	t.Helper()
	out, err := try(stdin, name, args...)
	if err != nil {
		t.Fatalf("lab: %v", err)
	}
	return out
}

func try(stdin, name string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.Output()
	if err != nil {
		said := ""
		if exit, ok := err.(*exec.ExitError); ok {
			said = ": " + strings.TrimSpace(string(exit.Stderr))
		}
		return nil, fmt.Errorf("%s %s: %w%s", name, strings.Join(args, " "), err, said)
	}
	return out, nil
}
