package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
	"ixpqos/internal/measure/ping"
	"ixpqos/internal/wire"
)

// OnceSettings say what to measure now.
type OnceSettings struct {
	Settings
	// Targets are names of peers or addresses; all peers where empty.
	Targets []string
	// Test is the test to take the way of measuring from; the first where empty.
	Test string
	// Count, Spacing, Size and DSCP take the place of the test's, where set.
	Count   int
	Spacing time.Duration
	Size    int
	DSCP    *uint8
	// JSON prints results as lines of JSON instead of a table.
	JSON bool
	// Progress is where to say how far the round is; nil for nowhere.
	Progress io.Writer
}

// defaultTest is how a target is measured that no configuration speaks of.
var defaultTest = inventory.Test{Name: "once", Kind: inventory.KindICMP, Count: 10, Spacing: time.Second,
	Timeout: 5 * time.Second, Size: 84, Families: []uint8{4, 6}}

// Once measures one round now and prints what came of it. Answered is false
// where a target did not answer at all.
func Once(ctx context.Context, s OnceSettings, out io.Writer, log *slog.Logger) (answered bool, err error) {
	part, err := s.part(ctx, log)
	if err != nil {
		return false, err
	}
	test, err := s.test(part)
	if err != nil {
		return false, err
	}
	pairs, unknown, err := s.pairs(ctx, part, test)
	if err != nil {
		return false, err
	}
	if err := ping.Check(test, len(pairs)); err != nil {
		return false, err
	}
	source := s.Name
	if source == "" {
		source, _ = os.Hostname()
	}
	round := ping.Round{Source: source, Test: test, Pairs: pairs, Interface: part.Interface, Start: time.Now().UTC(), Length: test.RoundTime(len(pairs))}
	bar := newProgress(s.Progress, pairs, test.Count)
	round.Progress = bar.update
	measured, err := round.Run(ctx)
	bar.end()
	if err != nil {
		return false, err
	}
	answered = unknown == nil && !slices.ContainsFunc(measured, func(m ping.Measured) bool { return m.Received+m.Late == 0 })
	for _, err := range unknown {
		log.Error(err.Error())
	}
	if s.JSON {
		return answered, printMeasured(json.NewEncoder(out), measured)
	}
	return answered, printTable(out, source, measured)
}

// part is the configuration to go by: a file's, the server's, the last good
// one, or, where targets are given as addresses, none at all.
func (s OnceSettings) part(ctx context.Context, log *slog.Logger) (inventory.Part, error) {
	if s.InventoryFile != "" {
		inv, err := inventory.Load(s.InventoryFile)
		if err != nil {
			return inventory.Part{}, err
		}
		return partOf(inv, s.Settings)
	}
	part, err := s.currentPart(ctx, log)
	if err == nil || len(s.Targets) > 0 {
		return part, nil
	}
	return part, fmt.Errorf("there is nothing to measure: name an address by --target, or a configuration by --server or --inventory (%w)", err)
}

func (s Settings) currentPart(ctx context.Context, log *slog.Logger) (inventory.Part, error) {
	part, err := s.serverPart(ctx, log)
	if err == nil {
		return part, nil
	}
	kept, keptErr := loadConfig(s.configFile())
	if keptErr != nil {
		return part, fmt.Errorf("%w; %w", err, keptErr)
	}
	log.Warn("going by the last good configuration", "file", s.configFile(), "because", err)
	part, _, keptErr = wire.DecodeConfig(kept.Config)
	return part, keptErr
}

func (s Settings) configFile() string { return filepath.Join(s.State, "config.json") }

func (s Settings) serverPart(ctx context.Context, log *slog.Logger) (inventory.Part, error) {
	if s.Server == "" {
		return inventory.Part{}, errors.New("no server is named")
	}
	api, err := newAPI(s, log)
	if err != nil {
		return inventory.Part{}, err
	}
	_, _, body, err := api.config(ctx, "")
	if err != nil {
		return inventory.Part{}, err
	}
	part, _, err := wire.DecodeConfig(body)
	return part, err
}

func (s OnceSettings) test(part inventory.Part) (inventory.Test, error) {
	test := defaultTest
	i := slices.IndexFunc(part.Tests, func(t inventory.Test) bool {
		return t.Kind == inventory.KindICMP && (s.Test == "" || t.Name == s.Test)
	})
	if i >= 0 {
		test = part.Tests[i]
	} else if s.Test != "" {
		return test, fmt.Errorf("there is no ICMP test %q in the configuration", s.Test)
	}
	if s.Count > 0 {
		test.Count = s.Count
	}
	if s.Spacing > 0 {
		test.Spacing = s.Spacing
	}
	if s.Size > 0 {
		test.Size = s.Size
	}
	if s.DSCP != nil {
		test.DSCP = *s.DSCP
	}
	return test, nil
}

