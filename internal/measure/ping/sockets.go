package ping

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrNotAllowed says that this process may open no ICMP socket. The error that
// wraps it says what is missing and how to grant it.
var ErrNotAllowed = errors.New("ICMP sockets are not allowed here")

const groupRangeFile = "/proc/sys/net/ipv4/ping_group_range"

// Privileged tells which kind of ICMP socket this process can open: raw ones
// (true) or, which is preferred, unprivileged datagram ones (false). Where it
// can open neither, the error wraps ErrNotAllowed.
//
// Datagram sockets are preferred because the kernel hands each its own replies
// only, while every raw socket sees all ICMP that arrives.
func Privileged() (bool, error) {
	datagram := tryICMP(unix.SOCK_DGRAM)
	if datagram == nil {
		return false, nil
	}
	raw := tryICMP(unix.SOCK_RAW)
	if raw == nil {
		return true, nil
	}
	return false, notAllowed(datagram, raw)
}

func tryICMP(kind int) error {
	fd, err := unix.Socket(unix.AF_INET, kind|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

func notAllowed(datagram, raw error) error {
	groups := "not readable"
	if b, err := os.ReadFile(groupRangeFile); err == nil {
		groups = strings.Join(strings.Fields(string(b)), " ")
	}
	return fmt.Errorf("%w: net.ipv4.ping_group_range is %q and leaves out group %d (%w), and CAP_NET_RAW is missing (%w): "+
		"grant one of them, by `sysctl -w net.ipv4.ping_group_range=\"0 2147483647\"` "+
		"or by `setcap cap_net_raw+ep` on the binary (the systemd unit grants it)",
		ErrNotAllowed, groups, os.Getegid(), datagram, raw)
}
