package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
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

// shape is how many probes measure each other, over what and how often.
type shape struct {
	probes   int
	families []uint8
	interval time.Duration
}

// wide is an exchange of many pairs, busy one of an interval of 10 s, in which
// 16 flows at 250 ms are 640 packets a pair and family.
var (
	wide = shape{probes, []uint8{4}, interval}
	busy = shape{30, []uint8{4, 6}, 10 * time.Second}
)

// exchange is a made one of probes that all measure each other. Nothing is sent
// to their addresses, which are those for documentation (RFC 5737, RFC 3849).
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

func newExchange(s shape) (exchange, error) {
	var e exchange
	list := &strings.Builder{}
	for i := range s.probes {
		key, hash := access.NewKey()
		fmt.Fprintf(list, "  - {name: %s, addresses: [%s], key_sha256: [%s]}\n", name(i), s.addresses(i), hex.EncodeToString(hash[:]))
		batch := newBatch(s, i)
		body, err := wire.EncodeBatch(batch)
		if err != nil {
			return e, err
		}
		e.reporters = append(e.reporters, reporter{key, batch, body})
	}
	e.inventory = fmt.Sprintf("exchange: Bench-IX\nprobes:\n%stests:\n  - {name: %s, kind: icmp, every: %v, count: %d, spacing: 250ms}\n",
		list, testName, s.interval, min(packets, int(s.interval/time.Second))) // what is posted tells of more flows
	return e, nil
}

func (s shape) addresses(i int) string {
	all := fmt.Sprintf("192.0.2.%d", i+1)
	if slices.Contains(s.families, 6) {
		all += fmt.Sprintf(", '2001:db8::%d'", i+1)
	}
	return all
}

func name(i int) string { return fmt.Sprintf("probe-%03d", i) }

func newBatch(s shape, source int) ippm.Batch {
	batch := ippm.Batch{Probe: name(source), Inventory: "bench", Start: epoch,
		Health: ippm.Health{Version: "bench", StartedAt: epoch}}
	for target := range s.probes {
		if target == source {
			continue
		}
		batch.Peers = append(batch.Peers, name(target))
		for _, family := range s.families {
			batch.Results = append(batch.Results, newResult(name(source), name(target), family, s.interval))
		}
	}
	return batch
}

// newResult has the delays of a fabric: a floor of its own and a tail.
func newResult(source, target string, family uint8, length time.Duration) ippm.Result {
	r := ippm.Result{Kind: "icmp", Length: length, Counts: ippm.Counts{Sent: packets, Received: packets}}
	r.Series = ippm.Series{Source: source, Target: target, Test: testName, Family: family}
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
