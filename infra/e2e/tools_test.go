package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ixpqos/internal/wire"
)

// endsWithin is what a probe and a server have to end on SIGTERM: how long that
// takes a busy machine says nothing of them.
const endsWithin = bound - 10*time.Second

func contains(text, part string) error {
	if !strings.Contains(text, part) {
		return fmt.Errorf("no %q in %s", part, tail(text))
	}
	return nil
}

// TestStop stops a probe in the middle of a round, and then the server.
func TestStop(t *testing.T) {
	x := newExchange(t)
	p1 := x.member("p1", "198.18.0.1/24")
	p2 := x.member("p2", "198.18.0.2/24")
	p2.NFT(t, `
table inet faults {
	counter pings { }
	chain input {
		type filter hook input priority 0
		icmp type echo-request counter name pings
	}
}
`)
	const count = 80
	x.configure(fmt.Sprintf("tests:\n  - {name: ping, kind: icmp, every: 15s, count: %d, spacing: 100ms, sources: [p1]}\n", count), p1, p2)
	server := x.serve()
	probe := p1.start()
	await(t, "a round has begun", func() error {
		if seen := p2.Counter(t, "inet faults", "pings"); seen < count/4 {
			return fmt.Errorf("%d pings", seen)
		}
		return nil
	})
	if status := probe.stop(t, endsWithin); status != 0 {
		t.Errorf("the probe ended with %d", status)
	}
	waiting, err := p1.spooled("ping")
	if err != nil {
		t.Fatal(err)
	}
	stored, err := x.series("p1", "p2", "ping")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range waiting {
		stored = append(stored, wire.Shown(r, time.Time{}))
	}
	if len(stored) == 0 {
		t.Fatal("the round that was cut short is neither in the spool nor with the server")
	}
	// Several rounds where the machine was slow to look; the last one is cut.
	last := stored[len(stored)-1]
	if last.Sent < 1 || last.Sent >= count || last.Lost > 0 || last.RTTMinUS == nil {
		t.Errorf("a round that was cut short and lost nothing: %s", show(last))
	}
	if status := server.stop(t, endsWithin+time.Second); status != 0 {
		t.Errorf("the server ended with %d", status)
	}
}

// TestByHand runs what a person runs on a probe's host.
func TestByHand(t *testing.T) {
	x := newExchange(t)
	p1 := x.member("p1", "198.18.0.1/24", "2001:db8::1/64")
	p2 := x.member("p2", "198.18.0.2/24", "2001:db8::2/64")
	gone := x.member("gone", "198.18.0.9/24")
	gone.Down(t)
	x.configure(`targets:
  - {name: gone, addresses: [198.18.0.9]}
tests:
  - {name: ping, kind: icmp, every: 4s, count: 3, spacing: 50ms, timeout: 2500ms}
`, p1, p2)
	t.Run("run", func(t *testing.T) { printsLines(t, x, p1) })
	x.serve()
	t.Run("once", func(t *testing.T) { once(t, x, p1) })
	t.Run("check", func(t *testing.T) { check(t, x, p1) })
}

func printsLines(t *testing.T, x *exchange, p *member) {
	cmd := p.Command(context.Background(), program(t, "ixpqos-probe"), "run", "--name", p.Name, "--inventory", x.inventory)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	cmd.Stdout = write
	probe := start(t, "run --inventory", cmd)
	write.Close()
	if err := read.SetReadDeadline(time.Now().Add(bound)); err != nil {
		t.Fatal(err)
	}
	seen := map[key]bool{}
	for lines := bufio.NewScanner(read); len(seen) < 3 && lines.Scan(); {
		var r wire.Result
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil || r.Source != p.Name || r.Derived == nil {
			t.Fatalf("not a result: %v: %s", err, lines.Text())
		}
		if answers := r.Target == "p2"; answers != (r.Lost == 0) || answers != (r.RTTMinUS != nil) {
			t.Errorf("%s", lines.Text())
		}
		seen[key{r.Source, r.Target, r.Test, r.Family}] = true
	}
	for _, k := range []key{{"p1", "p2", "ping", 4}, {"p1", "p2", "ping", 6}, {"p1", "gone", "ping", 4}} {
		if !seen[k] {
			t.Errorf("no result of %v", k)
		}
	}
	if status := probe.stop(t, endsWithin); status != 0 {
		t.Errorf("ended with %d", status)
	}
}

