package lab

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"ixpqos/infra/lab/netns"
)

func TestHostsReachEachOther(t *testing.T) {
	l := New(t)
	a := l.Host("a", "198.18.0.1/24", "2001:db8::1/64")
	b := l.Host("b", "198.18.0.2/24", "2001:db8::2/64")
	for _, address := range []string{"198.18.0.2:7", "[2001:db8::2]:7"} {
		listen(t, b, address)
		if got := answers(t, a, address, 20, 20); got != 20 {
			t.Errorf("%s answered %d of the first 20", address, got)
		}
		b.Down(t)
		if got := answers(t, a, address, 5, 5); got != 0 {
			t.Errorf("%s answered %d with its link down", address, got)
		}
		b.Up(t)
		if got := answers(t, a, address, 20, 20); got != 20 {
			t.Errorf("%s answered %d of 20 with its link up again", address, got)
		}
	}
}

func TestCounterCountsWhatWasDropped(t *testing.T) {
	l := New(t)
	a := l.Host("a", "198.18.0.1/24")
	b := l.Host("b", "198.18.0.2/24")
	b.NFT(t, `
table inet faults {
	counter dropped { }
	chain input {
		type filter hook input priority 0
		udp dport 7 numgen inc mod 4 < 1 counter name dropped drop
	}
}
`)
	listen(t, b, "198.18.0.2:7")
	got, dropped := answers(t, a, "198.18.0.2:7", 100, 75), b.Counter(t, "inet faults", "dropped")
	if got != 75 || dropped != 25 {
		t.Errorf("%d answered, %d dropped, want 75 and 25", got, dropped)
	}
}

func TestSysctl(t *testing.T) {
	l := New(t)
	h := l.Host("h", "198.18.0.1/24")
	h.Sysctl(t, "net.ipv4.ping_group_range", "0 100")
	out, err := h.Command(t.Context(), "cat", "/proc/sys/net/ipv4/ping_group_range").Output()
	if got := strings.Join(strings.Fields(string(out)), " "); err != nil || got != "0 100" {
		t.Errorf("ping_group_range %q, %v", got, err)
	}
}

// TestCommandsRunOn: a command ends with the thread that started it, so no
// thread may end while the lab does other things.
func TestCommandsRunOn(t *testing.T) {
	l := New(t)
	h := l.Host("h", "198.18.0.1/24")
	var running []*exec.Cmd
	for range 8 {
		cmd := h.Command(t.Context(), "cat")
		if _, err := cmd.StdinPipe(); err != nil { // it ends when this is closed
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		running = append(running, cmd)
		for range 4 {
			h.Sysctl(t, "net.ipv4.ip_forward", "1")
		}
	}
	for _, cmd := range running {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if _ = cmd.Wait(); cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
			t.Errorf("a command had ended before: %v", cmd.ProcessState)
		}
	}
}

func TestLabsStandSideBySide(t *testing.T) {
	for range 3 {
		t.Run("lab", func(t *testing.T) {
			t.Parallel()
			l := New(t)
			a, b := l.Host("a", "198.18.0.1/24"), l.Host("b", "198.18.0.2/24")
			listen(t, b, "198.18.0.2:7")
			if got := answers(t, a, "198.18.0.2:7", 10, 10); got != 10 {
				t.Errorf("%d of 10 answered", got)
			}
		})
	}
}

// TestNothingIsLeft looks at what remains of a lab whose test failed with
// processes running, one of them a grandchild.
func TestNothingIsLeft(t *testing.T) {
	prefix, process := brokenTest(t, "fail")
	if left := namespaces(t, prefix); len(left) > 0 {
		t.Errorf("namespaces are left: %v", left)
	}
	if !netns.Await(func() bool { return syscall.Kill(process, 0) == syscall.ESRCH }) {
		t.Errorf("process %d is left", process)
	}
}

// TestKilledTestIsSweptUp looks at what the next lab makes of a test process
// that had no time to clean up.
func TestKilledTestIsSweptUp(t *testing.T) {
	prefix, _ := brokenTest(t, "kill")
	if len(namespaces(t, prefix)) == 0 {
		t.Fatal("the killed test left nothing: it proves nothing")
	}
	New(t)
	if left := namespaces(t, prefix); len(left) > 0 {
		t.Errorf("namespaces are left: %v", left)
	}
}

// brokenTest runs TestBroken in a process of its own, and returns the prefix of
// its lab and the process that it started there.
func brokenTest(t *testing.T, end string) (prefix string, process int) {
	t.Helper()
	New(t) // the need is asked for here, where it can skip
	ctx, cancel := context.WithTimeout(t.Context(), netns.Bound)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestBroken$")
	cmd.Env = append(os.Environ(), "IXPQOS_LAB_BROKEN="+end)
	out, err := cmd.Output()
	if err == nil {
		t.Fatal("the broken test passed")
	}
	if _, err := fmt.Sscan(string(out), &prefix, &process); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return prefix, process
}

// TestBroken is a helper of the two tests above.
func TestBroken(t *testing.T) {
	end := os.Getenv("IXPQOS_LAB_BROKEN")
	if end == "" {
		t.SkipNow()
	}
	l := New(t)
	h := l.Host("h", "198.18.0.1/24")
	cmd := h.Command(context.Background(), "sh", "-c", "sleep 600 & echo $!; wait")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var process int
	if _, err := fmt.Fscan(out, &process); err != nil {
		t.Fatal(err)
	}
	fmt.Println(l.network.Namespace(""), process)
	if end == "kill" {
		if err := syscall.Kill(process, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		_, _ = io.ReadAll(out) // until the signal is here
	}
	t.Fatal("broken, as it should be")
}

func namespaces(t *testing.T, prefix string) []string {
	t.Helper()
	left, err := netns.Open(prefix)
	if err != nil {
		t.Fatal(err)
	}
	return left.Names()
}
