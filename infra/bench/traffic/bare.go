package main

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"ixpqos/internal/measure/sender"
	"ixpqos/internal/measure/stamp"
	"ixpqos/internal/measure/timestamp"
)

const batch = 64

// lane is a socket with the same packets again and again.
type lane struct {
	*timestamp.Socket
	packets []timestamp.Outgoing
	offset  int // the tick of each period at which it sends
	awaited int
}

// bare sends what the sender sends and takes what it takes, over the same
// sockets at the same ticks, and looks at none of it: what this costs is the
// kernel's.
func bare(ctx context.Context, s settings) error {
	period := int(s.spacing / sender.Tick)
	var lanes []*lane
	for flow := range s.flows {
		l, err := openLane(s, flow)
		if err != nil {
			return err
		}
		defer l.Close()
		l.offset = flow * period / s.flows
		lanes = append(lanes, l)
	}
	ready()
	began := time.Now()
	for tick := 0; ctx.Err() == nil; tick++ {
		time.Sleep(time.Until(began.Add(time.Duration(tick) * sender.Tick)))
		for _, l := range lanes {
			if err := l.drain(); err != nil {
				return err
			}
		}
		for _, l := range lanes {
			if tick%period == l.offset {
				l.awaited = l.Send(l.packets)
			}
		}
	}
	return nil
}

func openLane(s settings, flow int) (*lane, error) {
	socket, err := timestamp.Open(timestamp.Options{Local: netip.AddrPortFrom(s.from, firstPort+uint16(flow)),
		Buffer: 4 << 20, Batch: batch, MaxPacket: 9000})
	if err != nil {
		return nil, err
	}
	l := &lane{Socket: socket}
	for i, to := range addresses(s.to, s.targets) {
		packet, err := stamp.AppendRequest(nil, stamp.Request{SSID: uint16(i + 1)}, size-20-8)
		if err != nil {
			return nil, errors.Join(err, socket.Close())
		}
		l.packets = append(l.packets, timestamp.Outgoing{To: netip.AddrPortFrom(to, uint16(s.port)), Payload: packet, TOS: -1})
	}
	return l, nil
}

func (l *lane) drain() error {
	if l.awaited <= 0 {
		return nil
	}
	if err := takeEvents(l.Socket); err != nil {
		return err
	}
	for n := batch; n == batch; {
		in, err := l.Receive()
		if err != nil {
			return err
		}
		n = len(in)
		l.awaited -= n
	}
	return nil
}

func takeEvents(socket *timestamp.Socket) error {
	for n := batch; n == batch; {
		events, err := socket.Events()
		if err != nil {
			return err
		}
		n = len(events)
	}
	return nil
}
