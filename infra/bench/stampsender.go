package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// pace is how many packets a second a sender and its references send to 20
// targets, and what their samples are called.
type pace struct {
	name  string
	rate  int
	flows int // of which each sends to each target every 250 ms
}

const stampTargets = 20

var (
	usual = pace{"", 1280, 16}
	heavy = pace{"_10k", 10_000, 125}
)

// takeSender measures the sender, a bare loop of the same system calls and fping
// in turns, at both paces.
func takeSender(ctx context.Context, r rig) (samples, error) {
	taken := samples{}
	err := r.withLink(ctx, []string{"fping"}, func(l *link) error {
		for range r.pick(2, 1) {
			for _, p := range []pace{usual, heavy} {
				if err := l.takeTurn(ctx, p, taken); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return taken, err
}

func (l *link) takeTurn(ctx context.Context, p pace, taken samples) error {
	length := time.Duration(l.pick(3, 2)) * time.Second
	sent := l.meterEngine
	if p == usual {
		sent = l.meterProbe
	}
	for _, turn := range []struct {
		name string
		take func(context.Context, pace, time.Duration) (usage, error)
	}{{"fping", l.meterFping}, {"bare", l.meterBare}, {"sender", sent}} {
		err := p.add(taken, turn.name, func() (u usage, err error) {
			// A reflector has room for so many sessions of one source, and each turn begins its own.
			err = l.reflecting(ctx, stampTargets, func(*process) (err error) {
				u, err = turn.take(ctx, p, length)
				return err
			})
			return u, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// add keeps what a packet cost in a turn, and how many there were, as samples.
func (p pace) add(to samples, name string, take func() (usage, error)) error {
	u, err := p.undisturbed(name, take)
	if err != nil {
		return err
	}
	to.add(name+p.name+"_us", u.each())
	to.add(name+p.name+"_packets_per_s", u.rate())
	return nil
}

// undisturbed takes a turn, and again where the machine did not let it keep the
// pace: what a packet costs depends on that.
func (p pace) undisturbed(name string, take func() (usage, error)) (u usage, err error) {
	for range 3 {
		if u, err = take(); err != nil {
			break
		}
		if err = p.check(u); err == nil {
			return u, nil
		}
	}
	return u, fmt.Errorf("%s at %d packets/s: %w", name, p.rate, err)
}

// check makes sure that the work was done.
func (p pace) check(u usage) error {
	if share := u.rate() / float64(p.rate); share < 0.9 || share > 1.1 {
		return fmt.Errorf("%.0f packets/s came back", u.rate())
	}
	return nil
}

// meterFping lets it ping as often as the sender sends, evenly spaced: between
// two pings it waits longer than it is asked to.
func (l *link) meterFping(ctx context.Context, p pace, length time.Duration) (usage, error) {
	const rest = time.Second // before and after what is measured
	const longer, least = 85 * time.Microsecond, 10 * time.Microsecond
	gap := time.Second / time.Duration(p.rate)
	args := []string{"-q", "-c", fmt.Sprint(int((length + rest) / gap / stampTargets)),
		"-p", inMilliseconds(gap * stampTargets), "-i", inMilliseconds(max(gap-longer, least))}
	args = append(args, addresses(farFirst, stampTargets)...)
	fping, err := l.start(ctx, near, "fping.txt", "fping", args...)
	if err != nil {
		return usage{}, err
	}
	l.note("Reference at %d packets/s: fping %s", p.rate, strings.Join(args, " "))
	var u usage
	err = fping.finishing(func() (err error) {
		if err := pause(ctx, rest/2); err != nil {
			return err
		}
		u, err = l.meter(ctx, fping, length)
		return err
	})
	return u, err
}

func inMilliseconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()*1000) }

func (l *link) meterBare(ctx context.Context, p pace, length time.Duration) (u usage, err error) {
	bare, err := l.startTraffic(ctx, near, "bare.json", "bare", "--targets", fmt.Sprint(stampTargets), "--flows", fmt.Sprint(p.flows))
	if err != nil {
		return u, err
	}
	err = bare.during(func() (err error) {
		if err := pause(ctx, time.Second/2); err != nil {
			return err
		}
		u, err = l.meter(ctx, bare, length)
		return err
	})
	return u, err
}

// An interval is settled 5 s after its end, in a second or so. What is measured
// is as long as an interval and holds just one settling: that of the first
// interval that began after the start.
const (
	settling = 5 * time.Second
	slack    = 1500 * time.Millisecond // to start, and to settle
)

func (l *link) meterInterval(ctx context.Context, p *process, start time.Time, every time.Duration) (u usage, err error) {
	settled := start.Add(every + settling + slack)
	err = p.during(func() (err error) {
		if err := pause(ctx, time.Until(settled.Add(-every))); err != nil {
			return err
		}
		u, err = l.meter(ctx, p, every)
		return err
	})
	return u, err
}

// meterProbe measures the binary as it is run without a server.
func (l *link) meterProbe(ctx context.Context, _ pace, _ time.Duration) (usage, error) {
	every := time.Duration(l.pick(10, 5)) * time.Second
	inventory, err := l.write("sender.yaml", senderInventory(every))
	if err != nil {
		return usage{}, err
	}
	start := time.Now().Add(slack).Truncate(every).Add(every)
	if err := pause(ctx, time.Until(start.Add(-slack))); err != nil {
		return usage{}, err
	}
	probe, err := l.start(ctx, near, "probe.jsonl", probeBinary, "run", "--name", near, "--inventory", inventory)
	if err != nil {
		return usage{}, err
	}
	return l.meterInterval(ctx, probe, start, every)
}

func senderInventory(every time.Duration) string {
	list := &strings.Builder{}
	for i, address := range addresses(farFirst, stampTargets) {
		fmt.Fprintf(list, "  - {name: t%02d, addresses: [%s], answers: [stamp]}\n", i+1, address)
	}
	return fmt.Sprintf("exchange: Bench-IX\nprobes:\n  - {name: near, addresses: [%s]}\ntargets:\n%s"+
		"tests:\n  - {name: fabric, kind: stamp, flows: 16, spacing: 250ms, size: 128, interval: %v}\n", nearFirst, list, every)
}

// meterEngine measures the sender alone: no inventory lets a probe send so much.
func (l *link) meterEngine(ctx context.Context, p pace, _ time.Duration) (usage, error) {
	every := time.Duration(l.pick(10, 2)) * time.Second
	start := time.Now().Add(slack)
	engine, err := l.startSender(ctx, start, every, stampTargets, p.flows)
	if err != nil {
		return usage{}, err
	}
	return l.meterInterval(ctx, engine, start, every)
}
