package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"ixpqos/internal/ippm"
	"ixpqos/internal/measure/ping"
)

// ping measures as a test of kind icmp.
func (r round) ping(ctx context.Context) ([]measured, error) {
	if err := ping.Check(r.test, len(r.pairs)); err != nil {
		return nil, err
	}
	bar := newProgress(r.progress, len(r.pairs), len(r.pairs)*r.test.Count)
	defer bar.end()
	pings, err := ping.Round{Source: r.source, Test: r.test, Pairs: r.pairs, Interface: r.part.Interface,
		Start: time.Now().UTC(), Length: r.test.RoundTime(len(r.pairs)), Progress: bar.update}.Run(ctx)
	results := make([]measured, len(pings))
	for i, p := range pings {
		results[i] = measured(p)
	}
	return results, err
}

func printMeasured(lines *json.Encoder, measured []measured) error {
	results := make([]ippm.Result, len(measured))
	for i, m := range measured {
		results[i] = m.Result
	}
	return printResults(lines, results)
}

func printPings(out io.Writer, source string, measured []measured) error {
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
	switch {
	case ok:
		return fmt.Sprintf("%.3g %%", ratio*100)
	case c.Unserved > 0:
		return "unserved"
	}
	return "not sent"
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

func newProgress(out io.Writer, pairs, total int) *progress {
	return &progress{out: out, total: total, sent: make([]int, pairs), received: make([]int, pairs)}
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
