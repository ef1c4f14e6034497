package agent

import (
	"context"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
	"ixpqos/internal/measure/reflector"
	"ixpqos/internal/measure/sender"
	"ixpqos/internal/measure/timestamp"
)

const (
	// stampQueue is how many intervals may wait for the spool before measuring does.
	stampQueue = 64
	// listenAgain is how often ports are tried that could not be listened on.
	listenAgain = 30 * time.Second
)

// stampEngine runs the STAMP tests: it sends, it reflects, and it gives what
// both of them saw of an interval in one batch.
type stampEngine struct {
	name  string
	board *board
	log   *slog.Logger
	part  atomic.Pointer[inventory.Part]
	netif int // index of the interface that is listened on; 0 for any
}

// Run measures until the context ends; that is no error. At the end it gives what
// was heard until then, and answers until that.
func (e *stampEngine) Run(ctx context.Context, parts <-chan inventory.Part, emit func(context.Context, ippm.Batch) error) error {
	r := reflector.New(reflector.ThisHost(e.name, e.board.set))
	defer r.Close()
	s := sender.New(sender.Settings{Name: e.name, Open: openSender, Clock: timestamp.ClockError, Random: randomSSID, Patience: sender.Patience, Trouble: e.board.set, Missed: e.board.missedOne})
	own := make(chan inventory.Part)
	settled := make(chan sender.Interval, stampQueue)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(settled)
		return s.Run(ctx, own, func(i sender.Interval) { settled <- i })
	})
	group.Go(func() error {
		for i := range settled {
			e.giveAll(ctx, i, r.Heard(i.Test, i.Start), emit)
		}
		return nil
	})
	group.Go(func() error {
		e.follow(ctx, parts, own, r)
		return nil
	})
	err := group.Wait()
	r.Close()
	e.giveAll(ctx, sender.Interval{}, r.Rest(), emit)
	return err
}

// follow takes up parts: it reflects before others are told to measure to it.
func (e *stampEngine) follow(ctx context.Context, parts <-chan inventory.Part, own chan<- inventory.Part, r *reflector.Reflector) {
	again := time.NewTicker(listenAgain)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case part := <-parts:
			e.part.Store(&part)
			e.reflect(part, r)
			offer(ctx, own, part)
		case <-again.C:
			if part := e.part.Load(); part != nil {
				e.listen(*part, r)
			}
		}
	}
}

func (e *stampEngine) reflect(part inventory.Part, r *reflector.Reflector) {
	r.SetAllowed(addressesOf(part.Peers))
	r.SetReflecting(reflectorsOf(part.Peers))
	e.listen(part, r)
	r.Expect(expectations(part))
}

func addressesOf(peers []inventory.Peer) []netip.Addr {
	var all []netip.Addr
	for _, p := range peers {
		all = append(all, ips(p.Addresses)...)
	}
	return all
}

func reflectorsOf(peers []inventory.Peer) []netip.AddrPort {
	var all []netip.AddrPort
	for _, p := range peers {
		for _, ip := range ips(p.Addresses) {
			all = append(all, netip.AddrPortFrom(ip, p.ReflectorPort))
		}
	}
	return all
}

func ips(addresses []inventory.Address) []netip.Addr {
	var all []netip.Addr
	for _, a := range addresses {
		if ip, ok := a.IP(); ok {
			all = append(all, ip)
		}
	}
	return all
}

// listen opens the reflector's ports, where any test has it reflect.
func (e *stampEngine) listen(part inventory.Part, r *reflector.Reflector) {
	if index := indexOf(part.Interface); index != e.netif {
		r.Apply(reflector.Settings{}) // what listened there hears nothing any more
		e.netif = index
	}
	s := reflector.Settings{Port: part.ReflectorPort, Interface: part.Interface, Stateless: part.Stateless}
	if len(expectations(part)) > 0 {
		s.Addresses = ips(part.Addresses)
	}
	var sentences []string
	for _, problem := range r.Apply(s) {
		sentences = append(sentences, problem.Error())
	}
	e.board.set("reflector ports", strings.Join(sentences, "; "))
}

// indexOf tells an interface from one of the same name that was there before; 0
// where none is named, or there.
func indexOf(name string) int {
	if name == "" {
		return 0
	}
	i, err := net.InterfaceByName(name)
	if err != nil {
		return 0
	}
	return i.Index
}

// expectations are the flows that other probes send here.
func expectations(part inventory.Part) []reflector.Expectation {
	var all []reflector.Expectation
	for _, t := range part.Tests {
		if t.Kind != inventory.KindSTAMP {
			continue
		}
		for _, s := range part.Sources(t) {
			x := reflector.Expectation{Test: t.Name, DSCP: t.DSCP, Interval: t.Every, Source: s.Name, FirstPort: t.Port, Flows: t.Flows}
			var err, ownErr error
			x.Address, err = netip.ParseAddr(s.Address)
			x.Local, ownErr = netip.ParseAddr(s.Own)
			if err == nil && ownErr == nil {
				all = append(all, x)
			}
		}
	}
	return all
}

// giveAll hands on what was measured in one interval, with what was heard in it,
// and what was heard in others, each by itself: while a process stood still others
// sent to it, and it sent nothing.
func (e *stampEngine) giveAll(ctx context.Context, i sender.Interval, heard []ippm.Heard, emit emitter) {
	byStart := map[int64][]ippm.Heard{}
	for _, h := range heard {
		byStart[h.Start.UnixNano()] = append(byStart[h.Start.UnixNano()], h)
	}
	own := i.Start.UnixNano()
	for _, start := range slices.Sorted(maps.Keys(byStart)) {
		if start != own {
			e.give(ctx, sender.Interval{Test: i.Test, Start: time.Unix(0, start).UTC()}, byStart[start], emit)
		}
	}
	e.give(ctx, i, byStart[own], emit)
}

// give hands on what was measured and heard of one interval. It must reach the
// spool even when the probe is about to end.
func (e *stampEngine) give(ctx context.Context, i sender.Interval, heard []ippm.Heard, emit emitter) {
	part := e.part.Load()
	if part == nil || len(i.Results)+len(heard) == 0 {
		return
	}
	batch := ippm.Batch{Probe: part.Probe, Inventory: part.Inventory, Peers: part.PeerNames(), Start: i.Start, Results: i.Results, Heard: heard}
	if err := emit(context.WithoutCancel(ctx), batch); err != nil {
		e.log.Error("results could not be kept", "test", i.Test, "interval", i.Start, "error", err)
	}
}
