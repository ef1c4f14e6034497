package ping

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"syscall"
	"time"

	probing "github.com/prometheus-community/pro-bing"

	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
)

// What a ping of pro-bing carries at least besides the IP header: 8 octets of
// ICMP, and a time stamp and a tracker of 24.
const icmpHeader = 8

func ipHeader(family uint8) int {
	if family == 6 {
		return 40
	}
	return 20
}

// pinger measures one pair once.
type pinger struct {
	test       inventory.Test
	pair       inventory.Pair
	iface      string
	privileged bool
	// progress, where it is set, is told after every ping and reply how many
	// pings were sent and answered; the first one, which is not counted, left out.
	progress func(sent, received int)
}

// outcome is what a pinger saw.
type outcome struct {
	ippm.Counts
	rtt   ippm.Delay
	first *time.Duration
}

// run pings. An error says why nothing, or not all, could be sent; what was
// measured comes with it.
func (p pinger) run(ctx context.Context) (outcome, error) {
	t := newTally(p.test.Count)
	from, to, err := p.resolve(ctx)
	if err == nil {
		err = checkRoute(from, to)
	}
	if err == nil {
		err = p.ping(ctx, from, to, t)
	}
	interrupted := ctx.Err() != nil
	out := t.outcome(t.now(), interrupted)
	if out.Refused > 0 && err == nil {
		err = fmt.Errorf("%s to %s: %d of %d pings were not sent: %w", p.pair.Target, to, out.Refused, p.test.Count, t.sendError())
	}
	if interrupted {
		err = nil // being told to stop is no trouble of the network's
	}
	return out, err
}

func (p pinger) resolve(ctx context.Context) (from, to *net.IPAddr, err error) {
	if from, err = lookup(ctx, p.pair.From, p.pair.Family); err != nil {
		return nil, nil, fmt.Errorf("the own address: %w", err)
	}
	if to, err = lookup(ctx, p.pair.To, p.pair.Family); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", p.pair.Target, err)
	}
	return from, to, nil
}

// lookup turns an address or host name into an address. No host at all is the
// choice of the kernel: nil.
func lookup(ctx context.Context, host string, family uint8) (*net.IPAddr, error) {
	if host == "" {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, inventory.LossThreshold)
	defer cancel()
	ips, err := net.DefaultResolver.LookupIP(ctx, fmt.Sprintf("ip%d", family), host)
	if err != nil {
		return nil, fmt.Errorf("%q has no IPv%d address: %w", host, family, err)
	}
	return &net.IPAddr{IP: ips[0]}, nil
}

// checkRoute asks the kernel, without sending anything, whether it would send
// from here to there. pro-bing must not be started where it would not: on a
// prohibited route it retries for ever.
func checkRoute(from, to *net.IPAddr) error {
	var local *net.UDPAddr
	if from != nil {
		local = &net.UDPAddr{IP: from.IP}
	}
	conn, err := net.DialUDP("udp", local, &net.UDPAddr{IP: to.IP, Port: 9})
	switch {
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("the own address %s is not configured on this host: add it to an interface, or correct the inventory", from)
	case err != nil:
		return fmt.Errorf("no route to %s: %w", to, errors.Unwrap(err))
	}
	return conn.Close()
}

func (p pinger) ping(ctx context.Context, from, to *net.IPAddr, t *tally) error {
	pro := probing.New("")
	pro.SetIPAddr(to)
	pro.SetPrivileged(p.privileged)
	pro.SetLogger(leaveSpin{tally: t})
	if from != nil {
		pro.Source = from.String()
	}
	pro.InterfaceName = p.iface
	pro.Size = p.test.Size - ipHeader(p.pair.Family) - icmpHeader
	pro.SetTrafficClass(p.test.DSCP << 2)
	pro.TTL = 255 // on a layer-2 fabric it stays
	pro.Count = p.test.Count + 1
	pro.Interval = p.test.Spacing
	pro.Timeout = time.Duration(p.test.Count)*p.test.Spacing + p.test.Timeout
	pro.RecordRtts, pro.RecordTTLs = false, false
	pro.OnSend = func(pkt *probing.Packet) { t.onSend(pkt.Seq, t.now()); p.tell(t) }
	pro.OnSendError = func(_ *probing.Packet, err error) { t.onRefused(err) }
	pro.OnRecv = func(pkt *probing.Packet) { t.onReply(pkt.Seq, pkt.Rtt, t.now()); p.tell(t) }
	pro.OnDuplicateRecv = func(pkt *probing.Packet) { t.onDuplicate(pkt.Seq) }
	if err := pro.RunWithContext(ctx); err != nil {
		return fmt.Errorf("ping %s (%s): %w", p.pair.Target, to, err)
	}
	return nil
}

func (p pinger) tell(t *tally) {
	if p.progress != nil {
		p.progress(t.sent-1, t.received)
	}
}

// leaveSpin is pro-bing's logger. After EACCES pro-bing takes the target for a
// broadcast address, says so, and tries again at once, for ever, past its
// timeout and its context. This is the only place where that loop can be left:
// its goroutine ends here, as if its run had.
type leaveSpin struct {
	probing.NoopLogger
	tally *tally
}

func (l leaveSpin) Infof(string, ...any) {
	l.tally.refusal = syscall.EACCES
	runtime.Goexit()
}
