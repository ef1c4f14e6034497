package reflector

import (
	"math/rand/v2"
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"ixpqos/infra/lab"
	"ixpqos/internal/measure/stamp"
	"ixpqos/internal/measure/timestamp"
)

// The hosts of a spray: one reflects, two may ask it, and one may not, who has
// all of a network to send from.
const (
	reflectorHost = "198.18.0.1"
	goodHost      = "198.18.0.2"
	crowdHost     = "198.18.0.3"
	strangerHost  = "198.18.0.4"
	forgedSources = "198.19.0.0/16"
)

// spray is a reflector and those who send it junk.
type spray struct {
	*world
	reflects, good, crowd, stranger *lab.Host
	random                          *rand.Rand
	sent                            uint64
}

func newSpray(t *testing.T) *spray {
	t.Helper()
	l := lab.New(t)
	s := &spray{
		reflects: l.Host("reflector", reflectorHost+"/24"),
		good:     l.Host("good", goodHost+"/24"),
		crowd:    l.Host("crowd", crowdHost+"/24"),
		stranger: l.Host("stranger", strangerHost+"/24"),
		random:   rand.New(rand.NewPCG(1, 2)),
	}
	run(t, s.reflects, "ip route add "+forgedSources+" via "+strangerHost)
	run(t, s.stranger, "ip route add local "+forgedSources+" dev lo")
	s.reflects.NFT(t, `table inet watch {
		counter replies {}
		counter astray {}
		chain out {
			type filter hook output priority 0;
			udp sport 862 counter name replies
			udp sport 862 ip daddr { `+strangerHost+`, `+forgedSources+` } counter name astray
		}
	}`)
	h := ThisHost("self", newBoard().tell)
	h.Open = openOn(t, s.reflects)
	s.world = &world{Reflector: New(h), sender: netip.MustParseAddr(goodHost)}
	t.Cleanup(s.Close)
	s.SetAllowed([]netip.Addr{netip.MustParseAddr(goodHost), netip.MustParseAddr(crowdHost)})
	s.apply(t, Settings{Addresses: []netip.Addr{netip.MustParseAddr(reflectorHost)}, Port: 862}, netip.MustParseAddr(reflectorHost))
	return s
}

func run(t *testing.T, h *lab.Host, command string) {
	t.Helper()
	words := strings.Fields(command)
	if out, err := h.Command(t.Context(), words[0], words[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
}

func openOn(t *testing.T, h *lab.Host) func(timestamp.Options) (Socket, error) {
	return func(o timestamp.Options) (s Socket, err error) {
		h.Enter(t, func() error {
			s, err = timestamp.Open(o)
			return err
		})
		return s, err
	}
}

// from opens a socket of an address on a host.
func (s *spray) from(t *testing.T, h *lab.Host, address netip.Addr) *end {
	t.Helper()
	s.open = openOn(t, h)
	return s.end(t, address, 0)
}

// flood sends packets, no faster than they are taken.
func (s *spray) flood(t *testing.T, e *end, count int, make func(i int) []byte) {
	t.Helper()
	out := []timestamp.Outgoing{{To: s.port.local, TOS: -1}}
	for i := range count {
		out[0].Payload = make(i)
		s.sent += uint64(e.socket.Send(out))
		if i%500 == 499 || i == count-1 {
			s.awaitStats(t, func(x Stats) bool {
				return x.Received+x.NoRoom+x.NotAllowed+x.Malformed+x.Dropped >= s.sent
			})
		}
	}
}

func (s *spray) octets(int) []byte {
	octets := make([]byte, s.random.IntN(1473))
	for i := range octets {
		octets[i] = byte(s.random.Uint32())
	}
	return octets
}

// badTLV is a request whose TLVs are damaged.
func (s *spray) badTLV(i int) []byte {
	payload := packet(uint32(i), uint16(i%8))
	for range 1 + s.random.IntN(3) {
		payload[stamp.BaseSize+s.random.IntN(len(payload)-stamp.BaseSize)] = byte(s.random.Uint32())
	}
	return payload[:stamp.BaseSize+s.random.IntN(len(payload)-stamp.BaseSize)]
}

// forged sends from addresses that are not allowed.
func (s *spray) forged(t *testing.T) {
	t.Helper()
	for range 100 {
		address := netip.AddrFrom4([4]byte{198, 19, byte(s.random.Uint32()), byte(1 + s.random.IntN(250))})
		socket, err := openOn(t, s.stranger)(timestamp.Options{Local: netip.AddrPortFrom(address, 0), Batch: 1, MaxPacket: 1})
		if err != nil {
			t.Fatal(err)
		}
		s.flood(t, &end{s.world, socket}, 20, func(i int) []byte { return packet(uint32(i), 1) })
		if err := socket.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestJunk: random octets, bad TLVs, forged sources and 100,000 sessions, while a
// good session goes on.
func TestJunk(t *testing.T) {
	s := newSpray(t)
	good := s.from(t, s.good, netip.MustParseAddr(goodHost))
	asked := uint32(0)
	goes := func(while string) {
		t.Helper()
		r := good.ask(t, packet(asked, 1))
		if r.SenderSequence != asked || r.Sequence != asked {
			t.Errorf("%s the good session's packet %d got %+v", while, asked, r)
		}
		asked++
	}
	stranger := s.from(t, s.stranger, netip.MustParseAddr(strangerHost))
	crowd := s.from(t, s.crowd, netip.MustParseAddr(crowdHost))
	other := s.from(t, s.crowd, netip.MustParseAddr(crowdHost))
	goes("at first")
	s.sent = uint64(asked)
	before := heap()
	for range 20 {
		s.flood(t, stranger, 500, s.octets)
		goes("under a stranger's octets")
		s.flood(t, crowd, 500, s.octets)
		goes("under octets")
		s.flood(t, crowd, 500, s.badTLV)
		goes("under bad TLVs")
	}
	s.forged(t)
	goes("under forged sources")
	for i := range 100 {
		from := []*end{crowd, other}[i%2]
		s.flood(t, from, 1000, func(n int) []byte { return packet(0, uint16(i/2*1000+n)) })
		goes("under many sessions")
	}
	stats := s.Stats()
	if stats.Sessions > 1+maxSessionsOfSource || stats.NoRoom < 90_000 || stats.NotAllowed != 12_000 {
		t.Errorf("%+v", stats)
	}
	if grown := int64(heap()) - int64(before); grown > 8<<20 {
		t.Errorf("the heap has grown by %d octets", grown)
	}
	if n := s.reflects.Counter(t, "inet watch", "astray"); n != 0 {
		t.Errorf("%d packets to who is not allowed", n)
	}
	if n := s.reflects.Counter(t, "inet watch", "replies"); n != stats.Answered {
		t.Errorf("%d replies left; %d were counted", n, stats.Answered)
	}
}

// heap is what is in use of it.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
