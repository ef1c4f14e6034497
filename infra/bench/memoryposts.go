package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"ixpqos/internal/access"
	"ixpqos/internal/ippm"
	"ixpqos/internal/wire"
)

// What a probe whose key was stolen posts: few bytes that are much in memory.
const (
	hostilePosts   = 7
	hostileResults = 6000 // in each, about 2.6 MB
)

// takeServerMemory lets one probe post results of series that no inventory asks
// for, whose two samples lie as far apart as delays can, and looks at the matrix
// after each. The server may refuse them.
func takeServerMemory(ctx context.Context, r rig) (samples, error) {
	key, hash := access.NewKey()
	inventory := fmt.Sprintf("exchange: Bench-IX\nprobes:\n  - {name: p1, addresses: [192.0.2.1], key_sha256: [%s]}\n"+
		"targets:\n  - {name: t1, addresses: [192.0.2.2]}\ntests:\n  - {name: ping, kind: icmp, every: 5m, count: 10}\n", hex.EncodeToString(hash[:]))
	taken := samples{}
	store := []string{"--store", "sqlite:" + filepath.Join(r.dir, "hostile.db")}
	err := r.serveProcess(ctx, inventory, store, func(url string, server *process) error {
		c := newClient(url)
		defer c.close()
		for i := range hostilePosts {
			if err := c.hostile(ctx, key, i); err != nil {
				return err
			}
		}
		mb, err := server.memory("VmHWM")
		taken.add("server_peak_mb", mb)
		return err
	})
	return taken, err
}

func (c *client) hostile(ctx context.Context, key string, number int) error {
	body, err := hostileBody(number)
	if err != nil {
		return err
	}
	err = c.postBody(ctx, post{key, body, hostileResults})
	if err != nil && !errors.As(err, new(refusal)) {
		return err
	}
	_, err = c.get(ctx, "/api/v2/matrix")
	return err
}

func hostileBody(number int) ([]byte, error) {
	start := time.Now().Truncate(interval).Add(-interval)
	batch := ippm.Batch{Probe: "p1", Inventory: "bench", Start: start, Peers: []string{"t1"},
		Health: ippm.Health{Version: "bench", StartedAt: start}}
	for i := range hostileResults {
		r := ippm.Result{Kind: "icmp", Length: interval, Counts: ippm.Counts{Sent: 2, Received: 2}}
		r.Series = ippm.Series{Source: "p1", Target: "t1", Test: fmt.Sprintf("h%d-%d", number, i), Family: 4}
		r.Start = start
		if err := errors.Join(r.RTT.Add(0.001), r.RTT.Add(1e7)); err != nil {
			return nil, err
		}
		batch.Results = append(batch.Results, r)
	}
	return wire.EncodeBatch(batch)
}
