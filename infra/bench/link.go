package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"ixpqos/infra/lab/netns"
)

// The two ends of the link, whose addresses are of RFC 2544: as many as any
// measurement needs.
const (
	near, far           = "near", "far"
	nearFirst, farFirst = "198.18.0.1", "198.18.1.1"
	nearCount, farCount = 20, 100
	linkFamily          = "ixpqos-bench-"
)

// link is two namespaces with a veth pair between them, and what runs in them.
type link struct {
	rig
	network *netns.Network
	traffic string // the binary of package traffic
}

// withLink does work on a new link.
func (r rig) withLink(ctx context.Context, tools []string, work func(*link) error) error {
	for _, tool := range append([]string{"ip"}, tools...) {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("no command %s: install it (apt-get install iproute2 fping irtt util-linux)", tool)
		}
	}
	if os.Geteuid() != 0 {
		return errors.New("network namespaces need root: run make bench as root")
	}
	traffic, err := r.buildTraffic(ctx)
	if err != nil {
		return err
	}
	if err := netns.Sweep(linkFamily); err != nil {
		return err
	}
	l := &link{r, netns.New(fmt.Sprintf("%s%d-", linkFamily, os.Getpid())), traffic}
	if err := l.lay(); err != nil {
		return errors.Join(err, l.network.Close())
	}
	return errors.Join(work(l), l.network.Close())
}

// buildTraffic makes the binary as those are made that go to a probe.
func (r rig) buildTraffic(ctx context.Context) (path string, err error) {
	path = filepath.Join(r.dir, "traffic")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "./infra/bench/traffic")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build ./infra/bench/traffic: %w: %s", err, out)
	}
	return path, nil
}

func (l *link) lay() error {
	if err := l.network.Add(near, far); err != nil {
		return err
	}
	err := l.network.IP(near, fmt.Sprintf("link add %s type veth peer name %s netns %s", netns.Device, netns.Device, l.network.Namespace(far)))
	return errors.Join(err, l.raise(near, nearFirst, nearCount), l.raise(far, farFirst, farCount))
}

func (l *link) raise(side, first string, count int) error {
	lines := []string{"link set " + netns.Device + " up"}
	for _, address := range addresses(first, count) {
		lines = append(lines, fmt.Sprintf("addr add %s/15 dev %s", address, netns.Device))
	}
	return l.network.IP(side, lines...)
}

// addresses are so many in a row, from one that ends in 1.
func addresses(first string, n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("%s.%d", strings.TrimSuffix(first, ".1"), i+1))
	}
	return all
}

// start runs a program on one side. What it writes goes into a file.
func (l *link) start(ctx context.Context, side, output, program string, args ...string) (*process, error) {
	file, err := os.Create(filepath.Join(l.dir, output))
	if err != nil {
		return nil, err
	}
	defer file.Close() // the program has it too
	return startInto(ctx, file, "ip", append([]string{"netns", "exec", l.network.Namespace(side), program}, args...)...)
}

// startTraffic is start for a command of package traffic, once it works.
func (l *link) startTraffic(ctx context.Context, side, output string, args ...string) (*process, error) {
	return l.startTrafficBy(ctx, side, output, nil, farFirst, args...)
}

// startTrafficBy is startTraffic by a program that becomes it, such as taskset,
// with the far addresses from one on.
func (l *link) startTrafficBy(ctx context.Context, side, output string, by []string, to string, args ...string) (*process, error) {
	command := slices.Concat(by, []string{l.traffic}, args, []string{"--from", nearFirst, "--to", to})
	p, err := l.start(ctx, side, output, command[0], command[1:]...)
	if err != nil {
		return nil, err
	}
	if _, err := p.await(works); err != nil {
		return nil, errors.Join(err, p.end())
	}
	return p, nil
}

// reflecting does work while so many addresses of the far side reflect.
func (l *link) reflecting(ctx context.Context, targets int, work func(reflector *process) error) error {
	p, err := l.startTraffic(ctx, far, "reflect.json", "reflect", "--targets", fmt.Sprint(targets))
	if err != nil {
		return err
	}
	return p.during(func() error { return work(p) })
}
