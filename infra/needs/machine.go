package needs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

func lacksRoot() error {
	if uid := os.Geteuid(); uid != 0 {
		return fmt.Errorf("the tests run as user %d, not as root", uid)
	}
	return nil
}

// lacksNetns makes one of everything that package lab uses: a kernel or a
// container may refuse any of them.
func lacksNetns() error {
	if err := lacksRoot(); err != nil {
		return err
	}
	for _, tool := range []string{"ip", "nft", "bridge"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("no command %s", tool)
		}
	}
	name := fmt.Sprintf("ixpqos-%d-need", os.Getpid())
	if err := run("", "ip", "netns", "add", name); err != nil {
		return err
	}
	return errors.Join(
		run("link add bridge0 type bridge\nlink add veth0 type veth peer name veth1\n", "ip", "-n", name, "-batch", "-"),
		run(needRules, "ip", "netns", "exec", name, "nft", "-f", "-"),
		run("", "ip", "netns", "del", name),
	)
}

const needRules = `table inet need {
	counter c { }
}
table netdev need {
	set flows {
		typeof ip saddr . udp sport
		size 8
		flags dynamic
	}
	chain arrives {
		type filter hook ingress device "veth0" priority 0
		meta mark set 1 dup to "veth1"
		fwd to jhash ip saddr . udp sport mod 1 seed 0x1 map { 0 : "veth1" }
	}
	chain leaves {
		type filter hook egress device "veth0" priority 0
		add @flows { ip saddr . udp sport counter }
		numgen random mod 100 < 1 drop
	}
}
`

func lacksICMP() error {
	var err error
	for _, kind := range []int{syscall.SOCK_DGRAM, syscall.SOCK_RAW} {
		var fd int
		if fd, err = syscall.Socket(syscall.AF_INET, kind|syscall.SOCK_CLOEXEC, syscall.IPPROTO_ICMP); err == nil {
			return syscall.Close(fd)
		}
	}
	return fmt.Errorf("neither a datagram nor a raw ICMP socket can be opened: %w", err)
}

func lacksSystemd() error { return run("", "systemd-analyze", "--version") }

func lacksNginx() error { return run("", "nginx", "-v") }

// lacksSAM starts no daemon: who needs one does.
func lacksSAM() error {
	script, err := inCheckout("infra/sam/install")
	if err != nil {
		return err
	}
	if err := run("", script, "--find"); err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return run("", "docker", "info")
	}
	return nil
}

func lacksGit() error { return run("", "git", "rev-parse", "--is-inside-work-tree") }

func lacksTime() error {
	if testing.Short() {
		return errors.New("it takes long and -short is set")
	}
	return nil
}

// run runs a command and returns what it complained of.
func run(stdin, name string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	if len(out) > 0 {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
	}
	return fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
}
