// Package netns makes networks out of network namespaces, through the commands
// ip and nft: namespaces that share a prefix, links between them, rules and
// processes in them.
//
// What it promises: nothing of a network is left when it is closed, and of the
// processes only those are ended that run inside its namespaces. What a network
// is stands in the kernel alone, so another process can open it too.
package netns

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Bound is how long anything may take that a network does by itself.
const Bound = 20 * time.Second

// Network is the namespaces whose names begin with a prefix. Commands may be
// made and run from any goroutine; namespaces are added from one at a time.
type Network struct {
	prefix string
	names  []string

	mu   sync.Mutex
	stop []context.CancelFunc
}

// New is a network without namespaces.
func New(prefix string) *Network { return &Network{prefix: prefix} }

// Open is the network of all namespaces that there are with the prefix.
func Open(prefix string) (*Network, error) {
	all, err := list()
	if err != nil {
		return nil, err
	}
	n := New(prefix)
	for _, namespace := range all {
		if name, ours := strings.CutPrefix(namespace, prefix); ours {
			n.names = append(n.names, name)
		}
	}
	return n, nil
}

// list gives all namespaces of the machine that have a name.
func list() ([]string, error) {
	out, err := run("", "ip", "netns", "list")
	if err != nil {
		return nil, err
	}
	var names []string
	for line := range strings.Lines(string(out)) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ") // an id may follow
		names = append(names, name)
	}
	return names, nil
}

// Names are those of the namespaces, without the prefix.
func (n *Network) Names() []string { return slices.Clone(n.names) }

// Namespace is the full name of a namespace, as ip takes it.
func (n *Network) Namespace(name string) string { return n.prefix + name }

// Add makes namespaces with lo up.
func (n *Network) Add(names ...string) error {
	for _, name := range names {
		if _, err := run("", "ip", "netns", "add", n.prefix+name); err != nil {
			return err
		}
		n.names = append(n.names, name)
		if err := n.IP(name, "link set lo up"); err != nil {
			return err
		}
	}
	return nil
}

// IP runs ip commands in a namespace.
func (n *Network) IP(name string, lines ...string) error {
	_, err := run(strings.Join(lines, "\n")+"\n", "ip", "-n", n.prefix+name, "-batch", "-")
	return err
}

// Here runs ip commands in the namespace of this process.
func Here(lines ...string) error {
	_, err := run(strings.Join(lines, "\n")+"\n", "ip", "-batch", "-")
	return err
}

// Run runs a command in a namespace to its end, and returns its output.
func (n *Network) Run(name, stdin string, args ...string) ([]byte, error) {
	return run(stdin, "ip", slices.Concat([]string{"netns", "exec", n.prefix + name}, args)...)
}

// Command makes a command that runs in a namespace. The end of ctx ends it, as
// does the close of the network, and the end of this process, even a sudden one.
func (n *Network) Command(ctx context.Context, name, program string, args ...string) *exec.Cmd {
	ctx, stop := context.WithCancel(ctx)
	n.mu.Lock()
	n.stop = append(n.stop, stop)
	n.mu.Unlock()
	cmd := exec.CommandContext(ctx, "ip", slices.Concat([]string{"netns", "exec", n.prefix + name, program}, args)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// Close ends what runs in the network and removes it.
func (n *Network) Close() error {
	n.mu.Lock()
	for _, stop := range n.stop {
		stop()
	}
	n.mu.Unlock()
	var failed []error
	for _, name := range n.names {
		namespace := n.prefix + name
		if !Await(func() bool { return !endProcesses(namespace) }) {
			failed = append(failed, fmt.Errorf("processes in %s do not end", namespace))
		}
		if _, err := run("", "ip", "netns", "del", namespace); err != nil {
			failed = append(failed, err)
		}
	}
	n.names = nil
	return errors.Join(failed...)
}

// endProcesses kills what runs in a namespace, and says whether anything did.
// Only the network's own commands and their children can be in there.
func endProcesses(namespace string) bool {
	out, err := run("", "ip", "netns", "pids", namespace)
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

// Sweep removes the namespaces that killed processes left. Their names begin
// with the family, and the process's id and a hyphen follow.
func Sweep(family string) error {
	all, err := list()
	if err != nil {
		return err
	}
	for _, namespace := range all {
		rest, ours := strings.CutPrefix(namespace, family)
		process, _, numbered := strings.Cut(rest, "-")
		id, err := strconv.Atoi(process)
		if !ours || !numbered || err != nil || syscall.Kill(id, 0) != syscall.ESRCH {
			continue
		}
		_, _ = run("", "ip", "netns", "del", namespace) // another process may be first
	}
	return nil
}
