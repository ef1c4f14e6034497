package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
	"ixpqos/internal/measure/sender"
	"ixpqos/internal/measure/timestamp"
)

const (
	// warmUp comes before the packets that count: it pays for address resolution.
	warmUp = 500 * time.Millisecond
	// oncePackets a flow show a loss of 5 % in all but 6 of 1,000 flows.
	oncePackets = 100
	onceSpacing = 100 * time.Millisecond
	// onceFlows and onceSize are for a test that no configuration speaks of.
	onceFlows = 16
	onceSize  = 128
)

var defaultSTAMP = inventory.Test{Name: "once", Kind: inventory.KindSTAMP, Count: oncePackets, Spacing: onceSpacing,
	Size: onceSize, Families: []uint8{4, 6}, Flows: onceFlows}

// onceAsNow is a test of the configuration for one round: more packets a second,
// so that it is short.
func onceAsNow(t inventory.Test) inventory.Test {
	t.Count, t.Spacing = oncePackets, onceSpacing
	return t
}

// oncePort is the first of so many source ports that nothing of the configuration
// has, whose probe may run here too: those behind a test's, or the last of all,
// for the tests of a configuration that is not known have the first ones.
func oncePort(part inventory.Part, flows int) (uint16, error) {
	var behind, before []int
	for _, t := range part.Tests {
		if t.Kind == inventory.KindSTAMP {
			behind, before = append(behind, t.LastPort()+1), append(before, int(t.Port)-flows)
		}
	}
	for _, first := range slices.Concat(behind, []int{1<<16 - flows}, before) {
		if first >= inventory.MinPort && first+flows <= 1<<16 && !hasPorts(part, first, first+flows-1) {
			return uint16(first), nil
		}
	}
	return 0, fmt.Errorf("no %d source ports in a row beside those of the tests were found: name the first by --port, or fewer by --flows", flows)
}

// hasPorts tells whether the probe of the configuration has any of those ports.
func hasPorts(part inventory.Part, first, last int) bool {
	reflector := int(part.ReflectorPort)
	return first <= reflector && reflector <= last || slices.ContainsFunc(part.Tests, func(t inventory.Test) bool {
		return t.Kind == inventory.KindSTAMP && int(t.Port) <= last && first <= t.LastPort()
	})
}

// stamp measures as a test of kind stamp. Where the context ends before the round
// does, it gives what was measured until then.
func (r round) stamp(ctx context.Context) ([]measured, error) {
	plan := sliced(r.test)
	plan.Sources, plan.Targets, plan.Families = nil, nil, familiesOf(r.pairs)
	if err := sender.Check(plan, len(r.pairs)); err != nil {
		return nil, err
	}
	run := newOnceRun(r, plan)
	defer run.bar.end()
	run.until(ctx)
	if run.wrong != "" {
		r.log.Warn(run.wrong)
	}
	results, err := run.results(r.pairs)
	if err == nil && len(results) == 0 {
		err = errors.New("nothing was measured")
	}
	return results, err
}

func familiesOf(pairs []inventory.Pair) (families []uint8) {
	for _, p := range pairs {
		if !slices.Contains(families, p.Family) {
			families = append(families, p.Family)
		}
	}
	return families
}

func randomSSID() uint16 { return uint16(rand.Uint32()) }

func openSender(o timestamp.Options) (sender.Socket, error) { return timestamp.Open(o) }

// onlyThis is a part with nothing but the pairs of the round.
func (r round) onlyThis(plan inventory.Test) inventory.Part {
	part := inventory.Part{Probe: r.source, Interface: r.part.Interface, Addresses: slices.Clone(r.part.Addresses), Tests: []inventory.Test{plan}}
	for _, any := range []inventory.Address{{Family: 4, Host: "0.0.0.0"}, {Family: 6, Host: "::"}} {
		if !slices.ContainsFunc(part.Addresses, func(a inventory.Address) bool { return a.Family == any.Family }) {
			part.Addresses = append(part.Addresses, any)
		}
	}
	for _, p := range r.pairs {
		part.Peers = append(part.Peers, inventory.Peer{Name: p.Target, Addresses: []inventory.Address{{Family: p.Family, Host: p.To}},
			ReflectorPort: p.ReflectorPort, Stateful: p.Stateful})
	}
	return part
}

func printFlows(out io.Writer, source string, results []measured) error {
	first := results[0]
	fmt.Fprintf(out, "from %s, test %s, DSCP %d, %d flows to each target\n\n", source, first.Test, first.DSCP, len(first.Flows))
	counts := table{header: []string{"SENT", "UNSERVED", "LOSS", "FORWARD", "BACKWARD", "UNPLACED"}}
	times := table{header: append([]string{"LATE"}, delayNames...)}
	for _, m := range results {
		counts.rows = append(counts.rows, row{m.Target, m.Pair.To, texts(m.Sent, m.Unserved, loss(m.Counts), m.Forward, m.Backward, m.Unplaced)})
		times.rows = append(times.rows, row{m.Target, m.Pair.To, append(texts(m.Late), delays(m.RTT)...)})
	}
	if err := printTables(out, counts, times); err != nil {
		return err
	}
	return printLossyFlows(out, results)
}

// printLossyFlows names the flows that lost packets, and in which direction.
func printLossyFlows(out io.Writer, results []measured) error {
	flows := table{header: []string{"SOURCE PORT", "SENT", "LOSS", "FWD", "BACK", "UNPL", "MEDIAN"}}
	sent := 0
	for _, m := range results {
		sent += m.Sent
		for _, f := range m.Flows {
			if f.Lost() > 0 {
				flows.rows = append(flows.rows, row{m.Target, m.Pair.To, texts(f.Port, f.Sent, loss(f.Counts), f.Forward, f.Backward, f.Unplaced, m.flowMedian(f))})
			}
		}
	}
	fmt.Fprintln(out)
	if len(flows.rows) > 0 {
		return flows.print(out)
	}
	if sent > 0 {
		fmt.Fprintln(out, "No flow lost a packet.")
	}
	return nil
}

// flowMedian is the median of a flow's round-trip times, or between which two it
// lies.
func (m measured) flowMedian(f ippm.Flow) string {
	medians := m.medians[f.Port]
	switch {
	case f.Samples == 0:
		return "-"
	case len(medians) == 0:
		return ippm.DelayText(f.Median)
	}
	least, most := ippm.DelayText(slices.Min(medians)), ippm.DelayText(slices.Max(medians))
	if least == most {
		return least
	}
	number, unit, _ := strings.Cut(least, " ")
	if !strings.HasSuffix(most, " "+unit) {
		number = least
	}
	return number + "–" + most
}
