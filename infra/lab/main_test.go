package lab

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"ixpqos/infra/lab/netns"
)

// role is the environment variable that makes the test binary a tool of its own
// tests.
const role = "IXPQOS_LAB_ROLE"

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(role) {
	case "echo":
		err = echo(os.Args[1])
	case "ask":
		err = ask(os.Args[1], os.Args[2], os.Args[3])
	case "send":
		err = send(os.Args[1], os.Args[2], os.Args[3])
	case "collect":
		err = collect()
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// echo answers every datagram, and says on standard output when it listens.
func echo(address string) error {
	conn, err := net.ListenPacket("udp", address)
	if err != nil {
		return err
	}
	fmt.Println("listening")
	buf := make([]byte, 1500)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return err
		}
		if _, err := conn.WriteTo(buf[:n], from); err != nil {
			return err
		}
	}
}

// ask sends count datagrams, and says how many of them were answered when it
// has seen as many as are expected, or no more within a second.
func ask(address, count, expected string) error {
	total, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	enough, err := strconv.Atoi(expected)
	if err != nil {
		return err
	}
	conn, err := net.Dial("udp", address)
	if err != nil {
		return err
	}
	for i := range total {
		if _, err := conn.Write([]byte{byte(i)}); err != nil {
			return err
		}
	}
	seen := map[byte]bool{}
	for len(seen) < enough {
		if err := conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			return err
		}
		buf := make([]byte, 1500)
		if n, err := conn.Read(buf); err != nil || n == 0 {
			break
		}
		seen[buf[0]] = true
	}
	fmt.Println(len(seen))
	return nil
}

// tool runs the test binary on a host in a role.
func tool(ctx context.Context, h *Host, as string, args ...string) *exec.Cmd {
	cmd := h.Command(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), role+"="+as, "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	return cmd
}

func listen(t *testing.T, h *Host, address string) {
	t.Helper()
	cmd := tool(t.Context(), h, "echo", address)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "listening\n" {
		t.Fatalf("echo on %s: %q, %v", address, line, err)
	}
}

func answers(t *testing.T, h *Host, address string, count, expected int) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), netns.Bound)
	defer cancel()
	out, err := tool(ctx, h, "ask", address, strconv.Itoa(count), strconv.Itoa(expected)).Output()
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
