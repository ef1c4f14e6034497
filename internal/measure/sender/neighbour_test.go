package sender

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ixpqos/infra/lab"
	"ixpqos/infra/needs"
	"ixpqos/infra/simulation"
	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
	"ixpqos/internal/measure/reflector"
	"ixpqos/internal/measure/timestamp"
)

// dead are that many probes which are not there, in both families.
func dead(count int) (peers []inventory.Peer) {
	for i := range count {
		peers = append(peers, inventory.Peer{Name: fmt.Sprintf("dead%d", i), ReflectorPort: inventory.DefaultReflectorPort, Stateful: true,
			Addresses: []inventory.Address{{Family: 4, Host: fmt.Sprintf("198.18.0.%d", 100+i)}, {Family: 6, Host: fmt.Sprintf("2001:db8::1:%d", i)}}})
	}
	return peers
}

// resolvesNot has neighbours not answer, and a buffer that takes one packet to each
// of so many, three times.
func (v *virtual) resolvesNot(count int, unresolved func(netip.Addr) bool) {
	v.p1.Unresolved, v.p1.SendBuffer = unresolved, 3*count
}

// TestDeadNeighboursCostTheOthersNothing, and are lost in full.
func TestDeadNeighboursCostTheOthersNothing(t *testing.T) {
	t.Parallel()
	for _, stamps := range []bool{true, false} {
		v := simulatedWith(t, inventory.Part{})
		v.p1.Stamps.Transmit = stamps
		v.resolvesNot(98, func(a netip.Addr) bool { return a != v.far["p2"].addresses[0] })
		part := partOf([]inventory.Test{plan("flows")}, "p2")
		part.Peers = append(part.Peers, dead(98)...)
		v.apply(part)
		v.runInto(every + every/2)
		v.runOut()
		v.runOut()
		sum := v.sum("p2")
		expectNone(t, "the live one", sum.Counts)
		for _, name := range []string{"dead0", "dead97"} {
			results := v.results(name)
			last := results[len(results)-1]
			if last.Sent != 4*perFlow || last.Unplaced != last.Sent || last.Refused > 0 {
				t.Errorf("stamps %v: %s: %+v", stamps, name, last.Counts)
			}
			for _, f := range last.Flows {
				if f.LossyUnplaced != 1<<10-1 {
					t.Errorf("stamps %v: %s: port %d lost in seconds %b", stamps, name, f.Port, f.LossyUnplaced)
				}
			}
		}
	}
}

// TestANeighbourThatComesBack is sent to as before once it answers, and one that
// is lost on the way and is there is sent to all the time.
func TestANeighbourThatComesBack(t *testing.T) {
	t.Parallel()
	for _, stamps := range []bool{true, false} {
		v := simulated(t)
		v.p1.Stamps.Transmit = stamps
		v.runInto(every)
		gone := true
		v.resolvesNot(1000, func(a netip.Addr) bool { return gone && a == v.far["p2"].addresses[0] })
		v.runInto(every + 5*time.Second)
		gone = false
		v.runInto(0)
		for range 4 {
			v.runInto(0)
		}
		results := v.results("p2")
		if c := results[len(results)-1].Counts; c.Sent != 4*perFlow || c.Received != c.Sent {
			t.Errorf("stamps %v: once it is back: %+v", stamps, c)
		}
		// It was away for two intervals and a half. While nobody knows that yet,
		// and once it is back, less is sent for some seconds.
		var away ippm.Counts
		for _, r := range results {
			away = away.Plus(r.Counts)
		}
		if lost := away.Lost(); lost < 4*perFlow*2 || lost > 4*perFlow*11/4 || away.Refused > 0 {
			t.Errorf("stamps %v: %+v", stamps, away)
		}
		expectNone(t, "another", v.sum("p3").Counts)
	}
}

// TestASilentNeighbourThatAnswersARP is sent every packet: its loss is measured.
func TestASilentNeighbourThatAnswersARP(t *testing.T) {
	t.Parallel()
	v := simulated(t)
	v.p1.StampLoss = 0.05
	v.runInto(every)
	v.impair(forward, v.of("p2"), simulation.Impairment{Loss: 1})
	v.runInto(0)
	v.runInto(0)
	met := v.heal()[forward]
	if met < 2*4*perFlow*95/100 {
		t.Errorf("%d packets were sent to it in two intervals, of %d", met, 2*4*perFlow)
	}
}