func once(t *testing.T, x *exchange, p *member) {
	fromServer := p.runArgs("once")[1:]
	fromFile := []string{"once", "--name", p.Name, "--inventory", x.inventory}

	got := p.probe(t, append(fromServer, "--target", "p2")...)
	if got.status != 0 || errors.Join(contains(got.out, "TARGET"), contains(got.out, "198.18.0.2"), contains(got.out, "2001:db8::2"), contains(got.out, "0 %")) != nil {
		t.Errorf("status %d: %s%s", got.status, got.out, got.errOut)
	}
	got = p.probe(t, append(fromFile, "--target", "p2", "--count", "2", "--json")...)
	lines := strings.Split(strings.TrimSpace(got.out), "\n")
	if got.status != 0 || len(lines) != 2 {
		t.Fatalf("status %d: %s%s", got.status, got.out, got.errOut)
	}
	for _, line := range lines {
		var r wire.Result
		if err := json.Unmarshal([]byte(line), &r); err != nil || r.Target != "p2" || r.Sent != 2 || r.Received != 2 || r.RTTP50US == nil {
			t.Errorf("%v: %s", err, line)
		}
	}
	for _, args := range [][]string{fromServer, append(fromFile, "--json")} {
		if got := p.probe(t, args...); got.status != 1 || contains(got.out, "gone") != nil || contains(got.out, "p2") != nil {
			t.Errorf("with a target that does not answer: status %d: %s%s", got.status, got.out, got.errOut)
		}
	}
	if got := p.probe(t, "once", "--target", "198.18.0.2", "--count", "1", "--state", t.TempDir()); got.status != 0 || contains(got.out, "198.18.0.2") != nil {
		t.Errorf("an address alone: status %d: %s%s", got.status, got.out, got.errOut)
	}
}

func check(t *testing.T, x *exchange, p *member) {
	got := p.probe(t, p.runArgs("check")[1:]...)
	lines := checked(t, got)
	for _, what := range []string{"ICMP sockets", "clock", "API", "configuration", "state folder", "address IPv4", "address IPv6", "ARP settings", "test ping"} {
		// Whether something keeps the clock is the machine's affair.
		if fine, said := lines[what]; !said || !fine && what != "clock" {
			t.Errorf("%s: said %v, fine %v: %s", what, said, fine, got.out)
		}
	}
	wrongKey := filepath.Join(t.TempDir(), "key")
	other, _ := makeKey(t, "stranger", "probe")
	write(t, wrongKey, other)
	args := append(p.runArgs("check")[1:], "--key-file", wrongKey)
	if got := p.probe(t, args...); got.status != 1 || checked(t, got)["configuration"] || !checked(t, got)["API"] {
		t.Errorf("with a wrong key: status %d: %s%s", got.status, got.out, got.errOut)
	}
	// p2's configuration on p1's host.
	if got := p.probe(t, "check", "--name", "p2", "--inventory", x.inventory); got.status != 1 || checked(t, got)["address IPv4"] {
		t.Errorf("on another host: status %d: %s%s", got.status, got.out, got.errOut)
	}
}

// checked reads what check said, and sees that the exit status goes with it.
func checked(t *testing.T, got ended) map[string]bool {
	t.Helper()
	fine, bad := map[string]bool{}, false
	for line := range strings.Lines(got.out) {
		state, rest, _ := strings.Cut(line, " ")
		what, said, ok := strings.Cut(strings.TrimLeft(rest, " "), "  ")
		if !ok { // a name as long as its column
			what, said = rest, rest
		}
		if state != "ok" && state != "FAIL" || said == "" {
			t.Errorf("a line that says nothing: %q", line)
		}
		fine[strings.TrimSpace(what)] = state == "ok"
		bad = bad || state == "FAIL"
	}
	if bad != (got.status == 1) || got.status > 1 {
		t.Errorf("status %d does not go with %s", got.status, got.out)
	}
	return fine
}

// TestWithoutICMP runs a probe that may not ping: all the rest works, and says
// what is missing.
func TestWithoutICMP(t *testing.T) {
	x := newExchange(t)
	p1 := x.member("p1", "198.18.0.1/24")
	p2 := x.member("p2", "198.18.0.2/24")
	p1.Sysctl(t, "net.ipv4.ping_group_range", "1 0")
	x.configure("tests:\n  - {name: ping, kind: icmp, every: 4s, count: 2, spacing: 50ms, timeout: 2500ms, sources: [p1]}\n", p1, p2)

	dir := openFolder(t)
	secret, err := os.ReadFile(p1.keyFile)
	if err != nil {
		t.Fatal(err)
	}
	p1.keyFile, p1.state = filepath.Join(dir, "key"), filepath.Join(dir, "state")
	write(t, p1.keyFile, string(secret))
	err = errors.Join(os.Chown(dir, nobody, nobody), os.Chown(p1.keyFile, nobody, nobody), os.Chmod(p1.keyFile, 0o600))
	if err != nil {
		t.Fatal(err)
	}

	x.serve()
	cmd := p1.Command(context.Background(), os.Args[0], p1.runArgs("run")...)
	cmd.Env = append(os.Environ(), role+"=nobody")
	probe := start(t, "p1", cmd)
	await(t, "the API and the page tell what is missing", func() error {
		shown, err := x.health("p1")
		if err != nil {
			return err
		}
		page, err := x.get("/")
		if err != nil {
			return err
		}
		troubles := show(shown.Health)
		return errors.Join(contains(troubles, "CAP_NET_RAW"), contains(troubles, "net.ipv4.ping_group_range"),
			contains(page, "CAP_NET_RAW"), contains(page, "net.ipv4.ping_group_range"), contains(page, "setcap"))
	})
	results, err := x.series("p1", "p2", "ping")
	if err != nil || len(results) > 0 {
		t.Errorf("results without a ping: %v, %s", err, show(results))
	}
	if status := probe.stop(t, endsWithin); status != 0 {
		t.Errorf("ended with %d", status)
	}
}
