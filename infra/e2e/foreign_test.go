package e2e

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ixpqos/infra/needs"
	"ixpqos/internal/wire"
)

// TestForeign lets a whole probe meet peers that are none of ours, on loopback:
// senders of its reflector, and reflectors that count, answer and pad in other
// ways than ours does.
func TestForeign(t *testing.T) {
	needs.Time(t)
	t.Parallel()
	f := newForeign(t)
	tenth := func(number int) bool { return number%10 == 7 }
	peers := map[string]*foreignReflector{
		"good":             f.reflector(t, &foreignReflector{drop: tenth}),
		"counts-per-port":  f.reflector(t, &foreignReflector{drop: tenth, number: perPort}),
		"constant-number":  f.reflector(t, &foreignReflector{drop: tenth, number: constant}),
		"reply-38":         f.reflector(t, &foreignReflector{reply: func(r []byte) []byte { return r[:38] }}),
		"reply-plus-100":   f.reflector(t, &foreignReflector{reply: func(r []byte) []byte { return append(r, make([]byte, 100)...) }}),
		"reply-20":         f.reflector(t, &foreignReflector{reply: func(r []byte) []byte { return r[:20] }}),
		"no-stamp-is-sent": f.reflector(t, &foreignReflector{reply: func(r []byte) []byte { clear(r[24:38]); return r }}),
	}
	probe, lines := f.run(t, peers)
	first := firstResults(t, lines, peers)
	go func() {
		for lines.Scan() { // until the test closes it: the probe must not wait for its reader
		}
	}()
	for name, check := range map[string]func(*testing.T, wire.Result, int){
		"good":            placedForward,
		"counts-per-port": notPlaced,
		"constant-number": allCounted,
		"reply-38":        noneLost,
		"reply-plus-100":  noneLost,
	} {
		t.Run(name, func(t *testing.T) {
			r := first[name]
			check(t, r, peers[name].droppedIn(r.Start, 5*time.Second))
			if t.Failed() {
				t.Log(show(r))
			}
		})
	}
	t.Run("senders", func(t *testing.T) { f.asksTheReflector(t, probe) })
	for _, name := range []string{"reply-20", "no-stamp-is-sent"} {
		t.Run(name, func(t *testing.T) {
			await(t, "the probe says what is wrong", func() error { return saysOfOne(probe.logged(), name, "answers, but not") })
		})
	}
}

// TestForeignNumbersAreTold: that a reflector counts per port, and not per session,
// is said, in a test of its own since a sentence tells of a few peers only.
func TestForeignNumbersAreTold(t *testing.T) {
	needs.Time(t)
	f := newForeign(t)
	probe, lines := f.run(t, map[string]*foreignReflector{"counts-per-port": f.reflector(t, &foreignReflector{number: perPort, drop: func(number int) bool { return number%10 == 7 }})})
	go func() {
		for lines.Scan() { // the probe must not wait for its reader
		}
	}()
	await(t, "the probe says it", func() error { return saysOfOne(probe.logged(), "counts-per-port", "direction") })
}

// saysOfOne looks for a line with the name of a peer and some words.
func saysOfOne(log, name, words string) error {
	for line := range strings.Lines(log) {
		if strings.Contains(line, name) && strings.Contains(line, words) {
			return nil
		}
	}
	return fmt.Errorf("no line has %q and %q: %s", name, words, tail(log))
}

func placedForward(t *testing.T, r wire.Result, dropped int) {
	if dropped == 0 || r.Forward != dropped || r.Lost != dropped {
		t.Errorf("%d were dropped on their way forward, %d are lost forward and %d in all", dropped, r.Forward, r.Lost)
	}
}

// notPlaced: numbers that other flows drive on say nothing of where one's
// packets were lost (RFC 8762, 4.3.1: a session's).
func notPlaced(t *testing.T, r wire.Result, dropped int) {
	if r.Lost != dropped || r.Unplaced != dropped {
		t.Errorf("%d were dropped, %d are lost and %d of them unplaced", dropped, r.Lost, r.Unplaced)
	}
}

func allCounted(t *testing.T, r wire.Result, dropped int) {
	if r.Lost != dropped || r.Unserved > 0 {
		t.Errorf("%d were dropped, %d are lost and %d unserved", dropped, r.Lost, r.Unserved)
	}
}

func noneLost(t *testing.T, r wire.Result, _ int) {
	if r.Sent == 0 || r.Lost > 0 || r.Unserved > 0 {
		t.Errorf("all were answered; sent %d, lost %d, unserved %d", r.Sent, r.Lost, r.Unserved)
	}
}

// firstResults are the first of each peer that says of packets.
func firstResults(t *testing.T, lines *bufio.Scanner, peers map[string]*foreignReflector) map[string]wire.Result {
	t.Helper()
	first := map[string]wire.Result{}
	for len(first) < len(peers) && lines.Scan() {
		var r wire.Result
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatalf("not a result: %v: %s", err, lines.Text())
		}
		if _, seen := first[r.Target]; !seen && peers[r.Target] != nil && r.Sent+r.Unserved > 0 {
			first[r.Target] = r
		}
	}
	if len(first) < len(peers) {
		t.Fatalf("results of %d peers of %d: %v", len(first), len(peers), lines.Err())
	}
	return first
}