// TestDeadNeighboursOfARealHost: 98 of them, and one that is there, with the
// send buffer that a host gives by default to who has no privilege.
func TestDeadNeighboursOfARealHost(t *testing.T) {
	needs.Time(t)
	t.Parallel()
	const wmemMax = 212_992
	l := lab.New(t)
	near, far := l.Host("near", "198.18.0.1/24", "2001:db8::1/64"), l.Host("far", "198.18.0.2/24", "2001:db8::2/64")
	reflects(t, far)
	w := newWorld(t, func(o timestamp.Options) (s Socket, err error) {
		o.Buffer = wmemMax
		near.Enter(t, func() error {
			s, err = timestamp.Open(o)
			return nil
		})
		return s, err
	})
	a := &actual{world: w, began: time.Now()}
	w.network = a
	test := plan("flows")
	test.Families, test.Every, test.Flows = []uint8{4, 6}, 5*time.Second, 2
	w.settings.Origin = a.began.Add(time.Second).UnixNano() - int64(test.Every)
	part := partOf([]inventory.Test{test}, "p2")
	part.Peers = append(part.Peers, dead(98)...)
	w.apply(part)
	w.runInto(test.Every)
	w.runOut()
	live := w.sum("p2").Counts
	if live.Refused > 0 || live.Sent == 0 {
		t.Errorf("the live one: %+v; troubles %v", live, w.troubles)
	}
	for _, r := range w.results("dead7") {
		if r.Refused > 0 || r.Sent == 0 || r.Lost() != r.Sent {
			t.Errorf("a dead one: %+v", r.Counts)
		}
	}
	if told := w.troubles["flows of test flows"]; strings.Contains(told, "send buffers") {
		t.Errorf("trouble %q", told)
	}
}

// reflects has a host of the lab reflect for p1 until the test ends.
func reflects(t *testing.T, host *lab.Host) {
	this := reflector.ThisHost("p2", func(subject, sentence string) {})
	this.Open = func(o timestamp.Options) (s reflector.Socket, err error) {
		host.Enter(t, func() error {
			s, err = timestamp.Open(o)
			return nil
		})
		return s, err
	}
	r := reflector.New(this)
	t.Cleanup(func() { r.Close() })
	r.SetAllowed(parsed(addressesOf("p1")))
	for _, problem := range r.Apply(reflector.Settings{Addresses: parsed(addressesOf("p2")), Port: inventory.DefaultReflectorPort}) {
		t.Error(problem)
	}
}

// TestBuffersThatAreTooSmallAreNamed, both.
func TestBuffersThatAreTooSmallAreNamed(t *testing.T) {
	t.Parallel()
	v := simulatedWith(t, inventory.Part{})
	open := v.settings.Open
	v.settings.Open = func(o timestamp.Options) (Socket, error) {
		s, err := open(o)
		return small{s}, err
	}
	v.apply(partOf([]inventory.Test{plan("flows")}, "p2", "p3"))
	told := v.troubles["flows of test flows"]
	for _, want := range []string{"the receive buffers have 1000 bytes where 2312 are needed: set net.core.rmem_max", "the send buffers have 2000 bytes where 2312 are needed: set net.core.wmem_max"} {
		if !strings.Contains(told, want) {
			t.Errorf("trouble %q; want %q", told, want)
		}
	}
}

// small is a socket with small buffers.
type small struct{ Socket }

func (small) BufferSize() int     { return 1000 }
func (small) SendBufferSize() int { return 2000 }

// TestCheckBuffers: a host gives enough for some targets, and none for millions.
func TestCheckBuffers(t *testing.T) {
	if err := CheckBuffers(plan("flows"), 1); err != nil {
		t.Error(err)
	}
	err := CheckBuffers(plan("flows"), 10_000_000)
	if err == nil || !strings.Contains(err.Error(), "set net.core.rmem_max=4194304 by sysctl") || !strings.Contains(err.Error(), "set net.core.wmem_max=4194304 by sysctl") {
		t.Errorf("error %v", err)
	}
}
