package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// takeAccuracy measures the round-trip time over the link, with the machine idle
// and with a spinning process for each core in turns, one interval each. Irtt
// measures the same link at the same time.
func takeAccuracy(ctx context.Context, r rig) (samples, error) {
	taken := samples{}
	err := r.withLink(ctx, []string{"irtt"}, func(l *link) error {
		return l.reflecting(ctx, stampTargets, func(*process) error {
			server, err := l.start(ctx, far, "irtt-server.txt", "irtt", "server", "-b", farFirst)
			if err != nil {
				return err
			}
			return server.during(func() error { return l.takeIdleAndLoaded(ctx, taken) })
		})
	})
	return taken, err
}

// load is what the machine does besides.
type load struct {
	name     string
	spinning int
}

func (l *link) takeIdleAndLoaded(ctx context.Context, taken samples) error {
	every := time.Duration(l.pick(10, 4)) * time.Second
	var loads []load
	for range l.pick(2, 1) {
		loads = append(loads, load{"idle", 0}, load{"loaded", runtime.NumCPU()})
	}
	start := time.Now().Add(slack)
	sender, err := l.startSender(ctx, start, every, stampTargets, usual.flows)
	if err != nil {
		return err
	}
	err = sender.during(func() error {
		for i, load := range loads {
			begins := start.Add(time.Duration(i) * every)
			if err := l.takeIRTT(ctx, load, begins, every, taken); err != nil {
				return err
			}
		}
		return pause(ctx, settling+slack)
	})
	if err != nil {
		return err
	}
	intervals, err := l.intervals()
	// A clock that steps costs an interval, of several.
	for _, i := range intervals {
		if n := int(i.Start.Sub(start) / every); n < len(loads) {
			l.addAccuracy(loads[n], i, taken)
		}
	}
	return err
}

func (l *link) addAccuracy(load load, i stampInterval, taken samples) {
	i.RTT.add(taken, "rtt_"+load.name)
	// Of all that were answered: those without a stamp are no samples.
	taken.add("kernel_t1_percent", 100*float64(i.KernelT1)/float64(i.Received))
	taken.add("kernel_t3_percent", 100*float64(i.KernelT3)/float64(i.Received))
	taken.add("lost_"+load.name, float64(i.Lost))
	l.note("RTT %s: %v; %d sent, %d lost, %d with all stamps", load.name, i.RTT, i.Sent, i.Lost, i.Samples)
}

// takeIRTT has irtt measure during an interval, most of it, under the load.
func (l *link) takeIRTT(ctx context.Context, load load, begins time.Time, every time.Duration, taken samples) error {
	if err := pause(ctx, time.Until(begins)); err != nil {
		return err
	}
	return l.spinning(ctx, load.spinning, every, func() error {
		client, err := l.start(ctx, near, "irtt.json", "irtt", "client", "-i", "20ms", "-d", (every - slack).String(), "-Q", "-o", "-", farFirst)
		if err != nil {
			return err
		}
		if err := client.finishing(func() error { return nil }); err != nil {
			return err
		}
		rtt, err := l.irttQuantiles()
		if err != nil {
			return err
		}
		rtt.add(taken, "irtt_"+load.name)
		l.note("RTT %s by irtt: %v", load.name, rtt)
		return pause(ctx, time.Until(begins.Add(every)))
	})
}

// spinning does work while so many processes spin, which end with it.
func (l *link) spinning(ctx context.Context, processes int, length time.Duration, work func() error) error {
	if processes == 0 {
		return work()
	}
	spinner, err := l.startTraffic(ctx, near, "spin.txt", "spin", "--for", (length + 2*time.Second).String())
	if err != nil {
		return err
	}
	return spinner.during(func() error { return l.spinning(ctx, processes-1, length, work) })
}

// irttQuantiles are those of a client that has ended, in microseconds.
func (l *link) irttQuantiles() (distribution, error) {
	var output struct {
		RoundTrips []struct {
			Delay struct {
				RTT int64 `json:"rtt"` // nanoseconds
			} `json:"delay"`
		} `json:"round_trips"`
	}
	text, err := os.ReadFile(filepath.Join(l.dir, "irtt.json"))
	if err == nil {
		err = json.Unmarshal(text, &output)
	}
	if err != nil {
		return nil, fmt.Errorf("the output of irtt: %w", err)
	}
	all := samples{}
	for _, trip := range output.RoundTrips {
		if trip.Delay.RTT > 0 {
			all.add("rtt", float64(trip.Delay.RTT)/1000)
		}
	}
	if len(all["rtt"]) == 0 {
		return nil, errors.New("irtt had no answer")
	}
	found := distribution{}
	for name, q := range quantilesByName {
		found[name] = quantile("rtt", q)(all)
	}
	return found, nil
}
