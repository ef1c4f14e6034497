package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// execute runs a program until ctx ends; earlier is an error. What it logs goes
// into a file.
func execute(ctx context.Context, cmd *exec.Cmd, logs string) error {
	file, err := os.Create(logs)
	if err != nil {
		return err
	}
	defer file.Close()
	cmd.Stderr = file
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.SysProcAttr.Setpgid = true // Ctrl-C is for this program, which ends the others
	err = cmd.Run()
	if ctx.Err() != nil {
		return nil
	}
	name := strings.TrimSuffix(filepath.Base(logs), ".log")
	if said := lastLine(logs); said != "" {
		return fmt.Errorf("%s ended: %s", name, said)
	}
	return fmt.Errorf("%s ended: %w", name, err)
}

func lastLine(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}

// ready waits until a server answers that it is.
func ready(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for {
		err := get(ctx, url)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the server does not come to be ready: %w", err)
		case <-poll.C:
		}
	}
}

func get(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	// The lab's network is this machine's own: no proxy stands before it.
	direct := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}
	answer, err := direct.Do(request)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s", url, answer.Status)
	}
	_ = answer.Body.Close()
	return err
}
