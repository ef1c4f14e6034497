package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ixpqos/infra/lab/netns"
)

// usage is what a process took for the packets of a while.
type usage struct {
	packets int
	cpu     time.Duration
	length  time.Duration
}

// each is the CPU time of one packet in microseconds.
func (u usage) each() float64 { return u.cpu.Seconds() * 1e6 / float64(u.packets) }

func (u usage) rate() float64 { return float64(u.packets) / u.length.Seconds() }

// meter watches a process for a while. The packets are those that came to the
// near side, so one for each round trip.
func (l *link) meter(ctx context.Context, p *process, length time.Duration) (usage, error) {
	before, err := l.reading(p)
	if err != nil {
		return usage{}, err
	}
	if err := pause(ctx, length); err != nil {
		return usage{}, err
	}
	after, err := l.reading(p)
	u := usage{after.packets - before.packets, after.cpu - before.cpu, after.length - before.length}
	if err == nil && u.packets == 0 {
		err = errors.New("no packets came back")
	}
	return u, err
}

var origin = time.Now()

// reading is what a process took since it began, and the packets since the link
// was laid.
func (l *link) reading(p *process) (u usage, err error) {
	if u.cpu, err = cpuTime(p.cmd.Process.Pid); err != nil {
		return u, err
	}
	u.length = time.Since(origin)
	u.packets, err = l.received()
	return u, err
}

// cpuTime is the user and system time of all threads of a process that there
// are or were, as getrusage(2) has it when it has ended, but to the nanosecond
// (clock_getcpuclockid(3); the kernel's CPUCLOCK_SCHED is 2).
func cpuTime(process int) (time.Duration, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^process<<3|2), &t); err != nil {
		return 0, fmt.Errorf("read the CPU clock of process %d: %w", process, err)
	}
	return time.Duration(t.Nano()), nil
}

// received reads the packets that came to the near side (proc_pid_net(5), dev).
func (l *link) received() (packets int, err error) {
	var table []byte
	err = l.network.Inside(near, func() (err error) {
		table, err = os.ReadFile("/proc/thread-self/net/dev")
		return err
	})
	if err != nil {
		return 0, err
	}
	_, fields, _ := strings.Cut(string(table), netns.Device+":")
	var octets int
	if n, _ := fmt.Sscan(fields, &octets, &packets); n != 2 {
		return 0, fmt.Errorf("/proc/net/dev says nothing of %s", netns.Device)
	}
	return packets, nil
}

// pause waits, unless the context ends first.
func pause(ctx context.Context, length time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(length):
		return nil
	}
}
