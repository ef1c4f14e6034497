package main

import (
	"context"
	"fmt"
	"math"
	"slices"
)

// measurement is work that gives samples, and the figures that follow from them.
type measurement struct {
	name    string
	take    func(context.Context, rig) (samples, error)
	figures []figure
}

// samples are what was measured, by a name that has the unit.
type samples map[string][]float64

func (s samples) add(name string, value float64) { s[name] = append(s[name], value) }

// figure is one number and the bar that it should keep.
type figure struct {
	name, unit string
	bar        *bar // nil where there is none
	value      func(samples) float64
}

// bar is the most or the least that a figure may be: one of Most and Least is set.
type bar struct {
	Most float64 `json:"most,omitempty"`
	// Below is set where it must be less than Most.
	Below bool    `json:"below,omitempty"`
	Least float64 `json:"least,omitempty"`
}

func atMost(most float64) *bar   { return &bar{Most: most} }
func under(most float64) *bar    { return &bar{Most: most, Below: true} }
func atLeast(least float64) *bar { return &bar{Least: least} }

func (b bar) holds(value float64) bool {
	if b.Least != 0 {
		return value >= b.Least
	}
	return value < b.Most || !b.Below && value == b.Most
}

func (b bar) String() string {
	switch {
	case b.Least != 0:
		return fmt.Sprintf("at least %g", b.Least)
	case b.Below:
		return fmt.Sprintf("under %g", b.Most)
	}
	return fmt.Sprintf("at most %g", b.Most)
}

