package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Of the addresses of these targets the far side has the last ones: nobody
// answers for the others, as for hosts that are down.
const (
	deadFirst = "198.18.1.99"
	alive     = 2
	// usualBuffer was net.core.wmem_max of Linux until 6.17.
	usualBuffer = "212992"
)

// takeDead lets the sender measure to 100 targets of which two answer, with the
// buffers that the unit of a probe allows: without CAP_NET_ADMIN they are no
// larger than net.core.wmem_max says (socket(7)).
func takeDead(ctx context.Context, r rig) (samples, error) {
	taken := samples{}
	err := r.withLink(ctx, []string{"setpriv"}, func(l *link) error {
		return l.reflecting(ctx, farCount, func(*process) error { return l.takeAmongDead(ctx, taken) })
	})
	return taken, err
}

func (l *link) takeAmongDead(ctx context.Context, taken samples) error {
	every := time.Duration(l.pick(10, 5)) * time.Second
	start := time.Now().Add(slack)
	sender, err := l.startTrafficBy(ctx, near, senderOutput, []string{"setpriv", "--bounding-set=-net_admin"}, deadFirst,
		append(sending(start, every, farCount, usual.flows), "--buffer", usualBuffer)...)
	if err != nil {
		return err
	}
	err = sender.during(func() error { return pause(ctx, time.Until(start.Add(2*every+settling+slack))) })
	if err != nil {
		return err
	}
	intervals, err := l.intervals()
	if err != nil {
		return err
	}
	for _, i := range intervals {
		if i.Answering != alive {
			return fmt.Errorf("%d targets answer, not %d", i.Answering, alive)
		}
		taken.add("dead_refused_percent", 100*float64(i.Answered.Refused)/float64(i.Answered.Sent+i.Answered.Refused))
		taken.add("dead_lost_packets", float64(i.Answered.Lost()))
		l.note("98 of 100 targets dead: to the others %d sent, %d refused, %d lost", i.Answered.Sent, i.Answered.Refused, i.Answered.Lost())
	}
	if len(intervals) == 0 {
		return errors.New("no interval was measured")
	}
	return nil
}
