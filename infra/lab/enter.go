package lab

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// Enter runs do in the host's network, inside this process: sockets that it
// opens remain there when it has returned. What it starts on other goroutines
// is not there.
func (h *Host) Enter(t testing.TB, do func() error) {
	t.Helper()
	done := make(chan error)
	go func() {
		// The thread is not unlocked, and so ends with its goroutine.
		runtime.LockOSThread()
		err := enter(h.namespace)
		if err == nil {
			err = do()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatalf("lab: on host %s: %v", h.Name, err)
	}
}

func enter(namespace string) error {
	f, err := os.Open("/run/netns/" + namespace)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("setns %s: %w", f.Name(), err)
	}
	return nil
}