var measurements = []measurement{
	{"the matrix of 100 × 100 pairs", takeMatrix, []figure{
		{"matrix of 100 × 100 pairs, p50", "ms", nil, quantile("matrix_ms", 0.50)},
		{"matrix of 100 × 100 pairs, p95", "ms", atMost(100), quantile("matrix_ms", 0.95)},
		{"the same while batches arrive, p50", "ms", nil, quantile("matrix_busy_ms", 0.50)},
		{"the same while batches arrive, p95", "ms", atMost(100), quantile("matrix_busy_ms", 0.95)},
	}},
	{"ingest through the API, and into the store alone", takeIngest, []figure{
		{"ingest through the API into SQLite", "results/s", nil, mean("ingest_results_per_s")},
		{"SQLite alone with the same batches", "results/s", nil, mean("store_results_per_s")},
		{"ingest through the API, share of SQLite alone", "%", nil, share("ingest_results_per_s", "store_results_per_s")},
	}},
	{"the matrix of 100 × 100 pairs, from InfluxDB", takeInfluxMatrix, []figure{
		{"matrix of 100 × 100 pairs from InfluxDB, p50", "ms", nil, quantile("influx_matrix_ms", 0.50)},
		{"matrix of 100 × 100 pairs from InfluxDB, p95", "ms", atMost(100), quantile("influx_matrix_ms", 0.95)},
	}},
	{"the matrix of 100 × 100 pairs in two families, from InfluxDB after a change of targets", takeChangedMatrix, []figure{
		{"matrix from InfluxDB after a change of targets, p50", "ms", nil, quantile("changed_matrix_ms", 0.50)},
		{"matrix from InfluxDB after a change of targets, p95", "ms", atMost(300), quantile("changed_matrix_ms", 0.95)},
	}},
	{"ingest through the API into InfluxDB, and of the same bytes alone", takeInfluxIngest, []figure{
		{"ingest through the API into InfluxDB", "results/s", nil, mean("influx_results_per_s")},
		{"the same bytes into InfluxDB alone", "results/s", nil, mean("influx_raw_results_per_s")},
		{"ingest through the API, share of InfluxDB alone", "%", atLeast(80), share("influx_results_per_s", "influx_raw_results_per_s")},
	}},
	{"bootstraps until they ask for an event", takeBootstraps, []figure{
		{"Lambda bootstrap of ingest, median", "ms", atMost(100), quantile("ingest_bootstrap_ms", 0.50)},
		{"Lambda bootstrap of ingest, longest", "ms", atMost(100), highest("ingest_bootstrap_ms")},
		{"Lambda bootstrap of query, median", "ms", atMost(100), quantile("query_bootstrap_ms", 0.50)},
		{"Lambda bootstrap of query, longest", "ms", atMost(100), highest("query_bootstrap_ms")},
	}},
	{"memory of a probe that pings 20 targets", takeMemory, []figure{
		{"memory of a probe with 20 targets, peak", "MB", under(25), highest("probe_peak_mb")},
		{"memory of a probe with 20 targets, resident", "MB", under(25), highest("probe_resident_mb")},
	}},
	{"memory of a server under a stolen key's posts", takeServerMemory, []figure{
		{"memory of a server under seven posts of 6,000 wide results, peak", "MB", atMost(300), highest("server_peak_mb")},
	}},
	{"STAMP: CPU time of the sender", takeSender, []figure{
		{"STAMP sender at 1,280 packets/s, CPU per round trip", "µs", nil, median("sender_us")},
		{"bare loop of the same system calls at 1,280/s", "µs", nil, median("bare_us")},
		{"fping at 1,280/s, CPU per ping", "µs", nil, median("fping_us")},
		{"STAMP sender at 1,280/s, share of fping", "%", atMost(25), ratio("sender_us", "fping_us")},
		{"STAMP sender at 1,280/s, share of the bare loop", "%", nil, ratio("sender_us", "bare_us")},
		{"STAMP sender at 10,000 packets/s, CPU per round trip", "µs", nil, median("sender_10k_us")},
		{"bare loop of the same system calls at 10,000/s", "µs", nil, median("bare_10k_us")},
		{"fping at 10,000/s, CPU per ping", "µs", nil, median("fping_10k_us")},
		{"STAMP sender at 10,000/s, share of fping", "%", atMost(15), ratio("sender_10k_us", "fping_10k_us")},
		{"STAMP sender at 10,000/s, share of the bare loop", "%", nil, ratio("sender_10k_us", "bare_10k_us")},
	}},
	{"STAMP: CPU time of the reflector", takeReflector, []figure{
		{"STAMP reflector at 1,280 packets/s, CPU per packet", "µs", nil, median("reflector_us")},
		{"bare reflecting loop of the same system calls at 1,280/s", "µs", nil, median("reflector_bare_us")},
		{"STAMP reflector at 1,280/s, share of fping", "%", atMost(40), ratio("reflector_us", "reflector_fping_us")},
		{"STAMP reflector at 1,280/s, share of the bare reflecting loop", "%", nil, ratio("reflector_us", "reflector_bare_us")},
		{"STAMP reflector at 10,000 packets/s, CPU per packet", "µs", nil, median("reflector_10k_us")},
		{"bare reflecting loop of the same system calls at 10,000/s", "µs", nil, median("reflector_bare_10k_us")},
		{"STAMP reflector at 10,000/s, share of fping", "%", atMost(20), ratio("reflector_10k_us", "reflector_fping_10k_us")},
		{"STAMP reflector at 10,000/s, share of the bare reflecting loop", "%", nil, ratio("reflector_10k_us", "reflector_bare_10k_us")},
	}},
	{"STAMP: accuracy of the round-trip time", takeAccuracy, []figure{
		{"RTT over a veth link, idle, p50", "µs", atMost(4), median("rtt_idle_p50_us")},
		{"RTT over a veth link, idle, p99", "µs", atMost(20), median("rtt_idle_p99_us")},
		{"RTT over a veth link, idle, p99.9", "µs", atMost(50), median("rtt_idle_p99.9_us")},
		{"RTT, all cores saturated, p99", "µs", nil, median("rtt_loaded_p99_us")},
		{"RTT, all cores saturated, p99, share of idle", "%", atMost(125), ratio("rtt_loaded_p99_us", "rtt_idle_p99_us")},
		{"RTT by irtt, all cores saturated, p99", "µs", nil, median("irtt_loaded_p99_us")},
		{"RTT, all cores saturated, p99, share of irtt", "%", atMost(1), ratio("rtt_loaded_p99_us", "irtt_loaded_p99_us")},
		{"packets with the kernel's T1", "%", atLeast(100), quantile("kernel_t1_percent", 0)},
		{"packets with the kernel's T3", "%", atLeast(97), quantile("kernel_t3_percent", 0)},
	}},
	{"ping: accuracy of the round-trip time", takePingAccuracy, []figure{
		{"ping RTT over a veth link, idle, p99", "µs", nil, median("ping_idle_p99_us")},
		{"ping RTT p99, all cores saturated", "µs", nil, median("ping_loaded_p99_us")},
		{"ping RTT p99, all cores saturated, share of idle", "%", atMost(125), ratio("ping_loaded_p99_us", "ping_idle_p99_us")},
	}},
	{"STAMP: 100 targets on one core", takeScale, []figure{
		{"100 targets × 16 flows on one core, lateness p99", "ms", under(10), thousandth(highest("scale_late_p99_us"))},
		{"the same, packets dropped by the sender's kernel", "packets", atMost(0), highest("scale_drops")},
		{"the same, packets dropped by the reflector's kernel", "packets", atMost(0), highest("scale_reflector_drops")},
		{"the same, packets lost", "packets", atMost(0), highest("scale_lost_packets")},
		{"the same, peak memory", "MB", under(60), highest("scale_peak_mb")},
	}},
	{"STAMP: 98 dead of 100 targets", takeDead, []figure{
		{"98 of 100 targets dead, packets to the others that the kernel refused", "%", atMost(0), highest("dead_refused_percent")},
		{"the same, packets to the others that were lost", "packets", atMost(0), highest("dead_lost_packets")},
	}},
	{"STAMP: allocations for a packet", takeAllocations, []figure{
		{"allocations for a packet, in all Go benchmarks", "allocs", atMost(0), highestOf("allocations_stamp", "allocations_timestamp", "allocations_sender", "allocations_reflector")},
	}},
	{"sizes of the binaries", takeSizes, []figure{
		{"ixpqos-probe, static binary", "MB", under(30), highest("probe_binary_mb")},
		{"ixpqos-server, static binary", "MB", under(30), highest("server_binary_mb")},
		{"ixpqos-ingest, static binary", "MB", under(30), highest("ingest_binary_mb")},
		{"ixpqos-query, static binary", "MB", under(30), highest("query_binary_mb")},
	}},
}