// foreign is what a probe's inventory is made of.
type foreign struct {
	port  int // of all reflectors
	peers int
}

func newForeign(t *testing.T) *foreign { return &foreign{port: freeRow(t, 16)} }

// foreignAddress is one of loopback's that nobody else has: of the probe for 1,
// of a sender for 3, of reflectors from 10 on.
func foreignAddress(n int) string { return fmt.Sprintf("127.0.77.%d", n) }

// run starts the probe by itself. Its flows have the ports behind the reflectors'.
func (f *foreign) run(t *testing.T, peers map[string]*foreignReflector) (*process, *bufio.Scanner) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "exchange: Test-IX\nprobes:\n  - {name: p1, addresses: [%s], reflector_port: %d}\n  - {name: p2, addresses: [%s], reflector_port: %d}\ntargets:\n",
		foreignAddress(1), f.port, foreignAddress(2), f.port)
	for name, r := range peers {
		fmt.Fprintf(&b, "  - {name: %s, addresses: [%s], answers: [stamp], reflector_port: %d}\n", name, r.address, f.port)
	}
	fmt.Fprintf(&b, "  - {name: dev, addresses: [%s]}\ntests:\n  - {name: t, kind: stamp, flows: 4, spacing: 100ms, interval: 5s, families: [4], port: %d}\n",
		foreignAddress(3), f.port+1)
	inventory := filepath.Join(t.TempDir(), "inventory.yaml")
	write(t, inventory, b.String())

	cmd := exec.CommandContext(context.Background(), program(t, "ixpqos-probe"), "run", "--name", "p1", "--inventory", inventory)
	read, written, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { read.Close() })
	cmd.Stdout = written
	p := start(t, "p1", cmd)
	written.Close()
	if err := read.SetReadDeadline(time.Now().Add(bound)); err != nil {
		t.Fatal(err)
	}
	return p, bufio.NewScanner(read)
}

// asksTheReflector is what senders get that number their packets as they like.
func (f *foreign) asksTheReflector(t *testing.T, probe *process) {
	anew := f.sender(t, 0)
	await(t, "the probe reflects", func() error { _, err := f.ask(f.sender(t, 0), request(0, 7, 44)); return err })
	// RFC 8762, 4.2.1 and 4.3.1: without an SSID a number that falls to 0 is a
	// new session, whose replies count from 0.
	for i, number := range []uint32{0, 1, 2, 0, 1, 2} {
		reply, err := f.ask(anew, request(number, 0, 44))
		if err != nil {
			t.Fatal(err)
		}
		if got := binary.BigEndian.Uint32(reply); got != number {
			t.Errorf("packet %d of a sender without SSID has number %d, its reply %d", i, number, got)
		}
	}
	// RFC 8972, 3: the SSID is echoed, whatever flags a TLV has.
	withTLV := append(request(0, 0x4242, 44), 0, 1, 0, 4, 'a', 'b', 'c', 'd')
	if reply, err := f.ask(f.sender(t, 0), withTLV); err != nil || binary.BigEndian.Uint16(reply[14:]) != 0x4242 {
		t.Errorf("the reply to SSID 4242 with a TLV without U: %x, %v", reply, err)
	}
	light := request(0, 0x0505, 100)
	for i := 14; i < len(light); i++ {
		light[i] = 5 // padding: RFC 8762, 4.6
	}
	if _, err := f.ask(f.sender(t, f.port), light); err != nil {
		await(t, "a sender that is not answered is told of", func() error { return saysOfOne(probe.logged(), foreignAddress(3), fmt.Sprint(f.port)) })
	}
}

func (f *foreign) sender(t *testing.T, port int) *net.UDPConn {
	t.Helper()
	from := &net.UDPAddr{IP: net.ParseIP(foreignAddress(3)), Port: port}
	conn, err := net.DialUDP("udp4", from, &net.UDPAddr{IP: net.ParseIP(foreignAddress(1)), Port: f.port})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// ask sends a packet and gives the reply; none within a time is an error.
func (f *foreign) ask(conn *net.UDPConn, packet []byte) ([]byte, error) {
	if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return nil, err
	}
	if _, err := conn.Write(packet); err != nil {
		return nil, err
	}
	reply := make([]byte, 9000)
	n, err := conn.Read(reply)
	if err == nil && n < 44 {
		err = fmt.Errorf("a reply of %d octets", n)
	}
	return reply[:n], err
}

// request is a Session-Sender packet of RFC 8762, figure 2, as RFC 8972, figure 1 has it.
func request(number uint32, ssid uint16, length int) []byte {
	packet := make([]byte, length)
	binary.BigEndian.PutUint32(packet, number)
	putNTP(packet[4:], time.Now())
	packet[13] = 1
	binary.BigEndian.PutUint16(packet[14:], ssid)
	return packet
}

// freeRow is the first of so many UDP ports in a row that nobody has, below what
// the kernel gives away (ip_local_port_range).
func freeRow(t *testing.T, count int) int {
	t.Helper()
	for first := 20_000 + os.Getpid()%10_000; first < 32_000; first += count {
		if free(first, count) {
			return first
		}
	}
	t.Fatal("no row of UDP ports is free")
	return 0
}

func free(first, count int) bool {
	for port := first; port < first+count; port++ {
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{Port: port})
		if err != nil {
			return false
		}
		defer conn.Close()
	}
	return true
}
