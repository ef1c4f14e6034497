package agent

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ixpqos/infra/lab"
	"ixpqos/infra/needs"
	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
	"ixpqos/internal/measure/reflector"
)

// freePort is the first of a row of UDP ports that nobody has on any address:
// one for the reflectors, and those behind it for flows. It lies below what the
// kernel gives away (ip_local_port_range), so that nobody gets one by chance.
func freePort(t *testing.T) uint16 {
	t.Helper()
	for range 100 {
		if port := uint16(20_000 + rand.IntN(12_000)); isFree(port, 1+2+2) {
			return port
		}
	}
	t.Fatal("of 100 rows of UDP ports none is free")
	return 0
}

func isFree(first uint16, count int) bool {
	for i := range count {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{Port: int(first) + i})
		if err != nil {
			return false
		}
		defer c.Close()
	}
	return true
}

// fabric is a part with one STAMP test between p1 and p2, whose flows have the
// two ports behind the reflectors'. The two after those are for once.
func fabric(self, other string, port uint16) inventory.Part {
	addresses := map[string][]inventory.Address{"p1": {{Family: 4, Host: "127.0.0.1"}}, "p2": {{Family: 4, Host: "127.0.0.2"}}}
	return inventory.Part{Probe: self, Inventory: "v1", Addresses: addresses[self], ReflectorPort: port,
		Peers: []inventory.Peer{{Name: other, Addresses: addresses[other], ReflectorPort: port, Stateful: true}},
		Tests: []inventory.Test{{Name: "fabric", Kind: inventory.KindSTAMP, Every: 5 * time.Second, Spacing: 100 * time.Millisecond,
			Size: 128, Families: []uint8{4}, Flows: 2, Port: port + 1, DSCP: 10}}}
}

func quietBoard() *board { return newBoard(func(_, _ string) {}) }

// start runs an engine by one part until the test ends, and gives its batches.
func (e *stampEngine) start(t *testing.T, part inventory.Part) <-chan ippm.Batch {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	parts, batches, ended := make(chan inventory.Part, 1), make(chan ippm.Batch, 100), make(chan error, 1)
	parts <- part
	go func() {
		ended <- e.Run(ctx, parts, func(_ context.Context, b ippm.Batch) error {
			batches <- b
			return nil
		})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return batches
}

// TestTheSTAMPEngineGivesWhatItSentAndHeard has two probes measure each other.
func TestTheSTAMPEngineGivesWhatItSentAndHeard(t *testing.T) {
	needs.Time(t)
	port := freePort(t)
	(&stampEngine{name: "p2", board: quietBoard(), log: discard}).start(t, fabric("p2", "p1", port))
	batches := (&stampEngine{name: "p1", board: quietBoard(), log: discard}).start(t, fabric("p1", "p2", port))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		select {
		case b := <-batches:
			if len(b.Results) == 0 || len(b.Heard) == 0 || b.Results[0].Sent == 0 {
				continue
			}
			checkBatch(t, b, port+1)
			return
		case <-ctx.Done():
			t.Fatal("no batch has both results and what was heard")
		}
	}
}

func checkBatch(t *testing.T, b ippm.Batch, first uint16) {
	t.Helper()
	r, h := b.Results[0], b.Heard[0]
	for _, err := range []error{r.Check(), h.Check()} {
		if err != nil {
			t.Error(err)
		}
	}
	// A host that stood still for a while has sent less.
	if r.Sent == 0 || r.Sent > 100 || r.Received != r.Sent || len(r.Flows) != 2 || r.Detail == nil {
		t.Errorf("result %+v, %d flows", r.Counts, len(r.Flows))
	}
	if r.Source != "p1" || h.Source != "p2" || h.Target != "p1" || h.Test != "fabric" || h.DSCP != 10 || !h.Start.Equal(b.Start) {
		t.Errorf("result of %+v, heard of %+v", r.ID, h.ID)
	}
	if len(h.Flows) != 2 || h.Flows[0].Port != first || h.Flows[1].Port != first+1 {
		t.Fatalf("heard %+v", h.Flows)
	}
	for _, f := range h.Flows {
		if f.Heard == 0 || f.Heard > 50 || f.Answered != f.Heard {
			t.Errorf("heard %+v", f)
		}
	}
}

func TestAReflectorPortThatIsTakenIsToldOf(t *testing.T) {
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	port := c.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	e := &stampEngine{name: "p1", board: quietBoard(), log: discard}
	r := reflector.New(reflector.ThisHost("p1", e.board.set))
	defer r.Close()
	e.reflect(fabric("p1", "p2", port), r)
	if troubles, _ := e.board.list(); len(troubles) != 1 || !strings.Contains(troubles[0], "is taken") || !strings.Contains(troubles[0], "reflector_port") {
		t.Errorf("troubles %q; want one that the port is taken", troubles)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	e.listen(fabric("p1", "p2", port), r)
	if troubles, _ := e.board.list(); len(troubles) != 0 {
		t.Errorf("troubles %q, though the port is free now", troubles)
	}
}

func TestAReflectorThatNobodyMeasuresDoesNotListen(t *testing.T) {
	part := fabric("p1", "p2", freePort(t))
	part.Tests[0].Sources = []string{"p1"}
	e := &stampEngine{name: "p1", board: quietBoard(), log: discard}
	r := reflector.New(reflector.ThisHost("p1", e.board.set))
	defer r.Close()
	e.reflect(part, r)
	c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), part.ReflectorPort)))
	if err != nil {
		t.Fatalf("the port is in use: %v", err)
	}
	_ = c.Close()
}

