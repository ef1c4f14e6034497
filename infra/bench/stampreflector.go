package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// takeReflector measures the probe as a reflector of evenly spaced packets of
// 320 sessions, in turns with a bare loop of the same system calls and fping.
func takeReflector(ctx context.Context, r rig) (samples, error) {
	taken := samples{}
	err := r.withLink(ctx, []string{"fping"}, func(l *link) error {
		inventory, err := l.write("reflector.yaml", reflectorInventory())
		if err != nil {
			return err
		}
		for range r.pick(2, 1) {
			for _, p := range []pace{usual, heavy} {
				if err := l.takeReflectorTurn(ctx, p, inventory, taken); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return taken, err
}

func (l *link) takeReflectorTurn(ctx context.Context, p pace, inventory string, taken samples) error {
	length := time.Duration(l.pick(3, 2)) * time.Second
	for _, turn := range []struct {
		name string
		take func() (usage, error)
	}{
		{"reflector_fping", func() (usage, error) { return l.meterFping(ctx, p, length) }},
		{"reflector_bare", func() (usage, error) {
			bare, err := l.startTraffic(ctx, far, "bare-reflect.json", "bare-reflect")
			return l.meterReflector(ctx, p, bare, length, err)
		}},
		{"reflector", func() (usage, error) {
			probe, err := l.start(ctx, far, "reflector.jsonl", probeBinary, "run", "--name", far, "--inventory", inventory)
			return l.meterReflector(ctx, p, probe, length, err)
		}},
	} {
		u, err := p.undisturbed(turn.name, turn.take)
		if err != nil {
			return err
		}
		taken.add(turn.name+p.name+"_us", u.each())
		taken.add(turn.name+p.name+"_packets_per_s", u.rate())
	}
	return nil
}

// meterReflector measures a process that was started, with an error or without,
// and ends it.
func (l *link) meterReflector(ctx context.Context, p pace, reflector *process, length time.Duration, started error) (u usage, err error) {
	if started != nil {
		return u, started
	}
	err = reflector.during(func() (err error) {
		if err := pause(ctx, time.Second); err != nil { // to listen
			return err
		}
		u, err = l.meterReflecting(ctx, p, reflector, length)
		return err
	})
	return u, err
}

func (l *link) meterReflecting(ctx context.Context, p pace, reflector *process, length time.Duration) (u usage, err error) {
	const output, lead = "generate.json", time.Second
	generator, err := l.startTraffic(ctx, near, output, "generate", "--sources", fmt.Sprint(nearCount),
		"--rate", fmt.Sprint(p.rate), "--for", (length + 2*lead).String())
	if err != nil {
		return u, err
	}
	err = generator.finishing(func() (err error) {
		if err := pause(ctx, lead); err != nil {
			return err
		}
		u, err = l.meter(ctx, reflector, length)
		return err
	})
	if err != nil {
		return u, err
	}
	var found struct {
		Sent, Answered int
		Gaps           distribution
	}
	if err := l.fetch(output, &found); err != nil {
		return u, err
	}
	if found.Gaps["max"] == 0 { // by a bare loop: packets that are sent back as they were say no time
		return u, nil
	}
	l.note("Reflector at %d packets/s: %d sent, %d answered; time between arrivals %v", p.rate, found.Sent, found.Answered, found.Gaps)
	return u, nil
}

// reflectorInventory is one probe to which 20 others measure.
func reflectorInventory() string {
	list, names := &strings.Builder{}, []string{}
	for i, address := range addresses(nearFirst, nearCount) {
		names = append(names, fmt.Sprintf("s%02d", i+1))
		fmt.Fprintf(list, "  - {name: s%02d, addresses: [%s]}\n", i+1, address)
	}
	return fmt.Sprintf("exchange: Bench-IX\nprobes:\n  - {name: far, addresses: [%s]}\n%s"+
		"tests:\n  - {name: fabric, kind: stamp, flows: 16, spacing: 250ms, size: 128, interval: 10s, sources: [%s], targets: [far]}\n",
		farFirst, list, strings.Join(names, ", "))
}
