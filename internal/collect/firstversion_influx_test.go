package collect_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ixpqos/infra/influx"
	"ixpqos/internal/store"
	"ixpqos/internal/store/influx"
)

// pingsInFlux is how a dashboard of the first version asks: its own measurement,
// tags and fields, which are floats.
const pingsInFlux = `import "types"
from(bucket: %q)
	|> range(start: 2026-01-01T00:00:00Z, stop: 2027-01-01T00:00:00Z)
	|> filter(fn: (r) => r._measurement == "Ping" and r.status == "ok" and types.isType(v: r._value, type: "float"))
	|> map(fn: (r) => ({line: r.source + " " + r.target + " " + string(v: r._time) + " " + r._field + "=" + string(v: r._value)}))
	|> group()`

// What the first version's clients post, and what the marked test of our own
// probes measures, stands in InfluxDB where its dashboards look.
func TestFirstVersionInInflux(t *testing.T) {
	server := influxd.Start(t)
	name := func(what string) string { return server.BucketName(t, what) }
	buckets := influx.Buckets{Raw: name("raw"), FiveMinutes: name("5m"), Hours: name("1h"), Flows: name("flows"), Rows: name("rows")}
	tokens, err := influx.Init(t.Context(), server.URL, server.Org, server.Token, buckets, influx.Retention{})
	if err != nil {
		t.Fatal(err)
	}
	writer, err := influx.Open(t.Context(), influx.Options{URL: server.URL, Org: server.Org, Token: tokens.Write.Secret, Buckets: buckets, Use: influx.Writing})
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	s := start(t, func(store.Writer) store.Writer { return writer })
	check(t, s.ask("POST", "/backend"+post, keyShared, from("old client", notPinged("old client"), entry("p1"), entry("p1", "proto", "6", "ping_loss", "0"), notPinged("p2"))), 200, ok)
	if got := s.ask("POST", "/api/v2/results", keyP1, batch(t, measured("ping", "p2", 4, 2, 1000, 3000), measured("ping", "p2", 6, 4),
		measured("quick", "p2", 4, 0, 500))); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	want := []string{
		"old client p1 2026-03-01T12:00:00.000000000Z avg=1.25",
		"old client p1 2026-03-01T12:00:00.000000000Z jitter=0.125",
		"old client p1 2026-03-01T12:00:00.000000000Z loss=0.1",
		"old client p1 2026-03-01T12:00:00.000000000Z max=2",
		"old client p1 2026-03-01T12:00:00.000000000Z min=0.5",
		"old client p1 2026-03-01T12:00:00.000000001Z avg=1.25",
		"old client p1 2026-03-01T12:00:00.000000001Z jitter=0.125",
		"old client p1 2026-03-01T12:00:00.000000001Z loss=0",
		"old client p1 2026-03-01T12:00:00.000000001Z max=2",
		"old client p1 2026-03-01T12:00:00.000000001Z min=0.5",
		"p1 p2 2026-03-01T11:59:00.000000000Z avg=2",
		"p1 p2 2026-03-01T11:59:00.000000000Z jitter=1",
		"p1 p2 2026-03-01T11:59:00.000000000Z loss=0.5",
		"p1 p2 2026-03-01T11:59:00.000000000Z max=3",
		"p1 p2 2026-03-01T11:59:00.000000000Z min=1",
		"p1 p2 2026-03-01T11:59:00.000000001Z loss=1",
	}
	if diff := cmp.Diff(want, linesOf(server.Query(t, fmt.Sprintf(pingsInFlux, buckets.Raw)))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// linesOf is the one column of a CSV, in order.
func linesOf(csv string) []string {
	var lines []string
	for row := range strings.SplitSeq(csv, "\n") {
		fields := strings.Split(strings.TrimSpace(row), ",")
		if last := fields[len(fields)-1]; last != "" && last != "line" {
			lines = append(lines, last)
		}
	}
	slices.Sort(lines)
	return lines
}
