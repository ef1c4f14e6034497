package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
)

// takeAllocations runs the Go benchmarks of what is done for every packet.
func takeAllocations(ctx context.Context, r rig) (samples, error) {
	return allocations(ctx, ".", r.pick(2000, 500))
}

// allocations runs each so many times, and not for so long: how many turns a
// time holds is the machine's, and a turn of a few would pay for what all of
// them share, such as an interval that ends among them.
func allocations(ctx context.Context, top string, turns int) (samples, error) {
	taken := samples{}
	for _, name := range []string{"stamp", "timestamp", "sender", "reflector"} {
		cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", ".", "-benchmem",
			"-benchtime", fmt.Sprintf("%dx", turns), "./internal/measure/"+name)
		cmd.Dir = top
		out, err := cmd.CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("go test -bench of internal/measure/%s: %w: %s", name, err, out)
		}
		counts, err := allocationsIn(out)
		if err != nil {
			return nil, fmt.Errorf("internal/measure/%s: %w", name, err)
		}
		taken["allocations_"+name] = counts
	}
	return taken, nil
}

// allocationsIn reads what go test says of each benchmark.
func allocationsIn(out []byte) (counts []float64, err error) {
	for _, match := range benchmark.FindAllSubmatch(out, -1) {
		n, err := strconv.ParseFloat(string(match[2]), 64)
		if err != nil {
			return nil, err
		}
		counts = append(counts, n)
	}
	if len(counts) == 0 {
		return nil, errors.New("it has no benchmark")
	}
	return counts, nil
}

// benchmark is a line of go test's.
var benchmark = regexp.MustCompile(`(?m)^(Benchmark\S+)\s.*?(\d+) allocs/op`)
