package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"ixpqos/infra/runtimeapi"
)

// takeBootstraps times the functions from the start of a process to its asking
// for the first event, under a double of the Lambda runtime API. What lies beside
// them is the inventory of 100 probes.
func takeBootstraps(ctx context.Context, r rig) (samples, error) {
	e, err := newExchange(wide)
	if err != nil {
		return nil, err
	}
	if _, err := r.write("inventory.yaml", e.inventory); err != nil {
		return nil, err
	}
	taken := samples{}
	for i := range warmUp + r.pick(20, 5) {
		for name, binary := range map[string]string{"ingest_bootstrap_ms": ingestBinary, "query_bootstrap_ms": queryBinary} {
			took, err := bootstrap(ctx, binary, r.dir)
			if err != nil {
				return nil, err
			}
			if i >= warmUp {
				taken[name] = append(taken[name], milliseconds(took))
			}
		}
	}
	return taken, nil
}

// bootstrap runs a function as Lambda does until it asks for an event, which
// needs no InfluxDB, and ends it.
func bootstrap(ctx context.Context, binary, folder string) (time.Duration, error) {
	path, err := filepath.Abs(binary)
	if err != nil {
		return 0, err
	}
	double := runtimeapi.Start()
	defer double.Close()
	cmd := exec.CommandContext(ctx, path)
	cmd.Dir = folder
	cmd.Env = []string{double.Environment(), "LAMBDA_TASK_ROOT=" + folder, "INFLUX_URL=http://127.0.0.1:9", "INFLUX_TOKEN=t"}
	ended := make(chan error, 1)
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	go func() { ended <- cmd.Wait() }()
	select {
	case <-double.Ready():
	case err := <-ended:
		return 0, fmt.Errorf("%s ended before it asked for an event: %w", binary, err)
	case <-time.After(20 * time.Second):
		err = fmt.Errorf("%s does not ask for an event", binary)
	}
	took := time.Since(began)
	_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case end := <-ended:
		if err == nil && end != nil {
			err = fmt.Errorf("%s: %w", binary, end)
		}
	case <-time.After(10 * time.Second):
		_ = cmd.Process.Kill()
		<-ended
	}
	return took, err
}
