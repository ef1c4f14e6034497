package sender

import (
	"math/bits"
	"strings"
	"testing"
	"time"

	"ixpqos/infra/simulation"
	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
	"ixpqos/internal/measure/stamp"
	"ixpqos/internal/measure/timestamp"
)

// port matches the packets of one flow.
func port(number uint16) func(simulation.Packet) bool {
	return func(p simulation.Packet) bool { return p.From.Port() == number || p.To.Port() == number }
}

// of matches the packets between p1 and another.
func (v *virtual) of(name string) func(simulation.Packet) bool {
	return func(p simulation.Packet) bool {
		a := v.far[name].addresses[0]
		return p.From.Addr() == a || p.To.Addr() == a
	}
}

// flowOf is one flow of a result.
func flowOf(t *testing.T, r ippm.Result, port uint16) ippm.Flow {
	t.Helper()
	for _, f := range r.Flows {
		if f.Port == port {
			return f
		}
	}
	t.Fatalf("no flow %d in %+v", port, r.Flows)
	return ippm.Flow{}
}

// TestLossIsOfItsFlowAndSecond loses each way on its own flow.
func TestLossIsOfItsFlowAndSecond(t *testing.T) {
	t.Parallel()
	v := simulated(t)
	v.runInto(every + 4*time.Second + 10*time.Millisecond)
	v.impair(forward, port(50001), simulation.Impairment{Loss: 1})
	v.impair(backward, port(50003), simulation.Impairment{Loss: 1})
	v.run(980 * time.Millisecond)
	v.heal()
	v.runOut()
	r := v.results("p2")[1]
	for p := uint16(50000); p < 50004; p++ {
		f := flowOf(t, r, p)
		want := ippm.Counts{Sent: f.Sent, Received: f.Sent}
		var lossy ippm.Flow
		switch p {
		case 50001:
			want.Received, want.Forward, lossy.LossyForward = f.Sent-4, 4, 1<<4
		case 50003:
			want.Received, want.Backward, lossy.LossyBackward = f.Sent-4, 4, 1<<4
		}
		if f.Counts != want || f.LossyForward != lossy.LossyForward || f.LossyBackward != lossy.LossyBackward || f.LossyUnplaced != 0 {
			t.Errorf("flow %d: %+v", p, f)
		}
	}
}

// TestSilenceIsPlacedByWhatWasHeard: of a flow that is silent for good only the
// other end knows.
func TestSilenceIsPlacedByWhatWasHeard(t *testing.T) {
	t.Parallel()
	for _, direction := range []bool{forward, backward} {
		v := simulated(t)
		v.runInto(every)
		v.impair(direction, port(50002), simulation.Impairment{Loss: 1})
		v.runInto(every)
		v.runOut()
		i := v.intervals[len(v.intervals)-2]
		r := v.results("p2")[len(v.intervals)-2]
		f := flowOf(t, r, 50002)
		if f.Unplaced != f.Sent || f.Sent == 0 || bits.OnesCount64(f.LossyUnplaced) != 10 || r.Lost() != f.Sent {
			t.Errorf("before: %+v", f)
		}
		heard := v.heard("p2", i)
		if len(heard) != 1 {
			t.Fatalf("heard %+v", heard)
		}
		joined := flowOf(t, ippm.Join(r, heard[0]), 50002)
		placed := map[bool]int{forward: joined.Forward, backward: joined.Backward}
		if placed[direction] != f.Sent || joined.Unplaced+placed[!direction] != 0 {
			t.Errorf("forward %v: %+v", direction, joined)
		}
	}
}

func TestASilentTarget(t *testing.T) {
	t.Parallel()
	v := simulated(t)
	v.runInto(every)
	v.impair(forward, v.of("p2"), simulation.Impairment{Loss: 1})
	v.runInto(every)
	v.runOut()
	r := v.results("p2")[1]
	if r.Unplaced != r.Sent || r.RTT.N > 0 || r.Sent == 0 || len(r.Flows) != 4 {
		t.Errorf("%+v", r.Counts)
	}
	expectNone(t, "another", v.sum("p3").Counts)
	v.heal()
	v.runOut()
	v.runOut()
	all := v.results("p2")
	if last := all[len(all)-1]; last.Lost() > 0 {
		t.Errorf("once it is over: %+v", last.Counts)
	}
	first := 0
	for _, r := range all {
		if r.First != nil {
			first++
		}
	}
	if first != 1 {
		t.Errorf("%d times a first packet after a silence", first)
	}
}

// TestAReflectorThatIsAway says so, by ICMP: nothing was lost. It is told of only
// where it is away for longer than a probe that is started anew.
func TestAReflectorThatIsAway(t *testing.T) {
	t.Parallel()
	for d, worthTelling := range map[time.Duration]bool{time.Second: false, 9 * time.Second: false, 12 * time.Second: true, 20 * time.Second: true} {
		v := simulated(t)
		v.runInto(every + 2*time.Second)
		v.impair(forward, v.of("p2"), simulation.Impairment{})
		v.far["p2"].down()
		v.run(d)
		v.far["p2"].up()
		met := v.heal()[forward]
		told := v.told(every + 5*time.Second)
		if strings.Contains(told, `"p2" says that nothing reflects at 198.18.0.2:862`) != worthTelling {
			t.Errorf("%v: trouble %q", d, told)
		}
		v.runOut()
		v.runOut()
		sum := v.sum("p2")
		if sum.Unserved < met-2 || sum.Unserved > met+2 {
			t.Errorf("%v: %+v; %d packets were sent there", d, sum.Counts, met)
		}
		sum.Unserved = 0
		expectNone(t, d.String(), sum.Counts)
		expectNone(t, "another", v.sum("p3").Counts)
		if len(v.troubles) > 0 {
			t.Errorf("%v: troubles %v when it is over", d, v.troubles)
		}
	}
}

