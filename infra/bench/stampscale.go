package main

import (
	"context"
	"errors"
	"time"

	"ixpqos/internal/measure/reflector"
)

// takeScale lets the sender measure to 100 targets by 16 flows on one core.
func takeScale(ctx context.Context, r rig) (samples, error) {
	taken := samples{}
	err := r.withLink(ctx, []string{"taskset"}, func(l *link) error {
		err := l.reflecting(ctx, farCount, func(*process) error { return l.takeOneCore(ctx, taken) })
		if err != nil {
			return err
		}
		var heard reflector.Stats
		if err := l.fetch("reflect.json", &heard); err != nil {
			return err
		}
		taken.add("scale_reflector_drops", float64(heard.Dropped))
		return nil
	})
	return taken, err
}

func (l *link) takeOneCore(ctx context.Context, taken samples) error {
	every := time.Duration(l.pick(10, 2)) * time.Second
	start := time.Now().Add(slack)
	sender, err := l.startSender(ctx, start, every, farCount, usual.flows, "taskset", "--cpu-list", "0")
	if err != nil {
		return err
	}
	err = sender.during(func() error {
		if err := pause(ctx, time.Until(start.Add(every+settling+slack))); err != nil {
			return err
		}
		mb, err := sender.memory("VmHWM")
		taken.add("scale_peak_mb", mb)
		return err
	})
	if err != nil {
		return err
	}
	intervals, err := l.intervals()
	if err == nil && len(intervals) == 0 {
		err = errors.New("no interval was measured")
	}
	if err != nil {
		return err
	}
	for _, i := range intervals {
		i.Lateness.add(taken, "scale_late")
		taken.add("scale_drops", float64(i.Drops))
		taken.add("scale_lost_packets", float64(i.Lost+i.Late+i.Unserved))
		taken.add("scale_packets_per_s", float64(i.Sent)/every.Seconds())
		l.note("100 targets × 16 flows on one core: %d sent, %d lost, %d dropped; lateness %v", i.Sent, i.Lost, i.Drops, i.Lateness)
	}
	return nil
}
