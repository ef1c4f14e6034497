package main

import (
	"context"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ixpqos/infra/needs"
)

func TestFiguresOfSamples(t *testing.T) {
	s := samples{"a": {4, 1, 3, 2}, "b": {8, 2, 6, 4}}
	for name, c := range map[string]struct {
		value func(samples) float64
		want  float64
	}{
		"p50":                {quantile("a", 0.5), 2},
		"median":             {median("a"), 2.5},
		"p95":                {quantile("a", 0.95), 4},
		"highest":            {highest("a"), 4},
		"mean":               {mean("a"), 2.5},
		"share":              {share("a", "b"), 50},
		"ratio":              {ratio("a", "b"), 50},
		"highest of several": {highestOf("a", "b"), 8},
		"thousandth":         {thousandth(highest("b")), 0.008},
	} {
		if got := c.value(s); got != c.want {
			t.Errorf("%s is %v, want %v", name, got, c.want)
		}
		if got := c.value(samples{}); !math.IsNaN(got) {
			t.Errorf("%s of nothing is %v", name, got)
		}
	}
}

func TestMissingFigure(t *testing.T) {
	m := measurement{figures: []figure{{"one", "ms", atMost(1), highest("ms")}}}
	for name, c := range map[string]struct {
		taken   samples
		err     error
		missing string
	}{
		"taken":      {samples{"ms": {2}}, nil, ""},
		"failed":     {samples{"ms": {2}}, errors.New("no socket"), "no socket"},
		"no samples": {samples{}, nil, errNoSamples.Error()},
	} {
		r := report{Samples: samples{}}
		r.add(m, c.taken, c.err)
		if r.missing() != (c.missing != "") || r.Figures[0].Missing != c.missing {
			t.Errorf("%s: missing is %v, %+v", name, r.missing(), r.Figures)
		}
	}
	if !(report{}).missing() {
		t.Error("a report without figures has all that it should")
	}
}

func TestEveryMeasurementHasFigures(t *testing.T) {
	names := map[string]bool{}
	for _, m := range measurements {
		if len(m.figures) == 0 {
			t.Errorf("%s has no figures", m.name)
		}
		for _, f := range m.figures {
			if names[f.name] {
				t.Errorf("there are two figures %q", f.name)
			}
			names[f.name] = true
		}
	}
}

func TestBars(t *testing.T) {
	for _, c := range []struct {
		bar   *bar
		value float64
		holds bool
	}{{atMost(100), 100, true}, {atMost(100), 100.1, false}, {under(25), 25, false}, {under(25), 24.9, true},
		{atLeast(80), 80, true}, {atLeast(80), 79.9, false}, {atLeast(80), 120, true}} {
		if got := c.bar.holds(c.value); got != c.holds {
			t.Errorf("%v holds at %v: %v", c.bar, c.value, got)
		}
	}
}

func TestShown(t *testing.T) {
	for value, want := range map[float64]string{0.5: "0.50 ms", 9.876: "9.88 ms", 82.13: "82.1 ms", 116.2: "116 ms", 30573.5: "30574 ms"} {
		if got := (result{Value: &value, Unit: "ms"}).shown(); got != want {
			t.Errorf("%v is shown as %q, want %q", value, got, want)
		}
	}
}

func TestSplice(t *testing.T) {
	got, err := splice([]byte("a\n<!-- bench -->\nold\n<!-- /bench -->\nb\n"), "new\n")
	if err != nil || string(got) != "a\n<!-- bench -->\nnew\n<!-- /bench -->\nb\n" {
		t.Errorf("%q, %v", got, err)
	}
	for _, content := range []string{"", "<!-- bench -->\n", "<!-- /bench -->\n<!-- bench -->\n"} {
		if _, err := splice([]byte(content), "new\n"); err == nil || !strings.Contains(err.Error(), markBegin) {
			t.Errorf("%q: %v", content, err)
		}
	}
}

// What a process says when it fails is what a person gets to read.
func TestProcessThatFails(t *testing.T) {
	p, err := start(context.Background(), "sh", "-c", "echo it is broken >&2; exit 3")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.await(listening); err == nil || !strings.Contains(err.Error(), "it is broken") {
		t.Error(err)
	}
	if err := p.end(); err == nil {
		t.Error("it ended well")
	}
}

func TestProcessEndsWithItsWork(t *testing.T) {
	p, err := start(context.Background(), "sleep", "1000")
	if err != nil {
		t.Fatal(err)
	}
	err = p.during(func() error { return io.ErrUnexpectedEOF })
	if !errors.Is(err, io.ErrUnexpectedEOF) || p.cmd.ProcessState == nil {
		t.Errorf("%v, %v", err, p.cmd.ProcessState)
	}
}

func TestExchange(t *testing.T) {
	e, err := newExchange(wide)
	if err != nil {
		t.Fatal(err)
	}
	at := epoch.Add(interval)
	r := e.reporters[7]
	if body := string(r.post(at)); strings.Count(body, `"start":"2026-01-01T00:05:00Z"`) != probes || len(body) != len(r.body) {
		t.Errorf("a body of another interval is not that: %.200s", body)
	}
	if batch := r.begun(at); !batch.Start.Equal(at) || !batch.Results[98].Start.Equal(at) {
		t.Errorf("a batch of another interval began at %v", batch.Start)
	}
}

// A pace that was not kept is measured again, and then is an error.
func TestDisturbedTurns(t *testing.T) {
	took := func(rates ...int) (usage, int, error) {
		turns := 0
		u, err := usual.undisturbed("it", func() (usage, error) {
			u := usage{packets: rates[turns], length: time.Second}
			turns++
			return u, nil
		})
		return u, turns, err
	}
	if u, turns, err := took(700, 1280, 1281); err != nil || turns != 2 || u.packets != 1280 {
		t.Errorf("%v after %d turns, %v", u, turns, err)
	}
	if _, turns, err := took(700, 700, 700); turns != 3 || err == nil || !strings.Contains(err.Error(), "it at 1280 packets/s: 700 packets/s") {
		t.Errorf("%v after %d turns", err, turns)
	}
}

func TestCPUTimeGrows(t *testing.T) {
	before, err := cpuTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for after := before; after == before; {
		if after, err = cpuTime(os.Getpid()); err != nil || after < before {
			t.Fatalf("%v after %v, %v", after, before, err)
		}
	}
}

// A busy machine takes few turns of a benchmark, of which none pays for what
// was to be done before the first packet.
func TestNoStartIsCountedAsAllocations(t *testing.T) {
	needs.Time(t)
	taken, err := allocations(t.Context(), filepath.Join("..", ".."), 10)
	if err != nil {
		t.Fatal(err)
	}
	for name, counts := range taken {
		if most := highest(name)(taken); most > 0 {
			t.Errorf("%s: %v in benchmarks of %v", name, most, counts)
		}
	}
}

func TestAllocationsAreRead(t *testing.T) {
	out := "goos: linux\nBenchmarkRound/IPv4/by_ID-2 \t 100\t 5000 ns/op\t 99.9 ns/packet\t 16 B/op\t 3 allocs/op\nPASS\n"
	if found := benchmark.FindStringSubmatch(out); len(found) != 3 || found[2] != "3" {
		t.Errorf("%q", found)
	}
}
