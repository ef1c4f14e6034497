package exchange

import (
	"fmt"
	"strings"
)

// tuple is what tells a flow apart, by family.
var tuple = map[string]string{
	"ip":  "ip saddr . ip daddr . udp sport . udp dport",
	"ip6": "ip6 saddr . ip6 daddr . udp sport . udp dport",
}

// most flows that are told apart on a member.
const mostFlows = 1 << 16

// spreading is the ruleset of a multiplexer: from the uplink to the members by
// a hash, from each member to the uplink, and the flows of each member counted
// as they leave. Only netdev chains see frames that are for nobody here, and
// only they can send them on as they are (nft(8), fwd).
func spreading(members int, seed uint32) string {
	var ports, each strings.Builder
	for m := range members {
		fmt.Fprintf(&ports, "%d : \"m%[1]d\", ", m)
		each.WriteString(memberRules(m))
	}
	hash := fmt.Sprintf("mod %d seed %#x map { %s }", members, seed, ports.String())
	return fmt.Sprintf(`table netdev bundle {
	chain spread {
		type filter hook ingress device "uplink" priority 0
		meta protocol ip ip protocol udp fwd to jhash %s %[2]s
		meta protocol ip6 meta l4proto udp fwd to jhash %[3]s %[2]s
		fwd to "m0"
	}
%[4]s}
`, tuple["ip"], hash, tuple["ip6"], each.String())
}

// memberRules are those of one member. The flows are counted first, with those
// packets that a fault loses.
func memberRules(m int) string {
	return fmt.Sprintf(`	set m%d-ip {
		typeof %[2]s
		size %[4]d
		flags dynamic
	}
	set m%[1]d-ip6 {
		typeof %[3]s
		size %[4]d
		flags dynamic
	}
	chain m%[1]d-leaves {
		type filter hook egress device "m%[1]d" priority -100
		add @m%[1]d-ip { %[2]s counter }
		add @m%[1]d-ip6 { %[3]s counter }
	}
	chain m%[1]d-arrives {
		type filter hook ingress device "m%[1]d" priority 0
		fwd to "uplink"
	}
`, m, tuple["ip"], tuple["ip6"], mostFlows)
}