// pairs are what to measure, and an error for every target that means nothing;
// err says that nothing is left.
func (s OnceSettings) pairs(ctx context.Context, part inventory.Part, test inventory.Test) (pairs []inventory.Pair, unknown []error, err error) {
	known := part.Pairs(test)
	if len(s.Targets) == 0 {
		if len(known) == 0 {
			return nil, nil, errors.New("the configuration has no target for this probe")
		}
		return known, nil, nil
	}
	for _, target := range s.Targets {
		found := pairsOf(known, target)
		if len(found) == 0 {
			if found, err = resolve(ctx, target); err != nil {
				unknown = append(unknown, err)
			}
		}
		pairs = append(pairs, found...)
	}
	if len(pairs) == 0 {
		return nil, nil, errors.Join(unknown...)
	}
	return pairs, unknown, nil
}

func pairsOf(known []inventory.Pair, target string) []inventory.Pair {
	var found []inventory.Pair
	for _, p := range known {
		if p.Target == target || p.To == target {
			found = append(found, p)
		}
	}
	return found
}

// resolve makes pairs of an address or host name that no configuration knows:
// one per family.
func resolve(ctx context.Context, target string) ([]inventory.Pair, error) {
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", target)
	if err != nil {
		return nil, fmt.Errorf("target %q is neither a name of the configuration nor an address nor a host name: %w", target, err)
	}
	byFamily := map[uint8]inventory.Pair{}
	for _, ip := range ips {
		ip = ip.Unmap()
		family := uint8(6)
		if ip.Is4() {
			family = 4
		}
		if _, ok := byFamily[family]; !ok {
			byFamily[family] = inventory.Pair{Target: target, Family: family, To: ip.String()}
		}
	}
	var pairs []inventory.Pair
	for _, family := range []uint8{4, 6} {
		if pair, ok := byFamily[family]; ok {
			pairs = append(pairs, pair)
		}
	}
	return pairs, nil
}

func printMeasured(lines *json.Encoder, measured []ping.Measured) error {
	results := make([]ippm.Result, len(measured))
	for i, m := range measured {
		results[i] = m.Result
	}
	return printResults(lines, results)
}

func printTable(out io.Writer, source string, measured []ping.Measured) error {
	test := measured[0].Test
	fmt.Fprintf(out, "from %s, test %s, DSCP %d\n\n", source, test, measured[0].DSCP)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "TARGET\tADDRESS\tSENT\tRECEIVED\tLATE\tLOSS\tMIN\tMEDIAN\tP95\tMAX\tSTDDEV\t")
	for _, m := range measured {
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%d\t%s\t%s\t\n", m.Target, m.Pair.To, m.Sent, m.Received, m.Late, loss(m.Counts), delays(m.RTT))
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print the table: %w", err)
	}
	for _, m := range measured {
		if m.Err != nil {
			fmt.Fprintf(out, "\n%s", m.Err)
		}
	}
	_, err := fmt.Fprintln(out)
	return err
}

func loss(c ippm.Counts) string {
	ratio, ok := c.LossRatio()
	if !ok {
		return "not sent"
	}
	return fmt.Sprintf("%.3g %%", ratio*100)
}

func delays(d ippm.Delay) string {
	if d.N == 0 {
		return "-\t-\t-\t-\t-"
	}
	median, _ := d.Quantile(0.5)
	p95, _ := d.Quantile(0.95)
	var cells []string
	for _, us := range []float64{d.Min, median, p95, d.Max, d.StdDev()} {
		cells = append(cells, ippm.DelayText(us))
	}
	return strings.Join(cells, "\t")
}

// progress is one line that says how far a round is and renews itself.
type progress struct {
	mu             sync.Mutex
	out            io.Writer
	total          int
	sent, received []int
}

func newProgress(out io.Writer, pairs []inventory.Pair, count int) *progress {
	return &progress{out: out, total: len(pairs) * count, sent: make([]int, len(pairs)), received: make([]int, len(pairs))}
}

func (p *progress) update(pair, sent, received int) {
	if p.out == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent[pair], p.received[pair] = sent, received
	allSent, allReceived := 0, 0
	for i := range p.sent {
		allSent, allReceived = allSent+p.sent[i], allReceived+p.received[i]
	}
	const width = 30
	done := strings.Repeat("━", width*allSent/p.total)
	rest := strings.Repeat("╌", width-width*allSent/p.total)
	fmt.Fprintf(p.out, "\r%s%s %d of %d sent, %d answered ", done, rest, allSent, p.total, allReceived)
}

// end wipes the line.
func (p *progress) end() {
	if p.out != nil {
		fmt.Fprint(p.out, "\r\033[K")
	}
}
