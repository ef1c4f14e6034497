package sender

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"ixpqos/infra/simulation"
	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
	"ixpqos/internal/measure/stamp"
	"ixpqos/internal/measure/timestamp"
)

// foreign is a reflector of another make, at the address of p2.
type foreign struct {
	socket, back *simulation.Socket // what it hears on, and answers from
	host         *simulation.Host
	// number numbers the reply to a packet that came from a port.
	number func(from netip.AddrPort, q stamp.Request) uint32
	// make makes the reply another one; nil leaves it.
	make func(reply []byte) []byte
	// drop chooses packets that do not come there.
	drop    func(n int) bool
	n       int
	dropped map[uint16]int // by source port
}

func (f *foreign) drain() {
	for {
		in, _ := f.socket.Receive()
		if len(in) == 0 {
			return
		}
		for _, p := range in {
			f.answer(p)
		}
	}
}

func (f *foreign) answer(p timestamp.Incoming) {
	f.n++
	if f.drop != nil && f.drop(f.n) {
		f.dropped[p.From.Port()]++
		return
	}
	q, err := stamp.ParseRequest(p.Payload)
	if err != nil {
		return
	}
	reply := stamp.Reply{Sequence: f.number(p.From, q), Sent: stamp.TimestampOf(f.host.Now(), stamp.NTP), Error: q.Error, SSID: q.SSID,
		Received: stamp.TimestampOf(p.At, stamp.NTP), SenderSequence: q.Sequence, SenderSent: q.Sent, SenderError: q.Error, SenderTTL: p.TTL,
		Rest: slices.Concat(make([]byte, 3), p.Payload[stamp.BaseSize:])}
	octets := reply.Append(nil)
	if f.make != nil {
		octets = f.make(octets)
	}
	f.back.Send([]timestamp.Outgoing{{To: p.From, Payload: octets, TOS: -1}})
}

// perSession counts as RFC 8762 wants it.
func perSession() func(netip.AddrPort, stamp.Request) uint32 {
	next := map[netip.AddrPort]map[uint16]uint32{}
	return func(from netip.AddrPort, q stamp.Request) uint32 {
		if next[from] == nil {
			next[from] = map[uint16]uint32{}
		}
		next[from][q.SSID]++
		return next[from][q.SSID] - 1
	}
}

// withForeign is a world whose p2 is a target of another make. It answers from the
// address and port given.
func withForeign(t *testing.T, from netip.AddrPort) (*virtual, *foreign) {
	t.Helper()
	v := simulatedWith(t, inventory.Part{})
	v.far["p2"].down()
	host := v.far["p2"].host
	host.Queue = 0
	f := &foreign{host: host, number: perSession(), dropped: map[uint16]int{}}
	open := func(at netip.AddrPort) *simulation.Socket {
		s, err := host.Open(timestamp.Options{Local: at, Batch: batch, MaxPacket: inventory.MaxSize})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	f.socket = open(at4("p2", inventory.DefaultReflectorPort))
	if f.back = f.socket; from != f.socket.Local() {
		f.back = open(from)
	}
	v.light = f
	v.apply(targetPart())
	return v, f
}

// targetPart is a part whose p2 is a target.
func targetPart() inventory.Part {
	part := partOf([]inventory.Test{plan("flows")}, "p2")
	part.Peers[0].Stateful, part.Peers[0].Answers = false, []string{inventory.KindSTAMP}
	return part
}

func there() netip.AddrPort { return at4("p2", inventory.DefaultReflectorPort) }

// tenth drops every tenth packet, and the same flow's now and then.
func tenth() func(int) bool {
	random := rand.New(rand.NewPCG(9, 9))
	return func(int) bool { return random.IntN(10) == 0 }
}

func sumOf(m map[uint16]int) (n int) {
	for _, dropped := range m {
		n += dropped
	}
	return n
}

// TestDirectionIsClaimedOnlyWhereSessionsAreCounted: a reflector whose numbers are
// not those of the session's packets says nothing of a direction, and hides no loss.
func TestDirectionIsClaimedOnlyWhereSessionsAreCounted(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(11, 12))
	n := uint32(0)
	counted := func(of func(uint32) uint32) func(netip.AddrPort, stamp.Request) uint32 {
		own := perSession()
		return func(from netip.AddrPort, q stamp.Request) uint32 { return of(own(from, q)) }
	}
	for name, c := range map[string]struct {
		number func(netip.AddrPort, stamp.Request) uint32
		placed bool
	}{
		"per session":  {perSession(), true},
		"per port":     {func(netip.AddrPort, stamp.Request) uint32 { n++; return n - 1 }, false},
		"random":       {func(netip.AddrPort, stamp.Request) uint32 { return random.Uint32() }, false},
		"constant":     {func(netip.AddrPort, stamp.Request) uint32 { return 0 }, false},
		"falling":      {counted(func(n uint32) uint32 { return 1_000_000 - n }), false},
		"byte-swapped": {counted(func(n uint32) uint32 { return binary.BigEndian.Uint32(binary.LittleEndian.AppendUint32(nil, n)) }), false},
		"by two":       {counted(func(n uint32) uint32 { return 2 * n }), false},
	} {
		for _, spacing := range []time.Duration{250 * time.Millisecond, time.Second} {
			v, f := withForeign(t, there())
			part := targetPart()
			part.Tests[0].Spacing = spacing
			v.apply(part)
			f.number = c.number
			v.runInto(5 * every)
			f.drop = tenth()
			v.runInto(every)
			f.drop = nil
			v.runInto(0)
			said := v.told(every)
			v.runOut()
			sum := v.sum("p2").Counts
			want := ippm.Counts{Sent: sum.Sent, Received: sum.Sent - sumOf(f.dropped), Unplaced: sumOf(f.dropped)}
			if c.placed {
				want.Unplaced, want.Forward = 0, want.Unplaced
			}
			if sum != want || sumOf(f.dropped) == 0 {
				t.Errorf("%s each %v: %+v; %d were lost forward", name, spacing, sum, sumOf(f.dropped))
			}
			if strings.Contains(said, `"p2" does not count the packets of each session`) == c.placed {
				t.Errorf("%s each %v: trouble %q", name, spacing, said)
			}
		}
	}
}

