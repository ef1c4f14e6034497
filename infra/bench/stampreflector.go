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
			u, _, err := l.meterReflector(ctx, p, length, func() (*process, error) {
				return l.startTraffic(ctx, far, "bare-reflect.json", "bare-reflect")
			})
			return u, err
		}},
		{"reflector", func() (usage, error) {
			u, found, err := l.meterReflector(ctx, p, length, func() (*process, error) {
				return l.start(ctx, far, "reflector.jsonl", probeBinary, "run", "--name", far, "--inventory", inventory)
			})
			l.note("Reflector at %d packets/s: %d sent, %d answered; time between arrivals %v", p.rate, found.Sent, found.Answered, found.Gaps)
			return u, err
		}},
	} {
		if err := p.add(taken, turn.name, turn.take); err != nil {
			return err
		}
	}
	return nil
}

// generated is what package traffic tells of the packets that it sent, and of the
// arrivals by what the replies say: those of a bare loop say nothing.
type generated struct {
	Sent, Answered int
	Gaps           distribution
}

// meterReflector measures what start starts, and ends it.
func (l *link) meterReflector(ctx context.Context, p pace, length time.Duration, start func() (*process, error)) (u usage, found generated, err error) {
	reflector, err := start()
	if err != nil {
		return u, found, err
	}
	err = reflector.during(func() (err error) {
		if err := pause(ctx, time.Second); err != nil { // to listen
			return err
		}
		u, found, err = l.meterReflecting(ctx, p, reflector, length)
		return err
	})
	return u, found, err
}

func (l *link) meterReflecting(ctx context.Context, p pace, reflector *process, length time.Duration) (u usage, found generated, err error) {
	const output, lead = "generate.json", time.Second
	generator, err := l.startTraffic(ctx, near, output, "generate", "--sources", fmt.Sprint(nearCount),
		"--rate", fmt.Sprint(p.rate), "--for", (length + 2*lead).String())
	if err != nil {
		return u, found, err
	}
	err = generator.finishing(func() (err error) {
		if err := pause(ctx, lead); err != nil {
			return err
		}
		u, err = l.meter(ctx, reflector, length)
		return err
	})
	if err != nil {
		return u, found, err
	}
	err = l.fetch(output, &found)
	return u, found, err
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
