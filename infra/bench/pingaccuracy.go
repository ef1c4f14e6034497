package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

const (
	pingOutput  = "ping.json"
	pingSpacing = 10 * time.Millisecond
)

// takePingAccuracy measures the round-trip time of pings over the link, with the
// machine idle and with a spinning process for each core in turns.
func takePingAccuracy(ctx context.Context, r rig) (samples, error) {
	taken := samples{}
	err := r.withLink(ctx, nil, func(l *link) error {
		for range l.pick(3, 1) {
			for _, load := range []load{{"idle", 0}, {"loaded", runtime.NumCPU()}} {
				if err := l.takePings(ctx, load, taken); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return taken, err
}

// takePings is a round of the probe's own.
func (l *link) takePings(ctx context.Context, load load, taken samples) error {
	count := l.pick(1000, 300)
	length := time.Duration(count)*pingSpacing + slack
	return l.spinning(ctx, load.spinning, length, func() error {
		probe, err := l.start(ctx, near, pingOutput, probeBinary, "once", "--kind", "icmp", "--target", farFirst, "--state", l.dir,
			"--count", fmt.Sprint(count), "--spacing", pingSpacing.String(), "--json")
		if err != nil {
			return err
		}
		if err := probe.finishing(func() error { return nil }); err != nil {
			return err
		}
		return l.addPings(load, taken)
	})
}

func (l *link) addPings(load load, taken samples) error {
	var result struct {
		Sent     int      `json:"sent"`
		Received int      `json:"received"`
		P50      *float64 `json:"rtt_p50_us"`
		P99      *float64 `json:"rtt_p99_us"`
	}
	text, err := os.ReadFile(filepath.Join(l.dir, pingOutput))
	if err == nil {
		err = json.Unmarshal(text, &result)
	}
	switch {
	case err != nil:
		return fmt.Errorf("the output of the probe: %w", err)
	case result.P50 == nil || result.P99 == nil:
		return errors.New("no ping was answered")
	}
	taken.add("ping_"+load.name+"_p99_us", *result.P99)
	l.note("ping RTT %s: p50 %.1f p99 %.1f µs; %d sent, %d received", load.name, *result.P50, *result.P99, result.Sent, result.Received)
	return nil
}
