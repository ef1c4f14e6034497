package lab

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// firstPort is the source port of the first flow that send makes, and
// listenPort where collect listens.
const (
	firstPort  = 61000
	listenPort = 862
)

// arrival is a packet that came to the far end.
type arrival struct {
	Port, Number, TTL, DSCP int
	DelayNS                 int64 // since it was sent
}

// send sends packets on so many flows, from one source port each and in turns,
// with TTL 255. A packet is its number in its flow and the time.
func send(address, flows, packets string) error {
	to, err := netip.ParseAddr(address)
	if err != nil {
		return err
	}
	ports, err := strconv.Atoi(flows)
	if err != nil {
		return err
	}
	count, err := strconv.Atoi(packets)
	if err != nil {
		return err
	}
	conns := make([]*net.UDPConn, ports)
	for i := range conns {
		if conns[i], err = net.DialUDP("udp", &net.UDPAddr{Port: firstPort + i}, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, listenPort))); err != nil {
			return err
		}
		if err := full(conns[i], to); err != nil {
			return err
		}
	}
	for number := range count {
		for _, conn := range conns {
			packet := binary.BigEndian.AppendUint64(nil, uint64(number))
			packet = binary.BigEndian.AppendUint64(packet, uint64(clock()))
			if _, err := conn.Write(packet); err != nil {
				return err
			}
		}
		time.Sleep(time.Millisecond) // the queues between network devices are short
	}
	return nil
}

// full gives a socket the highest TTL.
func full(conn *net.UDPConn, to netip.Addr) error {
	if to.Is6() {
		return options(conn, [3]int{unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, 255})
	}
	return options(conn, [3]int{unix.IPPROTO_IP, unix.IP_TTL, 255})
}

// options sets options of a socket: level, name and value.
func options(conn *net.UDPConn, wanted ...[3]int) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		for _, o := range wanted {
			if failed == nil {
				failed = unix.SetsockoptInt(int(fd), o[0], o[1], o[2])
			}
		}
	})
	if err != nil {
		return err
	}
	return failed
}

// clock is one that all namespaces share and that is never set.
func clock() int64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		panic(err)
	}
	return now.Nano()
}

// collect says when it listens. Once standard input tells how many packets are
// expected it prints those that came: so many, and what is there besides, or
// fewer where none comes within two seconds.
func collect() error {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{Port: listenPort}) // of both families
	if err != nil {
		return err
	}
	err = options(conn, [3]int{unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16 << 20},
		[3]int{unix.IPPROTO_IP, unix.IP_RECVTTL, 1}, [3]int{unix.IPPROTO_IP, unix.IP_RECVTOS, 1},
		[3]int{unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT, 1}, [3]int{unix.IPPROTO_IPV6, unix.IPV6_RECVTCLASS, 1})
	if err != nil {
		return err
	}
	expected := make(chan int)
	go func() {
		var n int
		_, _ = fmt.Scan(&n)
		expected <- n
	}()
	fmt.Println("listening")
	seen, enough := []arrival{}, -1
	last := time.Now()
	for {
		came, err := readArrival(conn)
		switch {
		case err == nil:
			seen, last = append(seen, came), time.Now()
			continue
		case enough >= 0 && (len(seen) >= enough || time.Since(last) > 2*time.Second):
			return json.NewEncoder(os.Stdout).Encode(seen)
		}
		select {
		case enough = <-expected:
			last = time.Now()
		default:
		}
	}
}

// readArrival fails where no packet comes for a moment.
func readArrival(conn *net.UDPConn) (arrival, error) {
	packet, control := make([]byte, 100), make([]byte, 200)
	if err := conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		return arrival{}, err
	}
	n, controls, _, from, err := conn.ReadMsgUDP(packet, control)
	if err != nil || n != 16 {
		return arrival{}, io.ErrNoProgress
	}
	a := arrival{Port: from.Port, Number: int(binary.BigEndian.Uint64(packet)), DelayNS: clock() - int64(binary.BigEndian.Uint64(packet[8:]))}
	messages, err := unix.ParseSocketControlMessage(control[:controls])
	if err != nil {
		return arrival{}, err
	}
	for _, m := range messages {
		switch [2]int32{m.Header.Level, m.Header.Type} {
		case [2]int32{unix.IPPROTO_IP, unix.IP_TTL}, [2]int32{unix.IPPROTO_IPV6, unix.IPV6_HOPLIMIT}:
			a.TTL = int(m.Data[0])
		case [2]int32{unix.IPPROTO_IP, unix.IP_TOS}, [2]int32{unix.IPPROTO_IPV6, unix.IPV6_TCLASS}:
			a.DSCP = int(m.Data[0]) >> 2
		}
	}
	return a, nil
}

// transmit sends packets on flows from one host to another and returns what
// arrives. How many are expected is asked for when all are sent.
func transmit(t *testing.T, from, to *Host, address string, flows, packets int, expected func() int) []arrival {
	t.Helper()
	receiver := tool(t.Context(), to, "collect")
	in, err := receiver.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := receiver.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := receiver.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	if line, err := lines.ReadString('\n'); line != "listening\n" {
		t.Fatalf("collect: %q, %v", line, err)
	}
	if err := tool(t.Context(), from, "send", address, strconv.Itoa(flows), strconv.Itoa(packets)).Run(); err != nil {
		t.Fatalf("send: %v", err)
	}
	if _, err := fmt.Fprintln(in, expected()); err != nil {
		t.Fatal(err)
	}
	var seen []arrival
	if err := json.NewDecoder(lines).Decode(&seen); err != nil {
		t.Fatal(err)
	}
	if err := receiver.Wait(); err != nil {
		t.Fatal(err)
	}
	return seen
}

// byPort sorts arrivals into their flows, each in the order of arrival.
func byPort(arrivals []arrival) map[int][]arrival {
	flows := map[int][]arrival{}
	for _, a := range arrivals {
		flows[a.Port] = append(flows[a.Port], a)
	}
	return flows
}

// inOrder tells whether no packet of a flow was overtaken.
func inOrder(flow []arrival) bool {
	return slices.IsSortedFunc(flow, func(a, b arrival) int { return a.Number - b.Number })
}