// told is all trouble that there is at the end of any second.
func (v *virtual) told(d time.Duration) (all string) {
	for range d / time.Second {
		v.run(time.Second)
		all += v.troubles["flows of test flows"]
	}
	return all
}

// toldOfStarts is all trouble while the reflector of p2 starts three times, each
// time away for a while before and there for a while after.
func toldOfStarts(t *testing.T, away, there time.Duration) (all string) {
	v := simulated(t)
	v.runInto(every)
	for range 3 {
		v.far["p2"].down()
		all += v.told(away)
		v.far["p2"].up()
		all += v.told(there)
	}
	return all
}

// TestAReflectorThatStartsAgainAndAgain answers, but seldom.
func TestAReflectorThatStartsAgainAndAgain(t *testing.T) {
	t.Parallel()
	told := toldOfStarts(t, 8*time.Second, time.Second)
	if !strings.Contains(told, `"p2" says that nothing reflects`) {
		t.Errorf("trouble %q", told)
	}
}

// TestStartsThatAreFarApart are no trouble, whatever was said an hour before.
func TestStartsThatAreFarApart(t *testing.T) {
	t.Parallel()
	if told := toldOfStarts(t, 3*time.Second, 3*every); told != "" {
		t.Errorf("trouble %q", told)
	}
}

// TestAStatelessReflector: its numbers say nothing, what it heard does.
func TestAStatelessReflector(t *testing.T) {
	t.Parallel()
	v := simulatedWith(t, inventory.Part{})
	v.far["p2"].down()
	v.far["p2"].stateless = true
	v.far["p2"].up()
	part := partOf([]inventory.Test{plan("flows")}, "p2", "p3")
	part.Peers[0].Stateful = false
	v.apply(part)
	v.runInto(every + time.Second)
	of, chance := v.of("p2"), share(0.2)
	for _, direction := range []bool{forward, backward} {
		v.impair(direction, func(p simulation.Packet) bool { return of(p) && chance(p) }, simulation.Impairment{Loss: 1})
	}
	v.run(7 * time.Second)
	met := v.heal()
	v.runOut()
	r := v.results("p2")[1]
	if r.Unplaced == 0 || r.Unplaced != r.Lost() {
		t.Errorf("%+v", r.Counts)
	}
	joined := ippm.Join(r, v.heard("p2", v.intervals[1])[0])
	if joined.Unplaced > 0 || joined.Forward != met[forward] || joined.Backward != met[backward] {
		t.Errorf("%+v; lost were %v", joined.Counts, met)
	}
}

// light is a TWAMP-Light reflector that knows neither SSID nor TLVs.
type light struct {
	socket   *simulation.Socket
	host     *simulation.Host
	sequence map[uint16]uint32
}

func (l *light) drain() {
	in, _ := l.socket.Receive()
	for _, p := range in {
		q, err := stamp.ParseRequest(p.Payload)
		if err != nil {
			continue
		}
		reply := stamp.Reply{
			Sequence: l.sequence[p.From.Port()], Sent: stamp.TimestampOf(l.host.Now(), stamp.NTP), Error: q.Error,
			Received: stamp.TimestampOf(p.At, stamp.NTP), SenderSequence: q.Sequence, SenderSent: q.Sent, SenderError: q.Error, SenderTTL: p.TTL,
		}
		l.sequence[p.From.Port()]++
		l.socket.Send([]timestamp.Outgoing{{To: p.From, Payload: reply.Append(nil), TOS: -1}})
	}
}

func TestATWAMPLightReflector(t *testing.T) {
	t.Parallel()
	v := simulated(t)
	v.far["p2"].down()
	host := v.far["p2"].host
	host.Queue = 0
	socket, err := host.Open(timestamp.Options{Local: at4("p2", inventory.DefaultReflectorPort), Batch: 1000, MaxPacket: inventory.MaxSize})
	if err != nil {
		t.Fatal(err)
	}
	v.light = &light{socket: socket, host: host, sequence: map[uint16]uint32{}}
	v.runInto(every + time.Second)
	v.lose(forward, 0.1)
	v.lose(backward, 0.1)
	v.run(3 * time.Second)
	v.heal()
	v.runOut()
	for _, r := range v.results("p2")[1:] {
		if r.Forward == 0 || r.Backward == 0 || r.Unplaced > 0 || r.RTT.N != r.Received || r.RTT.Min != 2000 || r.RTT.Max != 2000 {
			t.Errorf("%+v, %+v", r.Counts, r.RTT.Moments)
		}
		if d := r.Detail; d.KernelT1 != r.RTT.N || d.KernelT2+d.KernelT3 != 0 || d.KernelT4 != r.RTT.N || d.RemarkedForward+d.RemarkedBackward != 0 {
			t.Errorf("%+v", d)
		}
	}
}

// TestTwoReflectorsAtOneAddress are told apart by their ports.
func TestTwoReflectorsAtOneAddress(t *testing.T) {
	t.Parallel()
	v := simulatedWith(t, inventory.Part{})
	part := partOf([]inventory.Test{plan("flows")}, "p2", "p3")
	part.Peers[1].Addresses = addressesOf("p2")
	part.Peers[1].ReflectorPort = 863
	v.apply(part)
	v.runInto(every)
	v.runOut()
	expectNone(t, "the one that is there", v.sum("p2").Counts)
	if c := v.sum("p3").Counts; c.Unserved == 0 || c.Sent > 0 {
		t.Errorf("the one that is not: %+v", c)
	}
}
