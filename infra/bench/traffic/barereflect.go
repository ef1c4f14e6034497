package main

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"ixpqos/internal/measure/reflector"
	"ixpqos/internal/measure/timestamp"
)

// bareReflect sends back what comes, over the same socket and as often as a busy
// reflector does, and looks at none of it: what this costs is the kernel's.
func bareReflect(ctx context.Context, s settings) error {
	socket, err := timestamp.Open(timestamp.Options{Local: netip.AddrPortFrom(s.to, uint16(s.port)),
		Buffer: 4 << 20, Batch: batch, MaxPacket: 9000})
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = socket.Close() }) // the process ends
	ready()
	out := make([]timestamp.Outgoing, 0, batch)
	for err == nil {
		time.Sleep(reflector.DefaultPeriod)
		err = sendBack(socket, out)
	}
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func sendBack(socket *timestamp.Socket, out []timestamp.Outgoing) error {
	for n := batch; n == batch; {
		in, err := socket.Receive()
		if err != nil {
			return err
		}
		n, out = len(in), out[:0]
		for i := range in {
			out = append(out, timestamp.Outgoing{To: in[i].From, Payload: in[i].Payload, TOS: -1})
		}
		socket.Send(out)
	}
	return takeEvents(socket)
}
