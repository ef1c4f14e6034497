package e2e

import (
	"strconv"
	"strings"
	"testing"
	"time"

	bundles "ixpqos/infra/lab/exchange"
)

// onceSource is the probe on whose host once is run, and oncePort the first of
// its source ports: those behind the test's.
const (
	onceSource = "p3"
	oncePort   = fabricPort + fabricFlows
)

// toldAtOnce: what ended within 30 seconds of a fault's beginning names the bad
// flows and their direction, and so does once, while pings show nothing.
func (f *fabric) toldAtOnce(t *testing.T) {
	p3 := f.probes[onceSource]
	args := append(p3.runArgs("once")[1:], "--kind", "stamp")
	dry := p3.probe(t, args...)
	if err := contains(dry.out, "No flow lost a packet."); err != nil || dry.status != 0 {
		t.Fatalf("status %d: %v %s", dry.status, err, dry.errOut)
	}
	at, test := f.place(t, "sw2-sw3", bundles.Backward)
	once := struck{}
	for k, way := range f.crossing(t, at, oncePort) {
		if k.source == onceSource {
			once[k] = way
		}
	}
	began := time.Now()
	f.bundled.Lose(t, at, 5)
	got := p3.probe(t, args...)
	s := span{began.Truncate(fabricInterval).Add(fabricInterval), began.Add(3 * fabricInterval).Truncate(fabricInterval)}
	flows := f.flows(t, s)
	f.bundled.Heal(t)
	t.Logf("%d flows of %d are struck in the test, %d in once:\n%s", len(test), len(flows), len(once), got.out)
	lossless(t, flows, test)
	named := 0
	for k := range test {
		if total(flows[k]).Lost > 0 {
			named++
		}
	}
	if named*2 < len(test) {
		t.Errorf("%d of %d bad flows are named within 30 s", named, len(test))
	}
	if bad := f.onceNames(t, got.out, once); bad*2 < len(once) || len(once) < 4 {
		t.Errorf("once names %d of %d bad flows", bad, len(once))
	}
	pings := f.results(t, "ping", s)
	if len(pings) < 2*len(f.pairs()) {
		t.Errorf("%d results of pings, of %d pairs in both families", len(pings), len(f.pairs()))
	}
	for _, r := range pings {
		if r.Lost > 0 {
			t.Errorf("a ping was lost, which crosses another member: %s", show(r))
		}
	}
}

// onceNames counts the lines of once that name a flow, each of which must be
// struck, and lossy in no other direction.
func (f *fabric) onceNames(t *testing.T, out string, once struck) (named int) {
	t.Helper()
	_, table, _ := strings.Cut(out, "SOURCE PORT")
	for line := range strings.Lines(table) {
		// target, address, port, sent, loss and its %, forward, backward, unplaced
		words := strings.Fields(line)
		if len(words) < 9 || f.probes[words[0]] == nil {
			continue
		}
		port, _ := strconv.Atoi(words[2])
		family := uint8(4)
		if strings.Contains(words[1], ":") {
			family = 6
		}
		way, is := once[flowKey{onceSource, words[0], family, uint16(port)}]
		right := map[bundles.Direction]string{bundles.Forward: words[7], bundles.Backward: words[6]}[way]
		if named++; !is || right != "0" || words[8] != "0" {
			t.Errorf("once names a flow that crosses the bad member %q: %s", way, line)
		}
	}
	return named
}
