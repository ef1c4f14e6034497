package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"ixpqos/internal/access"
	"ixpqos/internal/wire"
)

const targets = 20

// takeMemory asks the kernel what a probe holds and held, after each round.
func takeMemory(ctx context.Context, r rig) (samples, error) {
	if err := icmpAllowed(); err != nil {
		return nil, err
	}
	key, hash := access.NewKey()
	keyFile, err := r.write("probe.key", key+"\n")
	if err != nil {
		return nil, err
	}
	taken := samples{}
	err = r.serve(ctx, loopbacks(hex.EncodeToString(hash[:])), "memory.db", func(url string) error {
		probe, err := start(ctx, probeBinary, "run", "--name", "p1", "--server", url, "--key-file", keyFile, "--state", filepath.Join(r.dir, "p1"))
		if err != nil {
			return err
		}
		return probe.during(func() error {
			c := newClient(url)
			defer c.close()
			return c.takeRounds(ctx, r.pick(2, 1), taken, probe)
		})
	})
	return taken, err
}

// icmpAllowed opens the sockets that the probe will need.
func icmpAllowed() error {
	var err error
	for _, kind := range []int{syscall.SOCK_DGRAM, syscall.SOCK_RAW} {
		var fd int
		if fd, err = syscall.Socket(syscall.AF_INET, kind|syscall.SOCK_CLOEXEC, syscall.IPPROTO_ICMP); err == nil {
			return syscall.Close(fd)
		}
	}
	return fmt.Errorf("ICMP sockets are not allowed here (CAP_NET_RAW, or net.ipv4.ping_group_range): %w", err)
}

// loopbacks is an inventory of one probe and 20 targets, all of them this machine.
func loopbacks(hash string) string {
	list := &strings.Builder{}
	for i := range targets {
		fmt.Fprintf(list, "  - {name: t%02d, addresses: [127.0.0.%d]}\n", i+1, i+2)
	}
	return fmt.Sprintf("exchange: Bench-IX\nprobes:\n  - {name: p1, addresses: [127.0.0.1], key_sha256: [%s]}\ntargets:\n%s"+
		"tests:\n  - {name: ping, kind: icmp, every: 10s, count: 10, spacing: 100ms}\n", hash, list)
}

// takeRounds waits for so many rounds and looks at the process after each.
func (c *client) takeRounds(ctx context.Context, rounds int, taken samples, probe *process) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(rounds)*30*time.Second)
	defer cancel()
	var last time.Time
	for range rounds {
		var err error
		if last, err = c.awaitRound(ctx, last); err != nil {
			return err
		}
		for name, key := range map[string]string{"probe_peak_mb": "VmHWM", "probe_resident_mb": "VmRSS"} {
			mb, err := probe.memory(key)
			if err != nil {
				return err
			}
			taken[name] = append(taken[name], mb)
		}
	}
	return nil
}

// awaitRound waits until all targets answered in an interval after the given
// one, and returns when it began.
func (c *client) awaitRound(ctx context.Context, last time.Time) (time.Time, error) {
	for {
		body, err := c.get(ctx, "/api/v2/matrix")
		if err != nil {
			return last, err
		}
		var m wire.Matrix
		if err := json.Unmarshal(body, &m); err != nil {
			return last, err
		}
		answered, began := answeredAfter(m, last)
		if answered == targets {
			return began, nil
		}
		select {
		case <-ctx.Done():
			return last, fmt.Errorf("%d of %d targets answered all pings of a round: %w", answered, targets, ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func answeredAfter(m wire.Matrix, last time.Time) (n int, began time.Time) {
	for _, cell := range m.Cells {
		if cell.Start != nil && cell.Start.After(last) && *cell.Sent > 0 && *cell.Received == *cell.Sent {
			n, began = n+1, *cell.Start
		}
	}
	return n, began
}