// quantile is the smallest sample that at least the share q does not exceed.
func quantile(name string, q float64) func(samples) float64 {
	return func(s samples) float64 {
		if len(s[name]) == 0 {
			return math.NaN()
		}
		sorted := slices.Sorted(slices.Values(s[name]))
		return sorted[max(int(math.Ceil(q*float64(len(sorted))))-1, 0)]
	}
}

func highest(name string) func(samples) float64 { return quantile(name, 1) }

// median lies between the two in the middle of an even number of samples: of
// two, the lower one would flatter.
func median(name string) func(samples) float64 {
	return func(s samples) float64 {
		sorted := slices.Sorted(slices.Values(s[name]))
		n := len(sorted)
		if n == 0 {
			return math.NaN()
		}
		return (sorted[(n-1)/2] + sorted[n/2]) / 2
	}
}

func mean(name string) func(samples) float64 {
	return func(s samples) float64 {
		sum := 0.0
		for _, v := range s[name] {
			sum += v
		}
		return sum / float64(len(s[name]))
	}
}

// share is the mean of one in percent of the mean of another that was taken in
// turns with it: what the machine did besides meets both alike.
func share(of, whole string) func(samples) float64 {
	return func(s samples) float64 { return 100 * mean(of)(s) / mean(whole)(s) }
}

// ratio is share of the medians: a single turn that something disturbed does
// not count.
func ratio(of, whole string) func(samples) float64 {
	return func(s samples) float64 { return 100 * median(of)(s) / median(whole)(s) }
}

func highestOf(names ...string) func(samples) float64 {
	return func(s samples) float64 {
		most := math.Inf(-1)
		for _, name := range names {
			most = max(most, highest(name)(s)) // NaN where one has no samples
		}
		return most
	}
}

func thousandth(of func(samples) float64) func(samples) float64 {
	return func(s samples) float64 { return of(s) / 1000 }
}
