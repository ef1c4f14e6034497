package ping

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"ixpqos/infra/lab"
	"ixpqos/infra/needs"
	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
)

// roundVariable asks the test binary to run one round, which it is given as
// JSON, and to print what came of it: that is how a round gets into a namespace.
const roundVariable = "IXPQOS_TEST_ROUND"

type printed struct {
	ippm.Counts
	Samples  int
	Min, Max float64
	First    bool
	Err      string
}

func TestMain(m *testing.M) {
	if text := os.Getenv(roundVariable); text != "" {
		if err := runRound(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func runRound(text string) error {
	var round Round
	if err := json.Unmarshal([]byte(text), &round); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	measured, err := round.Run(ctx)
	if err != nil {
		return err
	}
	var out []printed
	for _, m := range measured {
		p := printed{Counts: m.Counts, Samples: m.RTT.N, Min: m.RTT.Min, Max: m.RTT.Max, First: m.First != nil}
		if m.Err != nil {
			p.Err = m.Err.Error()
		}
		out = append(out, p)
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

// short is a test whose round takes little time.
func short(count int) inventory.Test {
	return inventory.Test{Name: "ping", Kind: inventory.KindICMP, Count: count, Spacing: 20 * ms, Timeout: 2500 * ms, Size: 100, Families: []uint8{4, 6}}
}

func pairs(from, to string) []inventory.Pair {
	family := uint8(4)
	if netip.MustParseAddr(to).Is6() {
		family = 6
	}
	return []inventory.Pair{{Target: "far", Family: family, From: from, To: to}}
}

// in runs a round from a host of the lab.
func in(t *testing.T, h *lab.Host, test inventory.Test, pairs []inventory.Pair) []printed {
	t.Helper()
	return launch(t, h, test, pairs)()
}

// launch starts a round; the function that it returns waits for its end.
func launch(t *testing.T, h *lab.Host, test inventory.Test, pairs []inventory.Pair) func() []printed {
	t.Helper()
	_, wait := launchRound(t, h, Round{Source: "near", Test: test, Pairs: pairs})
	return wait
}

func launchRound(t *testing.T, h *lab.Host, round Round) (*exec.Cmd, func() []printed) {
	t.Helper()
	text, err := json.Marshal(round)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), round.Test.RoundTime(len(round.Pairs))+time.Minute)
	t.Cleanup(cancel)
	command := h.Command(ctx, os.Args[0])
	command.Env = append(command.Environ(), roundVariable+"="+string(text))
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, os.Stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	return command, func() []printed {
		t.Helper()
		if err := command.Wait(); err != nil {
			t.Fatalf("the round failed: %v", err)
		}
		var out []printed
		if err := json.Unmarshal(output.Bytes(), &out); err != nil {
			t.Fatalf("%v: %s", err, output.Bytes())
		}
		return out
	}
}

type hosts struct{ near, far *lab.Host }

const (
	near4, far4, nobody4 = "198.18.0.1", "198.18.0.2", "198.18.0.9"
	near6, far6          = "2001:db8::1", "2001:db8::2"
)

func newHosts(t *testing.T) hosts {
	needs.ICMP(t)
	l := lab.New(t)
	return hosts{near: l.Host("near", near4+"/24", near6+"/64"), far: l.Host("far", far4+"/24", far6+"/64")}
}

func TestARoundOverRealSockets(t *testing.T) {
	h := newHosts(t)
	h.far.NFT(t, `table inet seen {
		counter v4 {}
		counter v6 {}
		chain in {
			type filter hook input priority 0;
			ip ttl 255 ip dscp 46 ip length 100 icmp type echo-request counter name v4
			ip6 hoplimit 255 ip6 dscp 46 ip6 length 60 icmpv6 type echo-request counter name v6
		}
	}`)
	test := short(20)
	test.DSCP = 46
	got := in(t, h.near, test, append(pairs(near4, far4), pairs(near6, far6)...))
	for i, p := range got {
		if p.Counts != (ippm.Counts{Sent: 20, Received: 20}) || p.Samples != 20 || !p.First || p.Err != "" {
			t.Errorf("pair %d: %+v", i, p)
		}
		if p.Min <= 0 || p.Max > 2e6 {
			t.Errorf("pair %d: RTT from %v to %v us", i, p.Min, p.Max)
		}
	}
	for _, name := range []string{"v4", "v6"} {
		if n := h.far.Counter(t, "inet seen", name); n != 21 {
			t.Errorf("%d pings arrived with the size, DSCP and TTL that were asked for over %s; want 20 and the first", n, name)
		}
	}
}

// TestDuplicatesHideNoLoss answers every ping twice and loses every other one.
func TestDuplicatesHideNoLoss(t *testing.T) {
	h := newHosts(t)
	h.far.NFT(t, `table netdev twice {
		chain out {
			type filter hook egress device "`+lab.Device+`" priority 0;
			ip protocol icmp icmp type echo-reply meta mark != 7 meta mark set 7 dup to "`+lab.Device+`"
		}
	}
	table inet lossy {
		chain in {
			type filter hook input priority 0;
			icmp type echo-request numgen inc mod 2 == 1 drop
		}
	}`)
	got := in(t, h.near, short(20), pairs(near4, far4))[0]
	if got.Unplaced != 10 || got.Received != 10 || got.Sent != 20 {
		t.Errorf("half of 20 are lost, but the counts are %+v", got.Counts)
	}
	// The first ping's duplicate is not counted.
	if got.Duplicates < 9 || got.Duplicates > 10 {
		t.Errorf("%d duplicates of 10 replies", got.Duplicates)
	}
}

func TestTotalLossHasNoRTT(t *testing.T) {
	h := newHosts(t)
	got := in(t, h.near, short(5), pairs(near4, nobody4))[0]
	if got.Counts != (ippm.Counts{Sent: 5, Unplaced: 5}) || got.Samples != 0 || got.First {
		t.Errorf("nobody answers, but %+v", got)
	}
}

func TestWhatTheKernelRefusesIsNotLost(t *testing.T) {
	h := newHosts(t)
	run := func(name string, args ...string) {
		t.Helper()
		if out, err := h.near.Command(t.Context(), name, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v: %s", name, args, err, out)
		}
	}
	run("ip", "route", "add", "prohibit", "198.18.9.1/32")
	run("ip", "route", "add", "unreachable", "198.18.9.2/32")
	h.near.NFT(t, `table inet firewall {
		chain out { type filter hook output priority 0; ip daddr 198.18.0.77 icmp type echo-request drop; }
	}`)
	for name, c := range map[string]struct {
		pairs []inventory.Pair
		says  string
	}{
		"prohibited route":                 {pairs(near4, "198.18.9.1"), "no route to 198.18.9.1"},
		"unreachable route":                {pairs(near4, "198.18.9.2"), "no route to 198.18.9.2"},
		"no route at all":                  {pairs(near4, "203.0.113.1"), "no route to 203.0.113.1"},
		"firewall in the own output":       {pairs(near4, "198.18.0.77"), "operation not permitted"},
		"own address that is not there":    {pairs("198.18.0.200", far4), "198.18.0.200 is not configured on this host"},
		"own address that is not there, 6": {pairs("2001:db8::200", far6), "2001:db8::200 is not configured on this host"},
	} {
		t.Run(name, func(t *testing.T) {
			got := in(t, h.near, short(3), c.pairs)[0]
			if got.Sent != 0 || got.Refused != 3 || got.Unplaced != 0 {
				t.Errorf("counts = %+v; want nothing sent, all refused", got.Counts)
			}
			if !strings.Contains(got.Err, c.says) {
				t.Errorf("error %q; want one with %q", got.Err, c.says)
			}
		})
	}
}

// TestARouteThatIsForbiddenWhilePinging is the loop of pro-bing that ends in no
// other way: the route was fine when the round began.
func TestARouteThatIsForbiddenWhilePinging(t *testing.T) {
	h := newHosts(t)
	test := short(100)
	h.far.NFT(t, `table inet seen {
		counter some {}
		chain in { type filter hook input priority 0; icmp type echo-request counter name some; }
	}`)
	wait := launch(t, h.near, test, pairs(near4, far4))
	for began := time.Now(); h.far.Counter(t, "inet seen", "some") < 3; {
		if time.Since(began) > 30*time.Second {
			t.Fatal("no ping arrived")
		}
	}
	if out, err := h.near.Command(t.Context(), "ip", "route", "add", "prohibit", far4+"/32").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	got := wait()[0]
	if got.Sent == 0 || got.Refused == 0 || got.Sent+got.Refused < 99 || got.Sent+got.Refused > 100 {
		// The one that was on its way when the run ended is not counted.
		t.Errorf("counts = %+v; want some sent and all others refused", got.Counts)
	}
	if !strings.Contains(got.Err, "permission denied") {
		t.Errorf("error %q", got.Err)
	}
}
