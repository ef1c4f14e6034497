package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"ixpqos/internal/access"
	"ixpqos/internal/ippm"
	"ixpqos/internal/wire"
)

const (
	probes  = 100
	packets = 640 // per pair and interval
	// interval is that of the test, whose rounds of 160 s fit in.
	interval = 5 * time.Minute
	testName = "fabric"
)

// exchange is a made one of 100 probes that all measure each other. Nothing is
// sent to their addresses, which are those for documentation (RFC 5737).
type exchange struct {
	inventory string
	reporters []reporter
}

// reporter is a probe as the server meets it: its key and what it posts.
type reporter struct {
	key   string
	batch ippm.Batch
	body  []byte // the batch as it is posted, for the interval that began at epoch
}

// epoch has as many characters as every other start on a whole second.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newExchange() (exchange, error) {
	var e exchange
	list := &strings.Builder{}
	for i := range probes {
		key, hash := access.NewKey()
		fmt.Fprintf(list, "  - {name: %s, addresses: [192.0.2.%d], key_sha256: [%s]}\n", name(i), i+1, hex.EncodeToString(hash[:]))
		batch := newBatch(i)
		body, err := wire.EncodeBatch(batch)
		if err != nil {
			return e, err
		}
		e.reporters = append(e.reporters, reporter{key, batch, body})
	}
	e.inventory = fmt.Sprintf("exchange: Bench-IX\nprobes:\n%stests:\n  - {name: %s, kind: icmp, every: %v, count: %d, spacing: 250ms}\n",
		list, testName, interval, packets)
	return e, nil
}

func name(i int) string { return fmt.Sprintf("probe-%03d", i) }

func newBatch(source int) ippm.Batch {
	batch := ippm.Batch{Probe: name(source), Inventory: "bench", Start: epoch,
		Health: ippm.Health{Version: "bench", StartedAt: epoch}}
	for target := range probes {
		if target != source {
			batch.Peers = append(batch.Peers, name(target))
			batch.Results = append(batch.Results, newResult(name(source), name(target)))
		}
	}
	return batch
}

// newResult has the delays of a fabric: a floor of its own and a tail.
func newResult(source, target string) ippm.Result {
	r := ippm.Result{Kind: "icmp", Length: interval, Counts: ippm.Counts{Sent: packets, Received: packets}}
	r.Series = ippm.Series{Source: source, Target: target, Test: testName, Family: 4}
	r.Start = epoch
	floor := 100 + 400*rand.Float64()
	for range packets {
		if err := r.RTT.Add(floor + 20*rand.ExpFloat64()); err != nil {
			panic(err) // these are finite
		}
	}
	return r
}

// begun is the batch of the interval that began at the given moment. It shares
// its results with every other batch of this reporter.
func (r reporter) begun(at time.Time) ippm.Batch {
	r.batch.Start = at
	for i := range r.batch.Results {
		r.batch.Results[i].Start = at
	}
	return r.batch
}

// post is the same as a body.
func (r reporter) post(at time.Time) []byte {
	return bytes.ReplaceAll(r.body, []byte(`"start":"`+epoch.Format(time.RFC3339)), []byte(`"start":"`+at.UTC().Format(time.RFC3339)))
}
