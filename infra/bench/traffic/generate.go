package main

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"ixpqos/internal/measure/stamp"
	"ixpqos/internal/measure/timestamp"
)

// arrivals is what a generator saw of the replies.
type arrivals struct {
	Sent, Answered int
	// Gaps are quantiles of the time between two arrivals at the reflector, by
	// the stamps of its kernel, in microseconds.
	Gaps map[string]float64
}

// source is one flow: a socket with a packet.
type source struct {
	*timestamp.Socket
	packet []timestamp.Outgoing
}

// generate sends one packet at a time, evenly spaced, from all sources and flows
// in turn.
func generate(ctx context.Context, s settings) error {
	sources, err := openSources(s)
	if err != nil {
		return err
	}
	ready()
	var found arrivals
	at := make([]int64, 0, int(s.length.Seconds()+1)*s.rate)
	gap := time.Second / time.Duration(s.rate)
	due := time.Now()
	for i := 0; ctx.Err() == nil; i++ {
		source := sources[i%len(sources)]
		if at, err = source.receive(at); err != nil {
			return err
		}
		due = due.Add(gap)
		await(due)
		stamp.SetRequest(source.packet[0].Payload, uint32(i/len(sources)), stamp.TimestampOf(timestamp.Now(), stamp.NTP), 1)
		found.Sent += source.Send(source.packet)
	}
	for _, source := range sources {
		if at, err = source.receive(at); err != nil {
			return err
		}
		_ = source.Close() // the process ends
	}
	found.Answered, found.Gaps = len(at), gaps(at)
	return tell(found)
}

func openSources(s settings) (all []source, err error) {
	to := netip.AddrPortFrom(s.to, uint16(s.port))
	for flow := range s.flows {
		for _, from := range addresses(s.from, s.sources) {
			socket, err := timestamp.Open(timestamp.Options{Local: netip.AddrPortFrom(from, firstPort+uint16(flow)), Batch: 4, MaxPacket: 1500})
			if err != nil {
				return nil, err
			}
			packet, err := stamp.AppendRequest(nil, stamp.Request{SSID: 1}, size-20-8)
			if err != nil {
				return nil, err
			}
			all = append(all, source{socket, []timestamp.Outgoing{{To: to, Payload: packet, TOS: -1}}})
		}
	}
	return all, nil
}

// receive adds when the packets arrived whose replies are there.
func (s *source) receive(at []int64) ([]int64, error) {
	if _, err := s.Events(); err != nil {
		return at, err
	}
	in, err := s.Receive()
	for i := range in {
		if reply, err := stamp.ParseReply(in[i].Payload); err == nil {
			at = append(at, reply.Received.UnixNano(reply.Error.Format(), in[i].At))
		}
	}
	return at, err
}

// await sleeps most of the way and spins the rest, which a sleep would overshoot.
// Go's own sleeps are to the millisecond.
func await(due time.Time) {
	const overshoot = 150 * time.Microsecond
	if left := time.Until(due); left > overshoot {
		rest := unix.NsecToTimespec((left - overshoot).Nanoseconds())
		_ = unix.Nanosleep(&rest, nil) // a signal breaks it: then there is more to spin
	}
	for time.Until(due) > 0 {
	}
}

func gaps(at []int64) map[string]float64 {
	slices.Sort(at)
	var all []float64
	for i := 1; i < len(at); i++ {
		all = append(all, float64(at[i]-at[i-1])/1e3)
	}
	slices.Sort(all)
	found := map[string]float64{}
	for name, q := range points {
		if len(all) > 0 {
			found[name] = all[int(q*float64(len(all)-1))]
		}
	}
	return found
}