// TestRepliesOfOtherSizes are taken: their first octets say all that is needed.
func TestRepliesOfOtherSizes(t *testing.T) {
	t.Parallel()
	for name, resize := range map[string]func([]byte) []byte{
		"38":       func(reply []byte) []byte { return reply[:38] },
		"41":       func(reply []byte) []byte { return reply[:41] },
		"44":       func(reply []byte) []byte { return reply[:44] },
		"100 more": func(reply []byte) []byte { return append(reply, make([]byte, 100)...) },
		"1500":     func(reply []byte) []byte { return append(reply, make([]byte, 1500)...) },
	} {
		v, f := withForeign(t, there())
		f.make = resize
		v.runInto(every + time.Second)
		v.lose(forward, 0.1)
		v.run(5 * time.Second)
		met := v.heal()[forward]
		v.runOut()
		sum := v.sum("p2")
		if sum.Forward != met || sum.Lost() != met || sum.RTT.N != sum.Received || sum.Detail.LowTTL > 0 || len(v.troubles) > 0 {
			t.Errorf("%s octets: %+v, %d round-trip times; lost were %d; troubles %v", name, sum.Counts, sum.RTT.N, met, v.troubles)
		}
	}
}

// TestAnswersThatDoNotFitAreTold, with what does not fit, and are loss, for they
// answer nothing.
func TestAnswersThatDoNotFitAreTold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		from netip.AddrPort
		make func([]byte) []byte
		want string
	}{
		"too short":    {there(), func(r []byte) []byte { return r[:37] }, `"p2" answers at 198.18.0.2:862, but not as STAMP or TWAMP-Light: a STAMP or TWAMP-Light reply must have 38 octets or more: this one has 37`},
		"echo of UDP":  {there(), func(r []byte) []byte { return []byte("what?") }, `"p2" answers at 198.18.0.2:862, but not as STAMP or TWAMP-Light`},
		"port":         {at4("p2", 5000), nil, `"p2" answers, but not with what was asked at 198.18.0.2:862: 160 replies from port 5000 and not 862`},
		"session":      {there(), func(r []byte) []byte { r[14] ^= 0x55; return r }, `replies of another session (SSID)`},
		"timestamp":    {there(), func(r []byte) []byte { r[30]++; return r }, `replies do not bear the number and time of a packet that was sent`},
		"number":       {there(), func(r []byte) []byte { r[24]++; return r }, `replies do not bear the number and time of a packet that was sent`},
		"light's port": {at4("p2", 5000), func(r []byte) []byte { r[14], r[15] = 0, 0; return r }, `replies from port 5000 and not 862`},
	} {
		v, f := withForeign(t, c.from)
		f.make = c.make
		v.runInto(every)
		said := v.told(every)
		if !strings.Contains(said, c.want) {
			t.Errorf("%s: trouble %q; want %q", name, said, c.want)
		}
		f.make = nil
		if c.from != there() {
			continue
		}
		v.runOut()
		v.runOut()
		if results := v.results("p2"); results[0].Lost() != results[0].Sent || len(v.troubles) > 0 {
			t.Errorf("%s: %+v; troubles %v when it is over", name, results[0].Counts, v.troubles)
		}
	}
}

