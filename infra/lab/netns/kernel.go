package netns

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// NFT loads a ruleset in a namespace, all of it or nothing.
func (n *Network) NFT(name, ruleset string) error {
	_, err := n.Run(name, ruleset, "nft", "-f", "-")
	return err
}

// Counter is a named counter of nft.
type Counter struct {
	Family  string `json:"family"`
	Table   string `json:"table"`
	Name    string `json:"name"`
	Comment string `json:"comment"`
	Packets uint64 `json:"packets"`
}

// Counters reads the named counters of a namespace.
func (n *Network) Counters(name string) ([]Counter, error) {
	return List[Counter](n, name, "counter", "counters")
}

// List gives the objects of a kind, such as "set", in what nft lists in a
// namespace: "table netdev bundle".
func List[T any](n *Network, name, kind, what string) ([]T, error) {
	command := append([]string{"nft", "-j", "list"}, strings.Fields(what)...)
	out, err := n.Run(name, "", command...)
	if err != nil {
		return nil, err
	}
	found, err := parse[T](out, kind)
	if err != nil {
		return nil, fmt.Errorf("%s in %s: %w", strings.Join(command, " "), n.Namespace(name), err)
	}
	return found, nil
}

// parse reads the JSON of nft (libnftables-json(5)): a list of objects, each
// under the name of its kind.
func parse[T any](out []byte, kind string) ([]T, error) {
	var list struct {
		NFTables []map[string]json.RawMessage `json:"nftables"`
	}
	if err := json.Unmarshal(out, &list); err != nil {
		return nil, err
	}
	var found []T
	for _, object := range list.NFTables {
		text, ok := object[kind]
		if !ok {
			continue
		}
		var value T
		if err := json.Unmarshal(text, &value); err != nil {
			return nil, err
		}
		found = append(found, value)
	}
	return found, nil
}

// Sysctl sets a kernel parameter of a namespace: net.ipv4.ip_forward.
func (n *Network) Sysctl(name, key, value string) error {
	return n.Inside(name, func() error {
		return os.WriteFile("/proc/sys/"+strings.ReplaceAll(key, ".", "/"), []byte(value), 0)
	})
}

// Inside calls a function on a thread that is in a namespace. Sockets that are
// opened there stay there.
func (n *Network) Inside(name string, call func() error) error {
	done := make(chan error)
	go func() { done <- inside(n.Namespace(name), call) }()
	return <-done
}

// inside moves this goroutine's thread into a namespace and back. The thread
// must not end, as a locked one does with its goroutine: the kernel then kills
// the commands that it started (PR_SET_PDEATHSIG(2const)). Only one that cannot
// come back is given up.
func inside(namespace string, call func() error) error {
	there, err := os.Open("/run/netns/" + namespace) // ip-netns(8)
	if err != nil {
		return err
	}
	defer there.Close()
	runtime.LockOSThread()
	here, err := os.Open("/proc/thread-self/ns/net")
	if err == nil {
		defer here.Close()
		err = unix.Setns(int(there.Fd()), unix.CLONE_NEWNET)
	}
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter the namespace %s: %w", namespace, err)
	}
	err = call()
	if back := unix.Setns(int(here.Fd()), unix.CLONE_NEWNET); back != nil {
		return errors.Join(err, fmt.Errorf("come back from the namespace %s: %w", namespace, back))
	}
	runtime.UnlockOSThread()
	return err
}

// AwaitLink waits for the operational state of a device, which follows the
// administrative one with a delay, and where it is a port of a bridge that is
// up, for that to forward.
func (n *Network) AwaitLink(name, device, state string) error {
	var links []struct {
		OperState string `json:"operstate"`
		LinkInfo  struct {
			Slave struct {
				State string `json:"state"`
			} `json:"info_slave_data"`
		} `json:"linkinfo"`
	}
	reached := Await(func() bool {
		out, err := run("", "ip", "-n", n.prefix+name, "-j", "-d", "link", "show", device)
		if err != nil || json.Unmarshal(out, &links) != nil || len(links) != 1 {
			return false
		}
		port := links[0].LinkInfo.Slave.State
		return links[0].OperState == state && (port == "" || port == "forwarding")
	})
	if !reached {
		return fmt.Errorf("%s in %s does not come to be %s: %+v", device, n.Namespace(name), state, links)
	}
	return nil
}

// Await polls until a condition holds, and says whether it came to that.
func Await(holds func() bool) bool {
	ctx, cancel := context.WithTimeout(context.Background(), Bound)
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
func run(stdin, name string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), Bound)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.Output()
	if err != nil {
		said := ""
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			said = ": " + strings.TrimSpace(string(exit.Stderr))
		}
		return nil, fmt.Errorf("%s %s: %w%s", name, strings.Join(args, " "), err, said)
	}
	return out, nil
}
