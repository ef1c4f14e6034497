package timestamp_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ixpqos/infra/needs"
	"ixpqos/internal/measure/timestamp"
)

func TestWithoutStampsOfTheKernel(t *testing.T) {
	for _, family := range families {
		o := options(family.loopback).Unstamped()
		near, far := open(t, o), open(t, o)
		if near.Kernel() != (timestamp.Stamps{}) || near.Doubt() == "" {
			t.Errorf("%s: kernel stamps %+v, doubt %q", family.name, near.Kernel(), near.Doubt())
		}
		if near.Send([]timestamp.Outgoing{packet(1, far.Local())}) != 1 {
			t.Fatalf("%s: the packet was refused", family.name)
		}
		if in := receive(t, far, 1); in[0].Kernel || in[0].At == 0 || in[0].TTL != 255 {
			t.Errorf("%s: %+v", family.name, in[0])
		}
		if events := drainEvents(t, near); len(events) != 0 {
			t.Errorf("%s: events %v", family.name, events)
		}
	}
}

func TestStampsThatCannotBeTold(t *testing.T) {
	o := options("127.0.0.1").ByPayload()
	o.Identify = nil
	near, far := pair(t, o)
	if near.Kernel() != (timestamp.Stamps{Receive: true}) || !strings.Contains(near.Doubt(), "6.13") {
		t.Errorf("kernel stamps %+v, doubt %q", near.Kernel(), near.Doubt())
	}
	near.Send([]timestamp.Outgoing{packet(1, far.Local())})
	receive(t, far, 1)
	if events := drainEvents(t, near); len(events) != 0 {
		t.Errorf("events %v", events)
	}
}

func TestAKernelWithoutIDsIsToldFromOneWith(t *testing.T) {
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		known, unknown := timestamp.TakesIDs(family)
		if unknown {
			t.Errorf("family %d: a control message that there is not is taken", family)
		}
		o := options("127.0.0.1")
		o.Identify = nil
		if doubt := open(t, o).Doubt(); (doubt == "") != known {
			t.Errorf("family %d: doubt %q; the kernel takes IDs: %v", family, doubt, known)
		}
	}
}

// TestTheCollectorNeedNotWait: it stops every processor, also those kept.
func TestTheCollectorNeedNotWait(t *testing.T) {
	o := options("127.0.0.1")
	o.KeepProcessor = true
	s := open(t, o)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			if _, err := s.Await(time.Hour); err != nil {
				return
			}
		}
	}()
	for range 20 {
		runtime.GC()
	}
	s.Close()
	<-ended
}

func TestTheBufferIsReadBack(t *testing.T) {
	o := options("127.0.0.1")
	o.Buffer = 100_000
	if had := open(t, o).BufferSize(); had != o.Buffer {
		t.Errorf("%d octets were had; want %d", had, o.Buffer)
	}
}

func TestABufferBeyondTheSystemsLimit(t *testing.T) {
	needs.Root(t)
	o := options("127.0.0.1")
	o.Buffer = 16 << 20 // net.core.rmem_max is seldom as much
	if had := open(t, o).BufferSize(); had != o.Buffer {
		t.Errorf("%d octets were had; want %d, by force", had, o.Buffer)
	}
}

func TestCloseEndsAwait(t *testing.T) {
	for _, family := range families {
		for _, keep := range []bool{false, true} {
			o := options(family.loopback)
			o.KeepProcessor = keep
			s := open(t, o)
			ended := make(chan error)
			go func() {
				for {
					if _, err := s.Await(time.Hour); err != nil {
						ended <- err
						return
					}
				}
			}()
			runtime.Gosched()
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			select {
			case err := <-ended:
				if !errors.Is(err, net.ErrClosed) {
					t.Errorf("%s: Await ended with %v", family.name, err)
				}
			case <-time.After(bound):
				t.Fatalf("%s: Await does not end", family.name)
			}
			closedForAll(t, s)
		}
	}
}

func closedForAll(t *testing.T, s *timestamp.Socket) {
	t.Helper()
	packets := []timestamp.Outgoing{packet(1, s.Local())}
	_, received := s.Receive()
	_, events := s.Events()
	if s.Send(packets) != 0 {
		t.Error("a closed socket took a packet")
	}
	for what, err := range map[string]error{"Send": packets[0].Err, "Receive": received, "Events": events, "Close": s.Close()} {
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s on a closed socket: %v", what, err)
		}
	}
}

func TestAwaitEndsInTime(t *testing.T) {
	s := open(t, options("127.0.0.1"))
	for _, timeout := range []time.Duration{-1, 0, 1, time.Millisecond} {
		if in, err := s.Await(timeout); len(in) != 0 || err != nil {
			t.Errorf("Await(%v) gave %v, %v", timeout, in, err)
		}
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	taken := open(t, options("127.0.0.1")).Local()
	for name, c := range map[string]struct {
		change func(*timestamp.Options)
		says   string
	}{
		"taken port":      {func(o *timestamp.Options) { o.Local = taken }, fmt.Sprintf("port %d is taken", taken.Port())},
		"foreign address": {func(o *timestamp.Options) { o.Local = netip.MustParseAddrPort("192.0.2.1:0") }, "not configured here"},
		"no address":      {func(o *timestamp.Options) { o.Local = netip.AddrPort{} }, "no local address"},
		"no interface":    {func(o *timestamp.Options) { o.Interface = "nowhere0" }, `no interface "nowhere0"`},
		"DSCP":            {func(o *timestamp.Options) { o.DSCP = 64 }, "0 to 63"},
		"batch":           {func(o *timestamp.Options) { o.Batch = 0 }, "1 to 1024"},
		"packet":          {func(o *timestamp.Options) { o.MaxPacket = 0 }, "0 octets"},
	} {
		o := options("127.0.0.1")
		c.change(&o)
		_, err := timestamp.Open(o)
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v; want one line with %q", name, err, c.says)
		}
	}
}

// TestAPortThatIsNotPermitted takes the capability from its thread for a moment.
func TestAPortThatIsNotPermitted(t *testing.T) {
	h := newHosts(t)
	h.near.Enter(t, func() error {
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var had [2]unix.CapUserData
		if err := unix.Capget(&header, &had[0]); err != nil {
			return err
		}
		less := had
		less[0].Effective &^= 1 << unix.CAP_NET_BIND_SERVICE
		if err := unix.Capset(&header, &less[0]); err != nil {
			return err
		}
		defer func() {
			if err := unix.Capset(&header, &had[0]); err != nil {
				t.Error(err)
			}
		}()
		o := options(near4)
		o.Local = netip.AddrPortFrom(o.Local.Addr(), 862)
		_, err := timestamp.Open(o)
		if !errors.Is(err, unix.EACCES) || !strings.Contains(err.Error(), "CAP_NET_BIND_SERVICE") {
			t.Errorf("%v; want that CAP_NET_BIND_SERVICE is missing", err)
		}
		return nil
	})
}

func TestTheClock(t *testing.T) {
	synchronized, bound, err := timestamp.Clock()
	if err != nil || bound <= 0 {
		t.Errorf("bound %v, error %v", bound, err)
	}
	if again, _ := timestamp.ClockError(); again != synchronized {
		t.Errorf("synchronized: %v, then %v", synchronized, again)
	}
}
