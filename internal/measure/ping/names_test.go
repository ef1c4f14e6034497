package ping

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
)

// resolver answers as the table says; names that it does not hold fail.
type resolver map[string][]string

func (r resolver) look(_ context.Context, _, host string) (ips []netip.Addr, err error) {
	for _, ip := range r[host] {
		ips = append(ips, netip.MustParseAddr(ip))
	}
	if ips == nil {
		return nil, errors.New("no such host")
	}
	return ips, nil
}

func TestWhatANameResolvesToIsChecked(t *testing.T) {
	n := &Names{Look: resolver{
		"self": {"127.0.1.1"}, "looped": {"127.0.0.1"}, "localhost": {"127.0.0.1"}, "many": {"224.0.0.1"}, "none": {"0.0.0.0"},
		"mixed": {"127.0.1.1", "198.18.0.9"}, "mapped": {"::ffff:198.18.0.8"},
	}.look}
	here, loop := netip.MustParseAddr("198.18.0.1"), netip.MustParseAddr("127.0.0.1")
	for _, c := range []struct {
		host string
		own  netip.Addr
		want string
	}{
		{"198.18.0.2", here, "198.18.0.2"},
		{"127.0.0.2", loop, "127.0.0.2"},
		{"looped", loop, "127.0.0.1"}, // as in the demo
		{"localhost", here, "127.0.0.1"},
		{"mixed", here, "198.18.0.9"},
		{"mapped", here, "198.18.0.8"},
		{"looped", here, `"looped" resolves to 127.0.0.1, which is a loopback address`},
		{"many", here, `"many" resolves to 224.0.0.1, which is that of many hosts`},
		{"none", here, `"none" resolves to 0.0.0.0, which is no address at all`},
		{"224.0.0.1", here, `224.0.0.1 is that of many hosts`},
		{"unknown", here, `"unknown" has no IPv4 address: no such host`},
	} {
		ip, _, err := n.Target(t.Context(), c.host, 4, c.own)
		if got := ip.String(); err == nil && got != c.want || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v; want %s", c.host, ip, err, c.want)
		}
	}
	// Debian's own name: pings leave all the same, and it is told.
	ip, note, err := n.Own(t.Context(), "self", 4)
	if ip.IsValid() || err != nil || !strings.Contains(note, `the own name "self" resolves to 127.0.1.1 (see /etc/hosts)`) {
		t.Errorf("the own name: %v, %q, %v", ip, note, err)
	}
}

func TestANameKeepsItsAddress(t *testing.T) {
	answers := resolver{}
	n := &Names{Look: answers.look}
	take := func(ips ...string) (string, string) {
		answers["p2"] = ips
		ip, note, err := n.Target(t.Context(), "p2", 4, netip.Addr{})
		if err != nil {
			t.Fatal(err)
		}
		return ip.String(), note
	}
	for i, c := range []struct {
		ips        []string
		want, says string
	}{
		{[]string{"198.18.0.2"}, "198.18.0.2", ""},
		{[]string{"198.18.0.3", "198.18.0.2"}, "198.18.0.2", `"p2" has 2 addresses, and 198.18.0.2 is used`},
		{[]string{"198.18.0.4", "198.18.0.3"}, "198.18.0.4", "198.18.0.4 is used"},
		{[]string{"198.18.0.3", "198.18.0.4"}, "198.18.0.4", "198.18.0.4 is used"},
		{nil, "198.18.0.4", "no such host; 198.18.0.4 is used on"},
	} {
		if got, note := take(c.ips...); got != c.want || !strings.Contains(note, c.says) || (c.says == "") != (note == "") {
			t.Errorf("%d: %s, %q; want %s, %q", i, got, note, c.want, c.says)
		}
	}
}
