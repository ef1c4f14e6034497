package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ixpqos/internal/ippm"
)

// stampInterval is what package traffic tells of one.
type stampInterval struct {
	Start time.Time
	ippm.Counts
	Lost               int
	Samples            int
	KernelT1, KernelT3 int
	RTT, Lateness      distribution
	// Answering is how many pairs had a reply at all, Answered their counts.
	Answering int
	Answered  ippm.Counts
	Drops     uint64
}

// distribution is quantiles by their names.
type distribution map[string]float64

// quantileNames are in order.
var (
	quantileNames   = []string{"p1", "p10", "p50", "p90", "p99", "p99.9", "max"}
	quantilesByName = map[string]float64{"p1": 0.01, "p10": 0.1, "p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999, "max": 1}
)

func (d distribution) String() string {
	var b strings.Builder
	for _, name := range quantileNames {
		fmt.Fprintf(&b, " %s %.1f", name, d[name])
	}
	return b.String()[1:] + " µs"
}

// add keeps the quantiles as samples.
func (d distribution) add(to samples, name string) {
	for _, q := range quantileNames {
		if us, ok := d[q]; ok {
			to.add(name+"_"+q+"_us", us)
		}
	}
}

const senderOutput = "send.jsonl"

// startSender starts the sender of package traffic, whose intervals begin at a
// moment. It may be started by another program that becomes it.
func (l *link) startSender(ctx context.Context, start time.Time, every time.Duration, targets, flows int, by ...string) (*process, error) {
	return l.startTrafficBy(ctx, near, senderOutput, by, farFirst, sending(start, every, targets, flows)...)
}

func sending(start time.Time, every time.Duration, targets, flows int) []string {
	return []string{"send", "--origin", fmt.Sprint(start.UnixNano()), "--every", every.String(),
		"--targets", fmt.Sprint(targets), "--flows", fmt.Sprint(flows)}
}

// intervals reads what a sender told. It has ended.
func (l *link) intervals() (all []stampInterval, err error) {
	file, err := os.Open(filepath.Join(l.dir, senderOutput))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	lines := json.NewDecoder(file)
	for {
		var i stampInterval
		if err := lines.Decode(&i); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w", senderOutput, err)
		}
		all = append(all, i)
	}
}

// fetch reads the one value that a process wrote.
func (l *link) fetch(output string, value any) error {
	text, err := os.ReadFile(filepath.Join(l.dir, output))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, value); err != nil {
		return fmt.Errorf("%s: %w", output, err)
	}
	return nil
}
