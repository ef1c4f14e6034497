// Command bench measures what README promises, on the real binaries, over
// loopback and over links of network namespaces: how fast the matrix is given,
// how many results are taken, by SQLite and by a real InfluxDB, how fast a
// function starts, what a probe needs of memory, what STAMP costs and how true
// it is, beside fping and irtt, and how large the binaries are.
//
// What it promises: every figure comes with its samples, the commit and the
// machine; a figure that cannot be measured is missing, with its reason, and
// the program then exits with 1; a bar that does not hold is told but is no
// failure, because the machine decides too. Load is bounded and stays on this
// machine, and every process that it starts has ended when it ends.
//
// It runs in the top folder of the checkout: make bench, make bench SHORT=1.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

const (
	fullFile  = "infra/bench/results.json"
	shortFile = "bench-ci.json"
	readme    = "README.md"
)

var errMissing = errors.New("figures are missing")

func main() {
	short := flag.Bool("short", false, "take fewer samples, and write them to "+shortFile+" instead of "+fullFile)
	only := flag.String("only", "", "take only the measurements whose names contain this, and write no file")
	table := flag.Bool("readme", false, "only rewrite the table of "+readme+" from "+fullFile)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *short, *only, *table); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, short bool, only string, table bool) error {
	if _, err := os.Stat("infra/bench"); err != nil {
		return fmt.Errorf("run this in the top folder of the checkout: %w", err)
	}
	if table {
		return updateReadme(readme, fullFile)
	}
	file := fullFile
	if short {
		file = shortFile
	}
	report, err := measure(ctx, short, only)
	if err != nil {
		return err
	}
	report.print(os.Stdout)
	if only == "" {
		err = keep(report, file)
	}
	if err == nil && report.missing() {
		err = errMissing
	}
	return err
}

func keep(report report, file string) error {
	if err := report.write(file); err != nil {
		return err
	}
	fmt.Printf("\nAll samples: %s\n", file)
	if !report.Short {
		fmt.Printf("Now make README's table of them: go run ./infra/bench -readme\n")
	}
	return nil
}

// measure builds the binaries and takes the measurements, one after the other.
func measure(ctx context.Context, short bool, only string) (report, error) {
	dir, err := os.MkdirTemp("", "ixpqos-bench-")
	if err != nil {
		return report{}, err
	}
	defer os.RemoveAll(dir)
	r := report{Short: short, Samples: samples{}}
	if err := r.describe(ctx); err != nil {
		return report{}, err
	}
	if err := build(ctx); err != nil {
		return report{}, err
	}
	for i, m := range measurements {
		if !strings.Contains(m.name, only) {
			continue
		}
		fmt.Printf("(%d of %d) %s\n", i+1, len(measurements), m.name)
		taken, err := m.take(ctx, rig{dir: dir, short: short, note: r.note})
		if ctx.Err() != nil {
			return report{}, ctx.Err()
		}
		r.add(m, taken, err)
	}
	return r, nil
}
