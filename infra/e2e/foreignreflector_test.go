package e2e

import (
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// foreignReflector is a Session-Reflector with ways of its own.
type foreignReflector struct {
	number func(*foreignReflector, session) uint32 // nil: per session, RFC 8762, 4.3.1
	drop   func(number int) bool                   // packets as if they had not arrived
	reply  func([]byte) []byte                     // what becomes of a reply

	address  string
	conn     *net.UDPConn
	arrived  int
	sessions map[session]uint32

	mu      sync.Mutex
	dropped []time.Time // by what the packets say
}

type session struct {
	from netip.AddrPort
	ssid [2]byte
}

func perSession(r *foreignReflector, s session) uint32 {
	r.sessions[s]++
	return r.sessions[s] - 1
}

func perPort(r *foreignReflector, _ session) uint32 { return perSession(r, session{}) }

func constant(*foreignReflector, session) uint32 { return 0 }

// reflector starts one, at an address of its own.
func (f *foreign) reflector(t *testing.T, r *foreignReflector) *foreignReflector {
	t.Helper()
	r.address = foreignAddress(10 + f.peers)
	f.peers++
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(r.address), Port: f.port})
	if err != nil {
		t.Fatal(err)
	}
	r.conn, r.sessions = conn, map[session]uint32{}
	if r.number == nil {
		r.number = perSession
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.work()
	}()
	t.Cleanup(func() {
		conn.Close()
		<-ended
	})
	return r
}

func (r *foreignReflector) work() {
	packet := make([]byte, 9000)
	for {
		n, from, err := r.conn.ReadFromUDPAddrPort(packet)
		if err != nil {
			return // closed
		}
		if n < 44 {
			continue
		}
		r.arrived++
		if r.drop != nil && r.drop(r.arrived) {
			r.mu.Lock()
			r.dropped = append(r.dropped, ntp(packet[4:]))
			r.mu.Unlock()
			continue
		}
		reply := r.reflected(packet[:n], session{from, [2]byte(packet[14:16])})
		_, _ = r.conn.WriteToUDPAddrPort(reply, from) // what does not go out is lost
	}
}

// reflected is the packet of RFC 8762, figure 5.
func (r *foreignReflector) reflected(request []byte, s session) []byte {
	reply := make([]byte, len(request))
	binary.BigEndian.PutUint32(reply, r.number(r, s))
	putNTP(reply[16:], time.Now())
	reply[13] = 1
	copy(reply[14:], s.ssid[:])
	putNTP(reply[4:], time.Now())
	copy(reply[24:], request[:14])
	reply[40] = 255
	copy(reply[44:], request[44:])
	if r.reply != nil {
		return r.reply(reply)
	}
	return reply
}

// droppedIn is how many of an interval's packets were dropped.
func (r *foreignReflector) droppedIn(start time.Time, length time.Duration) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, at := range r.dropped {
		if !at.Before(start) && at.Before(start.Add(length)) {
			n++
		}
	}
	return n
}

// ntpEpoch is 1900 in seconds of Unix time (RFC 5905, 6).
const ntpEpoch = -2_208_988_800

func putNTP(to []byte, at time.Time) {
	binary.BigEndian.PutUint32(to, uint32(at.Unix()-ntpEpoch))
	binary.BigEndian.PutUint32(to[4:], uint32(uint64(at.Nanosecond())<<32/1e9))
}

// ntp rounds to the nearest nanosecond.
func ntp(from []byte) time.Time {
	seconds, fraction := binary.BigEndian.Uint32(from), uint64(binary.BigEndian.Uint32(from[4:]))
	return time.Unix(int64(seconds)+ntpEpoch, int64((fraction*1e9+1<<31)>>32))
}