// TestAnswersFromAnotherAddress: a router answers from its own idea of itself.
func TestAnswersFromAnotherAddress(t *testing.T) {
	t.Parallel()
	for name, ssid := range map[string]bool{"STAMP": true, "TWAMP-Light": false} {
		v, f := withForeign(t, there())
		other := v.sim.Host(netip.MustParseAddr("198.18.0.77"))
		s, err := other.Open(timestamp.Options{Local: netip.MustParseAddrPort("198.18.0.77:862"), Batch: batch, MaxPacket: inventory.MaxSize})
		if err != nil {
			t.Fatal(err)
		}
		f.back = s
		if !ssid {
			f.make = func(r []byte) []byte { r[14], r[15] = 0, 0; return r }
		}
		v.runInto(every)
		if said := v.told(every); !strings.Contains(said, `"p2" answers, but not with what was asked at 198.18.0.2:862: `) || !strings.Contains(said, "replies from 198.18.0.77") {
			t.Errorf("%s: trouble %q", name, said)
		}
	}
}

// TestAFewForgedRepliesAreNotTold of a target that answers.
func TestAFewForgedRepliesAreNotTold(t *testing.T) {
	t.Parallel()
	v, f := withForeign(t, there())
	f.make = func(r []byte) []byte {
		if f.n%40 == 0 {
			f.back.Send([]timestamp.Outgoing{{To: at4("p1", 50001), Payload: []byte("what?"), TOS: -1}})
		}
		return r
	}
	v.runInto(every)
	if said := v.told(2 * every); said != "" {
		t.Errorf("trouble %q", said)
	}
}

// TestWhatAReflectorDoesNotKnowIsNoFault: one that sends with 64 says nothing of
// routers, and one that leaves fields as they came nothing of DSCPs.
func TestWhatAReflectorDoesNotKnowIsNoFault(t *testing.T) {
	t.Parallel()
	v, f := withForeign(t, there())
	f.make = func(r []byte) []byte {
		r[40] = 0           // Ses-Sender TTL
		r[44] &^= 0x80      // it knows Class of Service
		r[48], r[49] = 0, 0 // but not where DSCP2 stands
		return r
	}
	v.impair(backward, share(1), simulation.Impairment{Hops: 191, Remark: func(uint8) uint8 { return 0 }})
	v.runInto(every)
	v.runOut()
	if d := v.sum("p2").Detail; d.LowTTL+d.RemarkedForward+d.RemarkedBackward > 0 {
		t.Errorf("%+v", d)
	}
}

// TestTimesOfSoftwareOfAnotherMakeAreNotTheKernels, but are used.
func TestTimesOfSoftwareOfAnotherMakeAreNotTheKernels(t *testing.T) {
	t.Parallel()
	for _, by := range []stamp.Method{stamp.SoftwareLocal, stamp.HardwareAssisted} {
		v, f := withForeign(t, there())
		f.make = func(r []byte) []byte {
			tlvs := r[stamp.BaseSize:]
			tlvs[8+20] &^= 0x80 // Timestamp Information
			tlvs[8+20+5] = byte(by)
			return r
		}
		v.runInto(every)
		v.runOut()
		r := v.sum("p2")
		if want := map[bool]int{true: r.RTT.N}[by == stamp.HardwareAssisted]; r.Detail.KernelT2 != want || r.RTT.N != r.Received {
			t.Errorf("by %d: %d of the kernel, %d in all", by, r.Detail.KernelT2, r.RTT.N)
		}
	}
}

// TestOddTimesAreTold: why replies have no round-trip time.
func TestOddTimesAreTold(t *testing.T) {
	t.Parallel()
	for name, odd := range map[string]func(reply []byte){
		"T3 before T2":       func(r []byte) { r[16+3]++ },
		"longer than it was": func(r []byte) { r[4+3]++ },
	} {
		v, f := withForeign(t, there())
		f.make = func(r []byte) []byte { odd(r); return r }
		v.runInto(every)
		said := v.told(every)
		v.runOut()
		if sum := v.sum("p2"); !strings.Contains(said, `replies of "p2" have no round-trip time`) || sum.RTT.N > 0 || sum.Received != sum.Sent {
			t.Errorf("%s: %d round-trip times of %+v; trouble %q", name, sum.RTT.N, sum.Counts, said)
		}
	}
}

// TestFewMisfitsAreLookedInto in a tick, whatever is sent here.
func TestFewMisfitsAreLookedInto(t *testing.T) {
	t.Parallel()
	v, _ := withForeign(t, there())
	v.runInto(time.Second)
	test := v.tests[0]
	p := test.pairs[0]
	before := p.told
	for n := 1; n <= 2; n++ {
		for range 1000 {
			test.lanes[0].misfit(test, nil, &stamp.Reply{SSID: 999}, there())
			test.unreadable(there(), nil)
		}
		if looked := p.misfits[otherSSID] + p.unread - before.misfits[otherSSID] - before.unread; looked != 64*n {
			t.Errorf("%d were looked into in %d ticks", looked, n)
		}
		test.drain(v.moment())
	}
}
