package ping

import (
	"context"
	"net"
	"net/netip"
	"runtime"
	"time"

	probing "github.com/prometheus-community/pro-bing"

	"ixpqos/internal/inventory"
)

// opener sends the first ping of a round, by pro-bing.
type opener struct {
	sent time.Time
	rtt  chan time.Duration
	done chan struct{}
	stop context.CancelFunc
}

// openWay lets pro-bing send the ping that is not counted. It goes on until it
// is answered, or ended.
func openWay(ctx context.Context, w way) *opener {
	ctx, stop := context.WithCancel(ctx)
	o := &opener{rtt: make(chan time.Duration, 1), done: make(chan struct{}), stop: stop}
	pro := probing.New("")
	pro.SetIPAddr(&net.IPAddr{IP: w.to.AsSlice(), Zone: w.to.Zone()})
	pro.SetPrivileged(w.raw)
	pro.SetLogger(leaveSpin{})
	if w.from.IsValid() {
		pro.Source = w.from.WithZone("").String()
	}
	family := uint8(4)
	if w.to.Is6() {
		family = 6
	}
	pro.Size = w.size - ipHeader(family) - echoHeader
	pro.SetTrafficClass(w.dscp << 2)
	pro.TTL, pro.Count = 255, 1
	pro.Interval, pro.Timeout = inventory.LossThreshold, inventory.LossThreshold
	pro.RecordRtts, pro.RecordTTLs = false, false
	pro.OnSend = func(*probing.Packet) { o.sent = time.Now() }
	// What is refused is refused to the pings that count as well, and told by them;
	// on ENOBUFS pro-bing would try again at once, for ever.
	pro.OnSendError = func(*probing.Packet, error) { runtime.Goexit() }
	pro.OnRecv = func(pkt *probing.Packet) { o.take(pkt, w.to) }
	go func() {
		defer close(o.done)
		_ = pro.RunWithContext(ctx)
	}()
	return o
}

// take measures by a clock that does not step: what pro-bing computes is the
// difference of two readings of the wall clock.
func (o *opener) take(pkt *probing.Packet, to netip.Addr) {
	if from, ok := netip.AddrFromSlice(pkt.IPAddr.IP); ok && from.Unmap() == to.WithZone("") {
		o.rtt <- time.Since(o.sent)
	}
}

// end waits for pro-bing and gives the first ping's round-trip time, where it
// was answered.
func (o *opener) end() (rtt time.Duration, answered bool) {
	o.stop()
	<-o.done
	select {
	case rtt = <-o.rtt:
		return rtt, true
	default:
		return 0, false
	}
}

// leaveSpin is pro-bing's logger. After EACCES pro-bing takes the target for a
// broadcast address, says so, and tries again at once, for ever, past its
// timeout and its context. This is the only place where that loop can be left:
// its goroutine ends here, as if its run had.
type leaveSpin struct {
	probing.NoopLogger
}

func (leaveSpin) Infof(string, ...any) { runtime.Goexit() }
