package inventory

import (
	"strings"
	"testing"
)

// bad is a file that must be refused with exactly these problems.
type bad struct {
	name, text string
	want       []string
	// editor: the schema refuses it too.
	editor bool
}

const allKeys = "exchange, sites, links, probes, targets, viewers, tests"

var badFiles = append([]bad{
	{"empty", "", []string{"1: the file is empty; an inventory has at least probes and tests"}, true},
	{"only comments", "# nothing\n", []string{"1: the file is empty; an inventory has at least probes and tests"}, true},
	{"a list", "- a\n", []string{"1: the file is a list; it is a mapping with the keys " + allKeys}, true},
	{"a text", "hello\n", []string{`1: the file is "hello"; it is a mapping with the keys ` + allKeys}, true},
	{"null", "~\n", []string{"1: the file is ~; it is a mapping with the keys " + allKeys}, true},
	{"an undefined root", "*a\n", []string{"1: the file: *a names nothing; define it as &a, or quote a text that begins with *"}, false},
	{"two documents", with("---", "exchange: a"), []string{"4: a second YAML document begins here; the file is one document"}, false},
	{"not UTF-8", with("exchange: a\xff"), []string{"3: the text is not UTF-8; save the file in that encoding"}, false},
	{"a tab", with("sites:", "\t- {name: a}"), []string{"4: this is not YAML: found character '\t' that cannot start any token"}, false},
	{"an open bracket", with("sites: [{name: a}"), []string{"3: this is not YAML: sequence end token ']' not found"}, false},
	{"an unquoted cron", withTests("{name: a, kind: icmp, cron: */5 * * * *}"),
		[]string{"3: this is not YAML: ',' or '}' must be specified; put a cron expression in quotes"}, false},
	{"an unquoted address", withProbes("{name: a, addresses: [::1]}"),
		[]string{"3: this is not YAML: found an invalid key for this map; put an address that begins with a colon in quotes"}, false},

	{"an unknown key", withProbes("{name: p1, addresses: [192.0.2.1]}", "name: p2\n  adresses: [192.0.2.2]"),
		[]string{`5: unknown key "adresses"; did you mean "addresses"?`}, true},
	{"an unknown key in capitals", withProbes("{Name: p1, addresses: [192.0.2.1]}"),
		[]string{`3: unknown key "Name"; did you mean "name"?`}, true},
	{"letters swapped", withTests("{name: a, kidn: icmp, every: 5m}"), []string{`3: unknown key "kidn"; did you mean "kind"?`}, true},
	{"a key unlike any other", with("regions: []"), []string{`3: unknown key "regions"; the keys here are ` + allKeys}, true},
	{"several unknown keys", with("sit: []", "sites: [{nam: a}]"),
		[]string{`3: unknown key "sit"; the keys here are ` + allKeys, `4: unknown key "nam"; did you mean "name"?`}, true},
	{"a merged unknown key", withTests("&b {name: a, kind: icmp, every: 5m, foo: 1}", "{<<: *b, name: b}"),
		[]string{`3: unknown key "foo"; the keys here are name, kind, every, cron, interval, count, flows, port, spacing, timeout, size, df, dscp, families, sources, targets, first_version`}, true},
	{"a key twice", with("exchange: a", "exchange: b"), []string{`4: key "exchange" stands here twice; it is in line 3 already`}, false},
	{"a key twice in one line", withTests("{name: a, kind: icmp, every: 5m, count: 1, count: 2}"),
		[]string{`3: key "count" stands here twice; it is in line 3 already`}, false},
	{"no value", withTests("{name: a, kind: icmp, every: 5m, count: }"), []string{"3: count has no value; give it one or leave it out"}, true},
	{"an empty entry", with("sites: [{name: a}, null]"), []string{"3: an entry of sites has no value; give it one or leave it out"}, true},
	{"a tag", with("exchange: !vault x"), []string{"3: exchange: the tag !vault has no meaning here; leave it out"}, false},
	{"an undefined alias", with("exchange: *x"),
		[]string{"3: exchange: *x names nothing; define it as &x, or quote a text that begins with *"}, false},
	{"a mapping merged into itself", withTests("&a {<<: *a, name: b}"),
		[]string{"3: << can only merge a mapping that does not hold it, such as <<: *name"}, false},
	{"a merged text", withTests("{<<: a, name: b}"), []string{"3: << can only merge a mapping that does not hold it, such as <<: *name"}, false},

	{"a number that is none", withTests("{name: a, kind: icmp, every: 5m, count: ten}"),
		[]string{`3: count is "ten"; it is a whole number, without quotes`}, true},
	{"a number in quotes", withTests(`{name: a, kind: icmp, every: 5m, count: "10"}`),
		[]string{`3: count is "10"; it is a whole number, without quotes`}, true},
	{"a fraction", withTests("{name: a, kind: icmp, every: 5m, count: 1.5}"), []string{"3: count is 1.5; it is a whole number, without quotes"}, true},
	{"a huge number", withTests("{name: a, kind: icmp, every: 5m, count: 99999999999999999999}"),
		[]string{"3: count is \"99999999999999999999\"; it is a whole number, without quotes"}, true},
	{"yes", withProbes("{name: p1, addresses: [192.0.2.1], drain: yes}"), []string{`3: drain is "yes"; it is true or false`}, true},
	{"a text for a list", withProbes("{name: p1, addresses: 192.0.2.1}"),
		[]string{`3: addresses is "192.0.2.1"; it is a list, in brackets or with a dash before each entry`}, true},
	{"a list for a text", with("exchange: [a]"), []string{"3: exchange is a list; it is a text, in quotes where it has colons"}, true},
	{"a mapping for a list", with("sites: {name: a}"),
		[]string{"3: sites is a mapping; it is a list, in brackets or with a dash before each entry"}, true},
	{"a text for a mapping", with("sites: [rome]"), []string{`3: an entry of sites is "rome"; it is a mapping with the keys name, switches`}, true},

	{"no probe", onePing, []string{"1: the inventory has no probe; list at least one under probes"}, true},
	{"an empty list of probes", onePing + "probes: []\n", []string{"2: the inventory has no probe; list at least one under probes"}, true},
	{"no test", twoProbes, []string{"1: the inventory has no test; list at least one under tests"}, true},
	{"an empty list of tests", twoProbes + "tests: []\n", []string{"2: the inventory has no test; list at least one under tests"}, true},

	{"exchange", with(`exchange: "a\\"`), []string{`3: exchange "a\\" ends with a backslash`}, true},
	{"an empty exchange", with(`exchange: ""`), []string{`3: exchange "" is empty; a name has 1 to 63 bytes`}, true},
	{"a name with a space before it", withProbes(`{name: " p1", addresses: [192.0.2.1]}`),
		[]string{`3: probe " p1": the name begins or ends with a space`}, true},
	{"a name with a control character", withProbes(`{name: "p\t1", addresses: [192.0.2.1]}`),
		[]string{`3: probe "p\t1": the name contains a control character`}, false},
	{"a long name", withProbes("{name: " + strings.Repeat("p", 64) + ", addresses: [192.0.2.1]}"),
		[]string{`3: probe "` + strings.Repeat("p", 64) + `": the name has 64 bytes; a name has at most 63`}, true},
	{"no name", withProbes("{addresses: [192.0.2.1]}"), []string{"3: a probe without a name: give it one of 1 to 63 bytes"}, true},
	{"probe twice", withProbes("{name: p1, addresses: [192.0.2.1]}", "{name: p1, addresses: [192.0.2.2]}"),
		[]string{`4: probe "p1": the name is taken by probe "p1" in line 3`}, false},
	{"target named as a probe", with("targets: [{name: p2, addresses: [192.0.2.3]}]"),
		[]string{`3: target "p2": the name is taken by probe "p2" in line 2`}, false},
	{"site twice", with("sites:", "- name: rome", "- name: rome"), []string{`5: site "rome": the name is taken by site "rome" in line 4`}, false},
	{"switch twice", with("sites:", "- {name: rome, switches: [sw1]}", "- {name: milan, switches: [sw1]}"),
		[]string{`5: switch "sw1": the name is taken by switch "sw1" in line 4`}, false},
	{"switch with a bad name", with(`sites: [{name: rome, switches: ["sw1 "]}]`), []string{`3: switch "sw1 ": the name begins or ends with a space`}, true},
	{"test twice", withTests("{name: a, kind: icmp, every: 5m}", "{name: a, kind: icmp, every: 1h}"),
		[]string{`4: test "a": the name is taken by test "a" in line 3`}, false},
	{"viewer twice", with("viewers:", "- {name: noc, key_sha256: ["+keyA+"]}", "- {name: noc, key_sha256: ["+keyB+"]}"),
		[]string{`5: viewer "noc": the name is taken by viewer "noc" in line 4`}, false},

	{"unknown site", withSites("{name: p1, site: rome-3, addresses: [192.0.2.1]}"),
		[]string{`6: probe "p1": there is no site "rome-3"; did you mean "rome-1" or "rome-2"?`}, false},
	{"unknown switch", withSites("{name: p1, switch: core, addresses: [192.0.2.1]}"),
		[]string{`6: probe "p1": there is no switch "core"; switches are sw1, sw2`}, false},
	{"a switch as near to three", withSwitches("sw1, sw2, sw3", "sw4"),
		[]string{`3: probe "p1": there is no switch "sw4"; did you mean "sw1", "sw2" or "sw3"?`}, false},
	{"a switch as near to four", withSwitches("sw1, sw2, sw3, core, sw5", "sw4"),
		[]string{`3: probe "p1": there is no switch "sw4"; switches are sw1, sw2, sw3, core, sw5`}, false},
	{"a switch nearer to one of four", withSwitches("sw1, sw2, sw3, core-sw4", "core-sw5"),
		[]string{`3: probe "p1": there is no switch "core-sw5"; did you mean "core-sw4"?`}, false},
	{"a switch near to one that stands there twice", withSwitches("sw10, sw10", "sw11"),
		[]string{`2: switch "sw10": the name is taken by switch "sw10" in line 2`,
			`3: probe "p1": there is no switch "sw11"; did you mean "sw10"?`}, false},
	{"no sites at all", withProbes("{name: p1, site: rome, switch: sw1, addresses: [192.0.2.1]}"),
		[]string{`3: probe "p1": there is no site "rome"; none is defined`, `3: probe "p1": there is no switch "sw1"; none is defined`}, false},
	{"switch of another site", withSites("name: p1", "  site: rome-1", "  switch: sw2", "  addresses: [192.0.2.1]"),
		[]string{`8: probe "p1": switch "sw2" stands at site "rome-2", not at "rome-1"`}, false},
	{"target at an unknown site", with("targets: [{name: rs1, site: x, addresses: [192.0.2.9]}]"),
		[]string{`3: target "rs1": there is no site "x"; none is defined`}, false},

	{"link without ends", withLink("{name: l, members: 1}"),
		[]string{`5: link "l": between has 0 entries; it names the two switches that the link joins`}, true},
	{"link with three ends", withLink("{name: l, between: [sw1, sw2, sw1], members: 1}"),
		[]string{`5: link "l": between has 3 entries; it names the two switches that the link joins`}, true},
	{"link to an unknown switch", withLink("{name: l, between: [sw1, sw22], members: 1}"),
		[]string{`5: link "l": there is no switch "sw22"; did you mean "sw2"?`}, false},
	{"link to itself", withLink("{name: l, between: [sw1, sw1], members: 1}"),
		[]string{`5: link "l": joins switch "sw1" to itself; it joins two switches`}, true},
	{"link without members", withLink("{name: l, between: [sw1, sw2]}"),
		[]string{`5: link "l": has no members; say how many parallel cables it has, 1 to 1024`}, true},
	{"link with no member", withLink("{name: l, between: [sw1, sw2], members: 0}"),
		[]string{`5: link "l": members is 0; it is 1 to 1024`}, true},
	{"link with too many members", withLink("{name: l, between: [sw1, sw2], members: 1025}"),
		[]string{`5: link "l": members is 1025; it is 1 to 1024`}, true},
	{"link with an unknown hash", withLink("{name: l, between: [sw1, sw2], members: 1, hash: l5}"),
		[]string{`5: link "l": hash "l5" is not known; known are l4, l3, l2`}, true},
	{"link without a name", withLink("{between: [sw1, sw2], members: 1}"), []string{"5: a link without a name: give it one of 1 to 63 bytes"}, true},
	{"link twice", withLink("{name: l, between: [sw1, sw2], members: 1}", "{name: l, between: [sw1, sw2], members: 1}"),
		[]string{`6: link "l": the name is taken by link "l" in line 5`}, false},

	{"no addresses", withProbes("{name: p1}"),
		[]string{`3: probe "p1": has no addresses; give it one, or one IPv4 and one IPv6 address`}, true},
	{"empty addresses", withProbes("{name: p1, addresses: []}"),
		[]string{`3: probe "p1": has no addresses; give it one, or one IPv4 and one IPv6 address`}, true},
	{"no IP address", withProbes("name: p1\n  addresses:\n    - 192.0.2.1\n    - 10.0.0.300"),
		[]string{`6: probe "p1": address "10.0.0.300" is not an IP address`}, false},
	{"a host name", withProbes("{name: p1, addresses: [p1.example.net]}"),
		[]string{`3: probe "p1": address "p1.example.net" is not an IP address`}, true},
	{"a zone", withProbes(`{name: p1, addresses: ["fe80::1%eth0"]}`),
		[]string{`3: probe "p1": address "fe80::1%eth0" has a zone; leave out %eth0`}, true},
	{"IPv4 in IPv6", withProbes(`{name: p1, addresses: ["::ffff:192.0.2.1"]}`),
		[]string{`3: probe "p1": address "::ffff:192.0.2.1" is an IPv4 address in IPv6 form; write 192.0.2.1`}, false},
	{"unspecified", withProbes(`{name: p1, addresses: [0.0.0.0, "::"]}`),
		[]string{`3: probe "p1": address "0.0.0.0" is not that of a host`, `3: probe "p1": address "::" is not that of a host`}, false},
	{"multicast", withProbes("{name: p1, addresses: [224.0.0.1, ff02::1]}"),
		[]string{`3: probe "p1": address "224.0.0.1" is not that of a host`, `3: probe "p1": address "ff02::1" is not that of a host`}, false},
	{"broadcast", withProbes("{name: p1, addresses: [255.255.255.255]}"),
		[]string{`3: probe "p1": address "255.255.255.255" is not that of a host`}, false},
	{"two addresses of a family", withProbes("{name: p1, addresses: [192.0.2.1, 198.51.100.1]}"),
		[]string{`3: probe "p1": addresses 192.0.2.1 and 198.51.100.1 are both of IPv4; a second LAN is a second name`}, false},
	{"three addresses", withProbes(`{name: p1, addresses: [192.0.2.1, 2001:db8::1, 2001:db8::2]}`),
		[]string{`3: probe "p1": addresses 2001:db8::1 and 2001:db8::2 are both of IPv6; a second LAN is a second name`}, true},
	{"a text that ends with a colon", withProbes("name: p1\n  addresses:\n    - fe80::"),
		[]string{"5: an entry of addresses is a mapping; it is a text, in quotes where it has colons"}, true},
	{"a mapping for an address", withProbes(`{name: p1, addresses: [a: 1, b:"2", {c:3}]}`),
		[]string{"3: an entry of addresses is a mapping; it is a text, in quotes where it has colons"}, true},
	{"an address twice", withProbes("{name: p1, addresses: [2001:db8::1]}", "{name: p2, addresses: [2001:DB8:0::1]}"),
		[]string{`4: probe "p2": address 2001:db8::1 is that of probe "p1" in line 3`}, false},
	{"an address of a probe and a target", with("targets: [{name: rs1, addresses: [192.0.2.2]}]"),
		[]string{`3: target "rs1": address 192.0.2.2 is that of probe "p2" in line 2`}, false},

	{"a long interface", withProbes("{name: p1, addresses: [192.0.2.1], interface: enp0s31f6.10000x}"),
		[]string{`3: probe "p1": interface "enp0s31f6.10000x" has 16 bytes; a network interface has at most 15`}, true},
	{"a space in an interface", withProbes("{name: p1, addresses: [192.0.2.1], interface: eth 0}"),
		[]string{`3: probe "p1": interface "eth 0" has a space or a slash; a network interface has none`}, true},
	{"a slash in an interface", withProbes("{name: p1, addresses: [192.0.2.1], interface: ge-0/0}"),
		[]string{`3: probe "p1": interface "ge-0/0" has a space or a slash; a network interface has none`}, true},

	{"unknown answer", with("targets: [{name: rs1, addresses: [192.0.2.9], answers: [echo]}]"),
		[]string{`3: target "rs1": answers "echo" is not known; known are icmp, stamp`}, true},
	{"no answer", with("targets: [{name: rs1, addresses: [192.0.2.9], answers: []}]"),
		[]string{`3: target "rs1": answers is empty; leave it out for icmp`}, true},
	{"an answer twice", with("targets: [{name: rs1, addresses: [192.0.2.9], answers: [icmp, icmp]}]"),
		[]string{`3: target "rs1": answers has icmp twice`}, true},

	{"a short hash", withProbes("name: p1\n  addresses: [192.0.2.1]\n  key_sha256: [secret]"),
		[]string{`5: probe "p1": a key_sha256 has 6 characters; it is the SHA-256 of the key, 64 hex digits`}, true},
	{"a key for a hash", withProbes("{name: p1, addresses: [192.0.2.1], key_sha256: [ixp_" + strings.Repeat("a", 64) + "]}"),
		[]string{`3: probe "p1": has a key itself where a key_sha256 belongs, the SHA-256 of the key: whoever reads this file may use it now, so make another by ixpqos-server key new and write its sha256 here`}, true},
	{"a hash that is none", withProbes("{name: p1, addresses: [192.0.2.1], key_sha256: [" + strings.Repeat("x", 64) + "]}"),
		[]string{`3: probe "p1": a key_sha256 has 64 characters that are not all hex digits; it is the SHA-256 of the key`}, true},
	{"a key of two probes", withProbes("{name: p1, addresses: [192.0.2.1], key_sha256: ["+keyA+"]}",
		"{name: p2, addresses: [192.0.2.2], key_sha256: ["+strings.ToUpper(keyA)+"]}"),
		[]string{`4: probe "p2": key_sha256 AAAAAAAA… is that of probe "p1" in line 3; a key belongs to one`}, false},
	{"a key of a probe and a viewer", withProbes("{name: p1, addresses: [192.0.2.1], key_sha256: ["+keyA+"]}") +
		"viewers: [{name: noc, key_sha256: [" + keyA + "]}]\n",
		[]string{`4: viewer "noc": key_sha256 aaaaaaaa… is that of probe "p1" in line 3; a key belongs to one`}, false},
	{"a key twice", withProbes("{name: p1, addresses: [192.0.2.1], key_sha256: [" + keyA + ", " + keyA + "]}"),
		[]string{`3: probe "p1": key_sha256 aaaaaaaa… is that of probe "p1" in line 3; a key belongs to one`}, true},
	{"viewer without a key", with("viewers: [{name: noc}]"), []string{`3: viewer "noc": has no key_sha256; a viewer needs at least one`}, true},
	{"viewer with no key", with("viewers: [{name: noc, key_sha256: []}]"), []string{`3: viewer "noc": has no key_sha256; a viewer needs at least one`}, true},

	{"no kind", withTests("{name: a, every: 5m}"), []string{`3: test "a": has no kind; known are icmp, stamp`}, true},
	{"unknown kind", withTests("{name: a, kind: trace, every: 5m}"), []string{`3: test "a": kind "trace" is not known; known are icmp, stamp`}, true},
	{"no kind and nothing else", withTests("{name: a}"), []string{`3: test "a": has no kind; known are icmp, stamp`}, true},
	{"unknown kind and nothing else", withTests("{name: a, kind: stmap}"), []string{`3: test "a": kind "stmap" is not known; known are icmp, stamp`}, true},
	{"unknown kind with what only one kind has", withTests("{name: a, kind: stmap, flows: 0, interval: 10, size: 1, first_version: true, targets: [rs1]}") +
		"targets: [{name: rs1, addresses: [192.0.2.9]}]\n",
		[]string{`3: test "a": kind "stmap" is not known; known are icmp, stamp`}, true},
	{"unknown kind and what all kinds have", withTests("{name: a, kind: stmap, dscp: 64, sources: [x]}"),
		[]string{`3: test "a": kind "stmap" is not known; known are icmp, stamp`, `3: test "a": dscp is 64; it is 0 to 63`,
			`3: test "a": sources has "x", which is no probe; there are p1, p2`}, true},
	{"neither every nor cron", withTests("{name: a, kind: icmp}"),
		[]string{`3: test "a": has neither every nor cron; give one of them, such as every: 5m`}, true},
	{"both every and cron", withTests("name: a\n  kind: icmp\n  every: 5m\n  cron: '*/5 * * * *'"),
		[]string{`6: test "a": has both every and cron; give one of them`}, true},
	{"every without a unit", withTests("{name: a, kind: icmp, every: 300}"),
		[]string{`3: test "a": every "300" is not a duration; write a number with its unit, such as 250ms, 10s or 5m`}, true},
	{"every too short", withTests("{name: a, kind: icmp, every: 500ms}"),
		[]string{`3: test "a": every 500ms is out of range: 1s to 24h0m0s`}, false},
	{"every too long", withTests("{name: a, kind: icmp, every: 25h}"),
		[]string{`3: test "a": every 25h0m0s is out of range: 1s to 24h0m0s`}, false},
	{"cron with a zone", withTests(`{name: a, kind: icmp, cron: "CRON_TZ=UTC * * * * *"}`),
		[]string{`3: test "a": cron "CRON_TZ=UTC * * * * *" has a time zone; cron runs in UTC, leave it out`}, true},
	{"cron with every", withTests(`{name: a, kind: icmp, cron: "@every 5m"}`),
		[]string{`3: test "a": cron "@every 5m": write every: 5m instead of cron`}, true},
	{"cron with four fields", withTests(`{name: a, kind: icmp, cron: "* * * *"}`),
		[]string{`3: test "a": cron "* * * *" does not parse (expected exactly 5 fields, found 4: [* * * *]); it has five fields, such as "*/5 * * * *"`}, false},
	{"cron once a week", withTests(`{name: a, kind: icmp, cron: "@weekly"}`),
		[]string{`3: test "a": cron "@weekly": it does not run on January 1; a test runs every day`}, false},
	{"count 0", withTests("{name: a, kind: icmp, every: 5m, count: 0}"), []string{`3: test "a": count is 0; it is 1 to 10000`}, true},
	{"count below 0", withTests("{name: a, kind: icmp, every: 5m, count: -1}"), []string{`3: test "a": count is -1; it is 1 to 10000`}, true},
	{"count too high", withTests("{name: a, kind: icmp, every: 5m, count: 10001}"), []string{`3: test "a": count is 10001; it is 1 to 10000`}, true},
	{"spacing 0", withTests("{name: a, kind: icmp, every: 5m, spacing: 0s}"), []string{`3: test "a": spacing is 0s; it is 1ms to 1m0s`}, false},
	{"spacing below 0", withTests("{name: a, kind: icmp, every: 5m, spacing: -1s}"), []string{`3: test "a": spacing is -1s; it is 1ms to 1m0s`}, true},
	{"spacing too long", withTests("{name: a, kind: icmp, every: 5m, spacing: 61s}"), []string{`3: test "a": spacing is 1m1s; it is 1ms to 1m0s`}, false},
	{"spacing without a unit", withTests("{name: a, kind: icmp, every: 5m, spacing: 1}"),
		[]string{`3: test "a": spacing "1" is not a duration; write a number with its unit, such as 250ms, 10s or 5m`}, true},
	{"timeout too short", withTests("{name: a, kind: icmp, every: 5m, timeout: 2s}"),
		[]string{`3: test "a": timeout is 2s; it is more than the 2s after which a reply is late, and at most 1m0s`}, false},
	{"timeout too long", withTests("{name: a, kind: icmp, every: 5m, timeout: 61s}"),
		[]string{`3: test "a": timeout is 1m1s; it is more than the 2s after which a reply is late, and at most 1m0s`}, false},
	{"timeout that is none", withTests("{name: a, kind: icmp, every: 5m, timeout: soon}"),
		[]string{`3: test "a": timeout "soon" is not a duration; write a number with its unit, such as 250ms, 10s or 5m`}, true},
	{"size too small for IPv6", withTests("{name: a, kind: icmp, every: 5m, size: 71}"), []string{`3: test "a": size is 71; it is 72 to 9000`}, false},
	{"size too small for IPv4", withTests("{name: a, kind: icmp, every: 5m, size: 51, families: [4]}"),
		[]string{`3: test "a": size is 51; it is 52 to 9000`}, true},
	{"size too big", withTests("{name: a, kind: icmp, every: 5m, size: 9001}"), []string{`3: test "a": size is 9001; it is 72 to 9000`}, true},
	{"dscp too high", withTests("{name: a, kind: icmp, every: 5m, dscp: 64}"), []string{`3: test "a": dscp is 64; it is 0 to 63`}, true},
	{"dscp below 0", withTests("{name: a, kind: icmp, every: 5m, dscp: -1}"), []string{`3: test "a": dscp is -1; it is 0 to 63`}, true},
	{"an unknown family", withTests("{name: a, kind: icmp, every: 5m, families: [4, 5]}"), []string{`3: test "a": families has 5; they are 4 and 6`}, true},
	{"a family twice", withTests("{name: a, kind: icmp, every: 5m, families: [4, 4]}"), []string{`3: test "a": families has 4 twice`}, true},
	{"no family", withTests("{name: a, kind: icmp, every: 5m, families: []}"),
		[]string{`3: test "a": families is empty; leave it out for both`}, true},
	{"an unknown source", withTests("{name: a, kind: icmp, every: 5m, sources: [p1, rs1]}"),
		[]string{`3: test "a": sources has "rs1", which is no probe; there are p1, p2`}, false},
	{"a target as source", withTests("{name: a, kind: icmp, every: 5m, sources: [rs1]}") + "targets: [{name: rs1, addresses: [192.0.2.9]}]\n",
		[]string{`3: test "a": sources has "rs1", which is no probe; there are p1, p2`}, false},
	{"a source twice", withTests("{name: a, kind: icmp, every: 5m, sources: [p1, p1]}"), []string{`3: test "a": sources has p1 twice`}, true},
	{"no source", withTests("{name: a, kind: icmp, every: 5m, sources: []}"), []string{`3: test "a": sources is empty; leave it out for all`}, true},
	{"an unknown target", withTests("name: a\n  kind: icmp\n  every: 5m\n  targets:\n    - p1\n    - rs9"),
		[]string{`8: test "a": targets has "rs9", which is no probe or target; there are p1, p2`}, false},
	{"a target twice", withTests("{name: a, kind: icmp, every: 5m, targets: [p1, p1]}"), []string{`3: test "a": targets has p1 twice`}, true},
	{"a first_version that is no mark", withTests("{name: a, kind: icmp, every: 5m, first_version: 1}"),
		[]string{"3: first_version is 1; it is true or false"}, true},
	{"first_version twice", withTests("{name: a, kind: icmp, every: 5m, first_version: true}", "{name: b, kind: icmp, every: 5m}",
		"name: c\n  kind: icmp\n  every: 5m\n  first_version: true"),
		[]string{`8: test "c": first_version is set by test "a" in line 3 already; one test at most has it`}, false},
	{"first_version of another kind", withTests("{name: a, kind: trace, every: 5m, first_version: true}"),
		[]string{`3: test "a": kind "trace" is not known; known are icmp, stamp`}, true},
	{"a round longer than its interval", withTests("{name: a, kind: icmp, every: 5m}", "{name: b, kind: icmp, every: 10s}"),
		[]string{`4: test "b": a round takes up to 16s (probe "p1", 1 pairs), but the shortest interval is 10s; run it less often, or lower count, spacing or timeout`}, false},
	{"a round longer than the shortest of cron", withTests(`{name: a, kind: icmp, cron: "0,1 4 * * *", count: 55}`),
		[]string{`3: test "a": a round takes up to 1m1s (probe "p1", 1 pairs), but the shortest interval is 1m0s; run it less often, or lower count, spacing or timeout`}, false},

	{"all of them, in the order of the file", withTests("{name: a, kind: icmp, every: 5m, count: 0, dscp: 99}") + "exchange: ' x'\nsites: [{}]\n",
		[]string{`3: test "a": count is 0; it is 1 to 10000`, `3: test "a": dscp is 99; it is 0 to 63`,
			`4: exchange " x" begins or ends with a space`, "5: a site without a name: give it one of 1 to 63 bytes"}, true},
	{"lines of DOS", strings.ReplaceAll(withProbes("{name: p1, addresses: [192.0.2.1]}", "{name: p2, addresses: [x]}"), "\n", "\r\n"),
		[]string{`4: probe "p2": address "x" is not an IP address`}, true},
}, badStreams...)

