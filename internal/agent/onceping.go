package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
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
		results[i] = measured{Result: p.Result, Pair: p.Pair, Err: p.Err}
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
	counts := table{header: []string{"SENT", "RECEIVED", "LATE", "LOSS"}}
	times := table{header: delayNames}
	for _, m := range measured {
		counts.rows = append(counts.rows, row{m.Target, m.Pair.To, texts(m.Sent, m.Received, m.Late, loss(m.Counts))})
		times.rows = append(times.rows, row{m.Target, m.Pair.To, delays(m.RTT)})
	}
	if err := printTables(out, counts, times); err != nil {
		return err
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

// delayNames are those of delays.
var delayNames = []string{"MIN", "MEDIAN", "P95", "MAX", "STDDEV"}

func delays(d ippm.Delay) []string {
	if d.N == 0 {
		return []string{"-", "-", "-", "-", "-"}
	}
	median, _ := d.Quantile(0.5)
	p95, _ := d.Quantile(0.95)
	var cells []string
	for _, us := range []float64{d.Min, median, p95, d.Max, d.StdDev()} {
		cells = append(cells, ippm.DelayText(us))
	}
	return cells
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

// say puts a sentence in the place of the line.
func (p *progress) say(sentence string) {
	if p.out != nil {
		fmt.Fprint(p.out, "\r\033[K"+sentence)
	}
}

// end wipes the line.
func (p *progress) end() {
	if p.out != nil {
		fmt.Fprint(p.out, "\r\033[K")
	}
}
