package influxd

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// process is an influxd and where its data is.
type process struct {
	path, folder, address string
	running               *os.Process
	done                  chan struct{} // closed when it has ended
}

// start starts it on what is in the folder.
func (p *process) start() error {
	in := func(name string) string { return filepath.Join(p.folder, name) }
	log, err := os.OpenFile(logFile(p.folder), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(p.path, "--bolt-path", in("bolt"), "--sqlite-path", in("sqlite"), "--engine-path", in("engine"),
		"--http-bind-address", p.address, "--reporting-disabled", "--log-level", "warn")
	cmd.Dir = p.folder
	cmd.Env = withoutSettings(os.Environ())
	cmd.Stdout, cmd.Stderr = log, log
	// It must not outlive a test process that is killed or panics.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started, done := make(chan error), make(chan struct{})
	go func() {
		// The signal comes when the thread that started it ends (prctl(2)).
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(done)
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		started <- nil
		_ = cmd.Wait() // that it was killed is no news
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start influxd: %w", err)
	}
	p.running, p.done = cmd.Process, done
	return nil
}

// withoutSettings drops what would configure influxd.
func withoutSettings(environment []string) (kept []string) {
	for _, e := range environment {
		if !strings.HasPrefix(e, "INFLUX") {
			kept = append(kept, e)
		}
	}
	return kept
}

func (p *process) pause() error { return p.running.Signal(syscall.SIGSTOP) }

func (p *process) resume() error { return p.running.Signal(syscall.SIGCONT) }

// kill ends it and waits until it has ended.
func (p *process) kill() {
	_ = p.running.Kill() // it may have ended
	<-p.done
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// log is what it said.
func (p *process) log() string {
	said, err := os.ReadFile(logFile(p.folder))
	if err != nil {
		return err.Error()
	}
	return string(said)
}
