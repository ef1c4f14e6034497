package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

const (
	probeBinary  = "bin/ixpqos-probe"
	serverBinary = "bin/ixpqos-server"
	ingestBinary = "bin/ixpqos-ingest"
	queryBinary  = "bin/ixpqos-query"
)

// rig is what a measurement stands on: a folder for its files, and how much it
// may take.
type rig struct {
	dir   string
	short bool
	// note keeps a sentence that belongs to the figures.
	note func(format string, args ...any)
}

// pick is the number for a full or a short run.
func (r rig) pick(full, short int) int {
	if r.short {
		return short
	}
	return full
}

// write makes a file in the rig's folder and returns its path.
func (r rig) write(name, content string) (string, error) {
	path := filepath.Join(r.dir, name)
	return path, os.WriteFile(path, []byte(content), 0o600)
}

// build makes the binaries as everybody makes them.
func build(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "make", "--no-print-directory", "build")
	cmd.Env = append(os.Environ(), "MAKEFLAGS=", "MAKELEVEL=") // not those of make bench
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("make build: %w", err)
	}
	return nil
}

// process is one that was started here, and is ended here.
type process struct {
	cmd  *exec.Cmd
	stop context.CancelFunc
	log  *bufio.Scanner
	last string // line of its log
}

// start runs a program. Who calls it ends it, by during or by end.
func start(ctx context.Context, name string, args ...string) (*process, error) {
	return startInto(ctx, nil, name, args...)
}

// startInto is start for a program whose output is kept in a file, if in any.
func startInto(ctx context.Context, output *os.File, name string, args ...string) (*process, error) {
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second // then it is killed
	if output != nil {
		cmd.Stdout = output
	}
	logs, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return &process{cmd: cmd, stop: cancel, log: bufio.NewScanner(logs)}, nil
}

// during does work while the process runs, reading its log so that it never
// waits for that, and ends it.
func (p *process) during(work func() error) error {
	drained := make(chan struct{})
	go func() { defer close(drained); p.drain() }()
	err := work()
	p.stop()
	<-drained
	return errors.Join(err, p.end())
}

// finishing is during for a process that ends by itself.
func (p *process) finishing(work func() error) error {
	drained := make(chan struct{})
	go func() { defer close(drained); p.drain() }()
	err := work()
	if err == nil {
		<-drained
	}
	return errors.Join(err, p.end())
}

// end tells what is wrong with how the process ended. Its log has been read.
func (p *process) end() error {
	p.stop()
	if err := p.cmd.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s: %w: %s", p.cmd.Path, err, p.last)
	}
	return nil
}

func (p *process) drain() {
	for p.log.Scan() {
		p.last = p.log.Text()
	}
}

// await reads the log up to a line with the pattern and returns its first group.
func (p *process) await(pattern *regexp.Regexp) (string, error) {
	for p.log.Scan() {
		p.last = p.log.Text()
		if found := pattern.FindStringSubmatch(p.last); found != nil {
			return found[1], nil
		}
	}
	return "", fmt.Errorf("%s ended: %s", p.cmd.Path, p.last)
}

var (
	listening = regexp.MustCompile(`msg=listening address=(\S+)`)
	works     = regexp.MustCompile(`^(ready)$`) // package traffic says it
)

// serve starts a server on a port that is free, runs work against its URL and
// ends it.
func (r rig) serve(ctx context.Context, inventory, database string, work func(url string) error) error {
	return r.serveStore(ctx, inventory, []string{"--store", "sqlite:" + filepath.Join(r.dir, database)}, work)
}

// serveStore is serve with any store, as the server's settings name it.
func (r rig) serveStore(ctx context.Context, inventory string, store []string, work func(url string) error) error {
	return r.serveProcess(ctx, inventory, store, func(url string, _ *process) error { return work(url) })
}

// serveProcess is serveStore for work that looks at the server's process too.
func (r rig) serveProcess(ctx context.Context, inventory string, store []string, work func(url string, server *process) error) error {
	file, err := r.write("inventory.yaml", inventory)
	if err != nil {
		return err
	}
	server, err := start(ctx, serverBinary, append([]string{"serve", "--listen", "127.0.0.1:0", "--public-read",
		"--inventory", file}, store...)...)
	if err != nil {
		return err
	}
	address, err := server.await(listening)
	if err != nil {
		return errors.Join(err, server.end())
	}
	return server.during(func() error { return work("http://"+address, server) })
}

// memory reads a value in kB of /proc/PID/status and gives it in MB.
func (p *process) memory(key string) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	var kB float64
	_, after, ok := strings.Cut(string(status), "\n"+key+":")
	if n, _ := fmt.Sscan(after, &kB); !ok || n != 1 {
		return 0, fmt.Errorf("/proc/PID/status has no %s", key)
	}
	return kB * 1024 / 1e6, nil
}
