package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"ixpqos/internal/wire"
)

// holds has a process hold ports on the host, and returns when it does.
func (m *member) holds(t *testing.T, addresses ...string) {
	t.Helper()
	cmd := m.Command(context.Background(), os.Args[0], addresses...)
	cmd.Env = append(os.Environ(), role+"=hold")
	said, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	start(t, "the holder of ports", cmd)
	if _, err := fmt.Fscanf(said, "held\n"); err != nil {
		t.Fatalf("%v are not held: %v", addresses, err)
	}
}

// TestSTAMPCannot asks for what hosts cannot give: that is one clear line each,
// and all else is measured.
func TestSTAMPCannot(t *testing.T) {
	x := newExchange(t)
	p1 := x.member("p1", "198.18.0.1/24", "2001:db8::1/64")
	p2 := x.member("p2", "198.18.0.2/24", "2001:db8::2/64")
	p3 := x.member("p3", "198.18.0.3/24", "2001:db8::3/64")
	p1.holds(t, "198.18.0.1:61002")
	p2.holds(t, "198.18.0.2:862", "[2001:db8::2]:862")
	x.configure(`tests:
  - {name: ping, kind: icmp, every: 4s, count: 2, spacing: 50ms, timeout: 2500ms}
  - {name: fabric, kind: stamp, flows: 4, interval: 5s}
  - {name: huge, kind: stamp, flows: 1, interval: 5s, port: 61100, size: 1600, df: true, sources: [p3], targets: [p1]}
`, p1, p2, p3)
	x.serve()
	for _, p := range []*member{p1, p2, p3} {
		p.start()
	}
	x.awaitGood("ping")
	await(t, "every probe says in one line what it cannot", func() error {
		return errors.Join(
			x.saysOnly("p1", `test "fabric": source port 61002 over IPv4: `, "198.18.0.1:61002", "address already in use"),
			x.saysOnly("p2", "STAMP is not answered on", "198.18.0.2:862", "[2001:db8::2]:862", "address already in use", "reflector_port in the inventory"),
			x.saysOnly("p3", `test "huge": packets of 1600 bytes to "p1" over IPv`, "MTU", "lower size, or leave df away"))
	})
	await(t, "the rest is measured", func() error {
		return errors.Join(
			x.measures("p1", "p3", 4, 61000, 61001, 61003), x.measures("p1", "p3", 6, 61000, 61001, 61002, 61003),
			x.measures("p2", "p1", 4, 61000, 61001, 61002, 61003), x.measures("p2", "p3", 6, 61000, 61001, 61002, 61003))
	})
	results, err := x.series("p3", "p1", "huge")
	if err != nil || len(results) == 0 {
		t.Fatalf("huge has %d results, %v", len(results), err)
	}
	for _, r := range results {
		if r.Sent > 0 || r.Refused == 0 {
			t.Errorf("what is larger than the MTU and may not be fragmented: %s", show(r))
		}
	}
}

// saysOnly tells that a probe does not say one thing, in one line with all of
// what is wanted.
func (x *exchange) saysOnly(probe string, wanted ...string) error {
	shown, err := x.health(probe)
	if err != nil {
		return err
	}
	if shown.Health == nil || len(shown.Health.Troubles) != 1 || strings.Contains(shown.Health.Troubles[0], "\n") {
		return fmt.Errorf("%s does not say one thing: %s", probe, show(shown))
	}
	for _, want := range wanted {
		err = errors.Join(err, contains(shown.Health.Troubles[0], want))
	}
	return err
}

// measures tells that the newest result of a pair is not of these flows, without
// loss.
func (x *exchange) measures(source, target string, family uint8, ports ...uint16) error {
	var w wire.Flows
	if err := x.getJSON(fmt.Sprintf("/api/v2/pairs/%s/%s/flows?test=fabric&family=%d", source, target, family), &w); err != nil {
		return err
	}
	if len(w.Results) == 0 {
		return fmt.Errorf("%s→%s has no results", source, target)
	}
	newest := w.Results[len(w.Results)-1]
	var sent []uint16
	for _, f := range newest.Flows {
		if f.Sent > 0 && f.Lost == 0 {
			sent = append(sent, f.Port)
		}
	}
	if fmt.Sprint(sent) != fmt.Sprint(ports) {
		return fmt.Errorf("%s→%s IPv%d measures %v, want %v: %s", source, target, family, sent, ports, show(newest))
	}
	return nil
}

// TestTargetWithoutTheFamily: the server's own check says it before anything
// runs.
func TestTargetWithoutTheFamily(t *testing.T) {
	t.Parallel()
	inventory := inventoryFile(t, `probes:
  - {name: p1, addresses: [192.0.2.1, "2001:db8::1"]}
targets:
  - {name: r1, addresses: [192.0.2.9], answers: [stamp]}
tests:
  - {name: fabric, kind: stamp, families: [6], targets: [r1]}
`)
	refused(t, runs(t, "ixpqos-server", "inventory", "check", inventory), 2, inventory+":6", `"fabric"`, `target "r1" has no IPv6 address`)
}