// TestOnceMeasuresFlows measures beside a probe that has the test's own ports.
func TestOnceMeasuresFlows(t *testing.T) {
	needs.Time(t)
	port := freePort(t)
	(&stampEngine{name: "p2", board: quietBoard(), log: discard}).start(t, fabric("p2", "p1", port))
	(&stampEngine{name: "p1", board: quietBoard(), log: discard}).start(t, fabric("p1", "p2", port))
	part := fabric("p1", "p2", port)
	s := OnceSettings{Settings: Settings{Name: "p1"}, Kind: inventory.KindSTAMP, Count: 10}
	test, err := s.test(part)
	if err != nil {
		t.Fatal(err)
	}
	results, err := round{source: "p1", part: part, test: test, pairs: part.Pairs(test), log: discard}.stamp(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 1 || results[0].Received == 0 || results[0].Received != results[0].Sent || len(results[0].Flows) != 2 || results[0].Flows[0].Port != port+3 {
		t.Fatalf("results %+v", results)
	}
	var out bytes.Buffer
	if err := printFlows(&out, "p1", results); err != nil || !strings.Contains(out.String(), "No flow lost a packet.") {
		t.Errorf("%v: %s", err, out.String())
	}
}

func TestFlowsThatLosePacketsAreNamed(t *testing.T) {
	lossy := ippm.Flow{Port: 61003, Counts: ippm.Counts{Sent: 100, Received: 93, Forward: 6, Backward: 1}, Samples: 93, Median: 20, Max: 30}
	r := ippm.Result{ID: ippm.ID{Series: ippm.Series{Source: "p1", Target: "p2", Test: "fabric", Family: 4}}, Counts: lossy.Counts,
		Flows: []ippm.Flow{{Port: 61002}, lossy}}
	var out bytes.Buffer
	if err := printFlows(&out, "p1", []measured{{Result: r, Pair: inventory.Pair{Target: "p2", To: "127.0.0.2"}}}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if got := strings.Fields(lines[len(lines)-1]); cmp.Diff([]string{"p2", "127.0.0.2", "61003", "100", "7", "%", "6", "1", "0", "20", "µs"}, got) != "" {
		t.Errorf("the last line is %q", got)
	}
	if strings.Contains(out.String(), "61002") {
		t.Errorf("a flow that lost nothing is named:\n%s", out.String())
	}
}

func TestATargetWhereNothingReflectsIsUnserved(t *testing.T) {
	r := ippm.Result{ID: ippm.ID{Series: ippm.Series{Source: "p1", Target: "p2", Test: "once", Family: 6}}, Counts: ippm.Counts{Unserved: 320},
		Flows: []ippm.Flow{{Port: 65520, Counts: ippm.Counts{Unserved: 320}}}}
	var out bytes.Buffer
	if err := printFlows(&out, "p1", []measured{{Result: r, Pair: inventory.Pair{Target: "p2", To: "2001:db8::2", ReflectorPort: 862}}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"  unserved  ", "  320  "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	for _, not := range []string{"not sent", "No flow lost a packet"} {
		if strings.Contains(out.String(), not) {
			t.Errorf("%q in\n%s", not, out.String())
		}
	}
}

// TestOnceHasPortsOfItsOwn: the probe that is installed runs beside it.
func TestOnceHasPortsOfItsOwn(t *testing.T) {
	test := func(port uint16, flows int) inventory.Test {
		return inventory.Test{Kind: inventory.KindSTAMP, Port: port, Flows: flows}
	}
	for _, c := range []struct {
		tests []inventory.Test
		asked uint16
		want  uint16
	}{
		{nil, 0, 65520},
		{[]inventory.Test{{Kind: inventory.KindICMP}}, 0, 65520},
		{[]inventory.Test{test(61000, 16), test(61020, 30)}, 0, 61050},
		{[]inventory.Test{test(61000, 16), test(61016, 4520)}, 0, 60984},
		{[]inventory.Test{test(60985, 16)}, 0, 65520}, // 61001 is the reflector's
		{[]inventory.Test{test(61000, 16)}, 62000, 62000},
	} {
		got, err := OnceSettings{Kind: inventory.KindSTAMP, Flows: 16, Port: c.asked}.test(inventory.Part{Tests: c.tests, ReflectorPort: 61001})
		if err != nil || got.Port != c.want {
			t.Errorf("%v, asked for %d: port %d, %v; want %d", c.tests, c.asked, got.Port, err, c.want)
		}
	}
}

func TestOnceFindsNoPorts(t *testing.T) {
	all := inventory.Test{Kind: inventory.KindSTAMP, Port: inventory.MinPort, Flows: 1<<16 - inventory.MinPort}
	_, err := OnceSettings{Kind: inventory.KindSTAMP}.test(inventory.Part{Tests: []inventory.Test{all}})
	if err == nil || !strings.Contains(err.Error(), "--port") {
		t.Errorf("error %v", err)
	}
}

func TestCheckKnowsTheMTU(t *testing.T) {
	h := lab.New(t).Host("p1", "198.18.0.1/24")
	part := inventory.Part{Probe: "p1", Addresses: []inventory.Address{{Family: 4, Host: "198.18.0.1"}},
		Peers: []inventory.Peer{{Name: "p2", Addresses: []inventory.Address{{Family: 4, Host: "198.18.0.2"}}}}}
	check := func(size int, df bool) (err error) {
		h.Enter(t, func() error {
			err = checkMTU(part, inventory.Test{Kind: inventory.KindSTAMP, Families: []uint8{4}, Size: size, DontFragment: df})
			return nil
		})
		return err
	}
	if err := check(1501, true); err == nil || !strings.Contains(err.Error(), "the MTU of eth0 is 1500") {
		t.Errorf("1501 bytes with df: %v", err)
	}
	for size, df := range map[int]bool{1500: true, 1501: false} {
		if err := check(size, df); err != nil {
			t.Errorf("%d bytes, df %v: %v", size, df, err)
		}
	}
}