// withSites has its probe in line 6 and further.
func withSites(lines ...string) string {
	return onePing + "sites:\n- {name: rome-1, switches: [sw1]}\n- {name: rome-2, switches: [sw2]}\n" +
		"probes:\n- " + strings.Join(lines, "\n") + "\n"
}

// withSwitches has a site with these switches, and in line 3 a probe at one.
func withSwitches(switches, at string) string {
	return onePing + "sites: [{name: rome, switches: [" + switches + "]}]\n" +
		"probes: [{name: p1, switch: " + at + ", addresses: [192.0.2.1]}]\n"
}

// withLink has its links in line 5 and further.
func withLink(entries ...string) string {
	return with("sites: [{name: rome, switches: [sw1, sw2]}]", "links:", "- "+strings.Join(entries, "\n- "))
}

func TestParseYAMLRefuses(t *testing.T) {
	for _, c := range badFiles {
		t.Run(c.name, func(t *testing.T) {
			inv, err := ParseYAML("i.yaml", []byte(c.text))
			if want := "i.yaml:" + strings.Join(c.want, "\ni.yaml:"); messageOf(err) != want {
				t.Errorf("got:\n%v\nwant:\n%s", err, want)
			}
			if inv != nil {
				t.Error("an inventory came with the error")
			}
		})
	}
}
