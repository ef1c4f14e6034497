package ping

import (
	"math"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"ixpqos/infra/needs"
)

// TestRTTIsTheKernels reads a reply some time after it came: what it waited for
// this process is in no round-trip time. A kernel begins to stamp what comes in
// a moment after it was asked to, so the first ones may not have it yet.
func TestRTTIsTheKernels(t *testing.T) {
	needs.ICMP(t)
	privileged, err := Privileged()
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"127.0.0.1", "::1"} {
		ip := netip.MustParseAddr(address)
		c, err := open(way{from: ip, to: ip, size: 100, raw: privileged})
		if err != nil {
			t.Fatal(err)
		}
		defer c.close()
		var rtt, waited float64
		for tries := 0; tries < 200 && (tries == 0 || rtt > waited); tries++ {
			rtt, waited = c.readLate(t, ip)
		}
		if rtt > waited {
			t.Errorf("%s: RTT %v us, but the reply was there after %v us", address, rtt, waited)
		}
	}
}

// readLate sends a ping and reads the reply some time after it came. Waited is
// how long it took to come, at most.
func (c *conn) readLate(t *testing.T, to netip.Addr) (rtt, waited float64) {
	t.Helper()
	books := newTally(1)
	e := echoes{conn: c, way: way{to: to}, tally: books, count: 1, left: make([]int64, 2), changed: func() {}, next: 1}
	e.send(books.opened)
	c.await(t)
	came := books.now()
	for books.now().since < came.since+ms {
	}
	if _, err := c.poll(e.take); err != nil {
		t.Fatal(err)
	}
	got := books.outcome(books.now(), false)
	if got.rtt.N != 1 {
		t.Fatalf("%+v; want one sample", got)
	}
	return got.rtt.Max, float64(came.since-books.pings[1].sent.since) / 1000
}

// await waits until a reply waits to be read.
func (c *conn) await(t *testing.T) {
	t.Helper()
	err := c.raw.Control(func(fd uintptr) {
		for {
			poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			if n, err := unix.Poll(poll, 30_000); err != nil || n == 0 {
				t.Errorf("no reply: %v", err)
				return
			}
			if poll[0].Revents&unix.POLLIN != 0 {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestChecksum(t *testing.T) {
	// The example of RFC 1071, section 3, and an odd number of octets.
	for want, b := range map[uint16][]byte{
		math.MaxUint16 - 0xddf2: {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7},
		math.MaxUint16 - 0x0200: {0x01, 0x00, 0x01},
	} {
		if got := checksum(b); got != want {
			t.Errorf("% x: %#x; want %#x", b, got, want)
		}
	}
}

// FuzzParse: what comes from the network breaks nothing, and only its own
// cookie makes a message this socket's.
func FuzzParse(f *testing.F) {
	c := conn{cookie: []byte("8octets!")}
	f.Add(append(make([]byte, 28), c.cookie...), false)
	f.Add([]byte("8octets!"), true)
	f.Fuzz(func(t *testing.T, packet []byte, left bool) {
		if a, ok := c.parse(packet, left); ok && (a.seq > math.MaxUint16 || len(packet) < echoHeader+cookieSize) {
			t.Errorf("% x gives %+v", packet, a)
		}
	})
}
