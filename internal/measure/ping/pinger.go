package ping

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
)

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
	names      *Names
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

// run pings. An error says what is wrong: why nothing, or not all, could be
// sent, or what the numbers do not tell; what was measured comes with it.
func (p pinger) run(ctx context.Context) (outcome, error) {
	t := newTally(p.test.Count)
	w, notes, err := p.way(ctx)
	if err == nil {
		err = checkRoute(ctx, w)
	}
	if err == nil {
		err = p.ping(ctx, w, t)
	}
	interrupted := ctx.Err() != nil
	out := t.outcome(t.now(), interrupted)
	if interrupted {
		return out, nil // being told to stop is no trouble of the network's
	}
	if err != nil {
		notes = append(notes, err.Error())
	} else {
		notes = append(notes, p.notes(w, t, out)...)
	}
	if len(notes) == 0 {
		return out, nil
	}
	return out, errors.New(strings.Join(notes, "; "))
}

// notes are what a person should know of pings that could leave.
func (p pinger) notes(w way, t *tally, out outcome) (notes []string) {
	to := fmt.Sprintf("%s (%s)", p.pair.Target, w.to)
	if out.Refused > 0 {
		notes = append(notes, fmt.Sprintf("%s: %d of %d pings were not sent: %v", to, out.Refused, p.test.Count, t.sendError()))
	}
	if t.foreign > 0 {
		notes = append(notes, fmt.Sprintf("%s: %d replies came from %s, which was not asked; they are not counted", to, t.foreign, t.stranger))
	}
	if t.untimed() {
		notes = append(notes, to+": the kernel gives pings no time of its own here, so that the load of this host is in their round-trip times: look at the network driver")
	}
	if rhythm := t.rhythm(); rhythm != "" {
		notes = append(notes, fmt.Sprintf("%s %s: that looks like a limit on its rate of echo replies, not like loss on the way; raise spacing, or measure it by kind stamp", to, rhythm))
	}
	return notes
}

// way finds out by which addresses pings go.
func (p pinger) way(ctx context.Context) (w way, notes []string, err error) {
	w = way{iface: p.iface, dscp: p.test.DSCP, size: p.test.Size, raw: p.privileged}
	var note string
	if w.from, note, err = p.names.Own(ctx, p.pair.From, p.pair.Family); err != nil {
		return w, nil, fmt.Errorf("the own address: %w", err)
	}
	if note != "" {
		notes = append(notes, note)
	}
	if w.to, note, err = p.names.Target(ctx, p.pair.To, p.pair.Family, w.from); err != nil {
		return w, notes, fmt.Errorf("%s: %w", p.pair.Target, err)
	}
	if note != "" {
		notes = append(notes, p.pair.Target+": "+note)
	}
	return w, notes, nil
}

// checkRoute asks the kernel, without sending anything, whether it would send
// by this way. pro-bing must not be started where it would not: on a prohibited
// route it retries for ever.
func checkRoute(ctx context.Context, w way) error {
	dialer := net.Dialer{Control: func(_, _ string, c syscall.RawConn) (err error) {
		return errors.Join(c.Control(func(fd uintptr) { err = bindDevice(int(fd), w.iface) }), err)
	}}
	if w.from.IsValid() {
		dialer.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(zoned(w.from, w.iface), 0))
	}
	conn, err := dialer.DialContext(ctx, "udp", netip.AddrPortFrom(zoned(w.to, w.iface), 9).String())
	switch {
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return fmt.Errorf("the own address %s is not configured on this host%s: add it to an interface, or correct the inventory", w.from, on(w.iface))
	case err != nil:
		return fmt.Errorf("no route to %s%s: %w", w.to, on(w.iface), errors.Unwrap(err))
	}
	return conn.Close()
}

func on(iface string) string {
	if iface == "" {
		return ""
	}
	return fmt.Sprintf(" by interface %q", iface)
}

// zoned gives a link-local address the interface that it is of.
func zoned(ip netip.Addr, iface string) netip.Addr {
	if iface != "" && ip.Is6() && ip.Zone() == "" && ip.IsLinkLocalUnicast() {
		return ip.WithZone(iface)
	}
	return ip
}

// ping sends and listens. pro-bing sends the first ping, except where a way
// leads through an interface of its own: it cannot bind to one.
func (p pinger) ping(ctx context.Context, w way, t *tally) error {
	c, err := open(w)
	if err != nil {
		return fmt.Errorf("ping %s (%s): %w", p.pair.Target, w.to, err)
	}
	defer c.close()
	e := echoes{conn: c, way: w, tally: t, count: p.test.Count, spacing: p.test.Spacing, changed: func() { p.tell(t) }}
	e.end = time.Now().Add(time.Duration(p.test.Count)*p.test.Spacing + p.test.Timeout)
	e.due = time.Now()
	if w.iface == "" && w.to.Zone() == "" {
		opener := openWay(ctx, w)
		defer func() { t.onFirst(opener.end()) }()
		e.next, e.due = 1, e.due.Add(p.test.Spacing)
	}
	e.run(ctx)
	return nil
}

func (p pinger) tell(t *tally) {
	if p.progress != nil {
		p.progress(t.gone(), t.received)
	}
}
