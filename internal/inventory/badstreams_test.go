package inventory

import (
	"fmt"
	"strings"
)

// badStreams are the bad files about tests of kind stamp, and reflectors.
var badStreams = []bad{
	{"the keys of another kind", withTests("name: a\n  kind: stamp\n  every: 5m\n  cron: '@daily'\n  count: 1\n  timeout: 5s\n  first_version: false"),
		[]string{
			`5: test "a": every is for tests of kind icmp; this is one of kind stamp, leave it out`,
			`6: test "a": cron is for tests of kind icmp; this is one of kind stamp, leave it out`,
			`7: test "a": count is for tests of kind icmp; this is one of kind stamp, leave it out`,
			`8: test "a": timeout is for tests of kind icmp; this is one of kind stamp, leave it out`,
			`9: test "a": first_version is for tests of kind icmp; this is one of kind stamp, leave it out`}, true},
	{"the keys of stamp for icmp", withTests("name: a\n  kind: icmp\n  every: 5m\n  interval: 10s\n  flows: auto\n  port: 61000\n  df: false"),
		[]string{
			`6: test "a": interval is for tests of kind stamp; this is one of kind icmp, leave it out`,
			`7: test "a": flows is for tests of kind stamp; this is one of kind icmp, leave it out`,
			`8: test "a": port is for tests of kind stamp; this is one of kind icmp, leave it out`,
			`9: test "a": df is for tests of kind stamp; this is one of kind icmp, leave it out`}, true},
	{"flows for icmp alone", withTests("{name: a, kind: icmp, every: 5m, flows: 16}"),
		[]string{`3: test "a": flows is for tests of kind stamp; this is one of kind icmp, leave it out`}, true},
	{"flows 0", withTests("{name: a, kind: stamp, flows: 0}"), []string{`3: test "a": flows is "0"; it is 1 to 1024, or auto`}, true},
	{"flows below 0", withTests("{name: a, kind: stamp, flows: -5}"), []string{`3: test "a": flows is "-5"; it is 1 to 1024, or auto`}, true},
	{"a spacing of stamp of 0", withTests("{name: a, kind: stamp, spacing: 0s}"), []string{`3: test "a": spacing is 0s; it is 100ms to 10s`}, false},
	{"too many flows", withTests("{name: a, kind: stamp, flows: 1025}"), []string{`3: test "a": flows is "1025"; it is 1 to 1024, or auto`}, true},
	{"auto where no way is known", withTests("{name: a, kind: stamp, flows: auto}"),
		[]string{`3: test "a": flows is auto, but no way is known from probe "p1" to "p2": give both their switch, and the links between, or flows as a number`}, false},
	{"flows that are no number", withTests("{name: a, kind: stamp, flows: many}"), []string{`3: test "a": flows is "many"; it is 1 to 1024, or auto`}, true},
	{"a list of flows", withTests("{name: a, kind: stamp, flows: [1]}"), []string{`3: flows is a list; it is a text, in quotes where it has colons`}, true},
	{"a port of services", withTests("{name: a, kind: stamp, port: 1023}"), []string{`3: test "a": port is 1023; it is 1024 to 65535`}, true},
	{"a port that is none", withTests("{name: a, kind: stamp, port: 65536}"), []string{`3: test "a": port is 65536; it is 1024 to 65535`}, true},
	{"flows beyond the last port", withTests("name: a\n  kind: stamp\n  port: 65521"),
		[]string{`5: test "a": source ports 65521 to 65536 end beyond 65535; write port: 61000`}, false},
	{"tests on the same ports", withTests("{name: a, kind: stamp}", "{name: ping, kind: icmp, every: 5m}", "{name: b, kind: stamp}", "name: c\n  kind: stamp\n  port: 61020\n  flows: 1",
		"{name: d, kind: stamp, flows: 4}", "{name: e, kind: stamp, flows: 5}"),
		[]string{
			`5: test "b": source ports 61000 to 61015 overlap those of test "a", 61000 to 61015; write port: 61021`,
			`10: test "d": source ports 61000 to 61003 overlap those of test "a", 61000 to 61015; write port: 61016`,
			`11: test "e": source ports 61000 to 61004 overlap those of test "a", 61000 to 61015; write port: 61037`}, false},
	{"tests on overlapping ports", withTests("{name: a, kind: stamp, port: 40000}", "name: b\n  kind: stamp\n  port: 40015"),
		[]string{`6: test "b": source ports 40015 to 40030 overlap those of test "a", 40000 to 40015; write port: 61000`}, false},
	{"a reflector among the source ports", withTests("{name: a, kind: stamp}") + "targets: [{name: rs1, addresses: [192.0.2.9], reflector_port: 61015}]\n",
		[]string{`3: test "a": source ports 61000 to 61015 have 61015 among them, where target "rs1" reflects; write port: 61016`}, false},
	{"a probe that reflects at port 0", withProbes("{name: p1, addresses: [192.0.2.1], reflector_port: 0}"),
		[]string{`3: probe "p1": reflector_port is 0; it is 1 to 65535`}, true},
	{"a target that reflects beyond the last port", with("targets: [{name: rs1, addresses: [192.0.2.9], reflector_port: 65536}]"),
		[]string{`3: target "rs1": reflector_port is 65536; it is 1 to 65535`}, true},
	{"a stateless probe that is no mark", withProbes("{name: p1, addresses: [192.0.2.1], stateless: 1}"), []string{"3: stateless is 1; it is true or false"}, true},
	{"a spacing of stamp that is too short", withTests("{name: a, kind: stamp, spacing: 50ms}"), []string{`3: test "a": spacing is 50ms; it is 100ms to 10s`}, false},
	{"a spacing beyond the interval", withTests("{name: a, kind: stamp, spacing: 5050ms, interval: 5s}"), []string{`3: test "a": spacing is 5.05s; it is 100ms to 5s`}, false},
	{"a spacing off the tick", withTests("{name: a, kind: stamp, spacing: 120ms}"),
		[]string{`3: test "a": spacing is 120ms; it is a multiple of 50ms, the tick of the sender`}, false},
	{"an interval too short", withTests("{name: a, kind: stamp, interval: 4s}"),
		[]string{`3: test "a": interval is 4s; it is 5s to 1m0s, whole seconds that divide a minute, such as 10s`}, false},
	{"an interval too long", withTests("{name: a, kind: stamp, interval: 2m}"),
		[]string{`3: test "a": interval is 2m0s; it is 5s to 1m0s, whole seconds that divide a minute, such as 10s`}, false},
	{"an interval off the minute", withTests("{name: a, kind: stamp, interval: 7s}"),
		[]string{`3: test "a": interval is 7s; it is 5s to 1m0s, whole seconds that divide a minute, such as 10s`}, false},
	{"an interval with a fraction", withTests("{name: a, kind: stamp, interval: 7500ms}"),
		[]string{`3: test "a": interval is 7.5s; it is 5s to 1m0s, whole seconds that divide a minute, such as 10s`}, false},
	{"an interval that is none", withTests("{name: a, kind: stamp, interval: 10, spacing: 1s}"),
		[]string{`3: test "a": interval "10" is not a duration; write a number with its unit, such as 250ms, 10s or 5m`}, true},
	{"a size of stamp too small for IPv4", withTests("{name: a, kind: stamp, size: 99, families: [4]}"), []string{`3: test "a": size is 99; it is 100 to 9000`}, true},
	{"a size of stamp too small for IPv6", withTests("{name: a, kind: stamp, size: 119}"), []string{`3: test "a": size is 119; it is 120 to 9000`}, false},
	{"df that is no mark", withTests("{name: a, kind: stamp, df: 1}"), []string{"3: df is 1; it is true or false"}, true},
	{"a target without the family", withTests("{name: a, kind: stamp, families: [6], targets: [p1]}"),
		[]string{`3: test "a": target "p1" has no IPv6 address, which the test asks for`}, false},
	{"a target that does not reflect", withTests("{name: a, kind: stamp, targets: [p1, rs1]}") + "targets: [{name: rs1, addresses: [192.0.2.9]}]\n",
		[]string{`3: test "a": target "rs1" does not answer stamp; add it to its answers, or leave it out here`}, false},
	{"more packets than a probe sends", withTests("{name: a, kind: stamp, flows: 600, spacing: 100ms}", "{name: b, kind: stamp, flows: 101, port: 40000}"),
		[]string{`3: test "a": probe "p1" would send 6404 packets/s in its tests of kind stamp, 6000 of them in this one (1 pairs, 600 flows, one packet each 100ms); it sends at most 6400: raise spacing or lower flows`}, false},
	{"more flows of an address than a reflector keeps", withTests("{name: a, kind: stamp, flows: 1024, spacing: 5s}",
		"name: b\n  kind: stamp\n  flows: 1024\n  spacing: 5s\n  port: 40000", "{name: c, kind: stamp, flows: 1, port: 50000}"),
		[]string{`3: test "a": probe "p1" would reflect 2049 flows of probe "p2" over IPv4, 1024 of them in this test; it reflects at most 2048 of one address: lower flows`}, false},
	{"more flows of all than a reflector keeps", manyProbes(34) + "tests:\n- {name: b, kind: stamp, flows: 1, port: 40000, targets: [p1]}\n- {name: a, kind: stamp, flows: 993, spacing: 1s, targets: [p0]}\n",
		[]string{`5: test "a": probe "p0" would reflect 32769 flows of all probes together, 32769 of them in this test; it reflects at most 32767: lower flows, or name fewer sources`}, false},
	{"more pairs than a probe has", bothFamilies(2049) + "tests:\n- {name: a, kind: stamp, flows: 1, spacing: 10s}\n",
		[]string{`4: test "a": probe "p1" would have 4098 pairs; at most 4096 in one test: name fewer sources or targets`}, false},
	{"more peers than a probe has", manyTargets(4097) + "tests:\n- {name: a, kind: stamp, flows: 1, spacing: 10s, targets: [t1]}\n",
		[]string{`2: 4098 probes and targets are too many: a probe measures among at most 4096 others`}, false},
	{"more tests than a probe runs", withTests(manyTests(257, "{name: t%d, kind: icmp, every: 5m}")...),
		[]string{`3: 257 tests are too many; a probe runs at most 256`}, false},
	{"more flows than a probe keeps", manyTargets(32) + "tests:\n" + strings.Join(manyTests(5, "- {name: t%d, kind: stamp, flows: 1000, spacing: 60s, interval: 60s, port: 4%d000}\n"), ""),
		[]string{`4: test "t0": probe "p1" would send and reflect 160000 flows, 32000 of them in this test; it has room for at most 131072: lower flows, or name fewer sources or targets`}, false},
	{"more pings than a probe sends", strings.ReplaceAll(manyTargets(20), "[stamp]", "[icmp]") + "tests:\n- {name: a, kind: icmp, every: 5m, spacing: 2ms}\n- {name: b, kind: icmp, every: 5m, spacing: 1ms}\n",
		[]string{`5: test "b": probe "p1" would send 30000 packets/s in all its tests, 20000 of them in this one (20 pairs, one packet each 1ms); it sends at most 20000: raise spacing`}, false},
	{"a stateful target that does not reflect", with("targets: [{name: rs1, addresses: [192.0.2.9], stateful: true}]"),
		[]string{`3: target "rs1": stateful is for targets that answer stamp; add it to its answers, or leave stateful out`}, false},
	{"a stateful probe", withProbes("{name: p1, addresses: [192.0.2.1], stateful: true}"),
		[]string{`3: unknown key "stateful"; the keys here are name, site, switch, addresses, reflector_port, interface, key_sha256, drain, stateless`}, true},
	{"more flows than a probe has", manyTargets(32) + "tests:\n- {name: a, kind: stamp, flows: 1001, spacing: 60s, interval: 60s}\n",
		[]string{`4: test "a": probe "p1" would have 32032 flows (32 pairs, 1001 flows each); at most 32000 in one test: lower flows`}, false},
}

// manyTargets is a probe, and targets that reflect.
func manyTargets(n int) string {
	targets := make([]string, n)
	for i := range targets {
		targets[i] = fmt.Sprintf("{name: t%d, addresses: [10.0.%d.%d], answers: [stamp]}", i, i/250, 1+i%250)
	}
	return "probes: [{name: p1, addresses: [192.0.2.1]}]\ntargets: [" + strings.Join(targets, ", ") + "]\n"
}

// manyProbes is an exchange of so many that each measures to all others.
func manyProbes(n int) string {
	probes := make([]string, n)
	for i := range probes {
		probes[i] = fmt.Sprintf("{name: p%d, addresses: [10.0.%d.%d]}", i, i/250, 1+i%250)
	}
	return "exchange: Many-IX\nprobes: [" + strings.Join(probes, ", ") + "]\n"
}

// bothFamilies are a probe and so many targets with two addresses each.
func bothFamilies(n int) string {
	targets := make([]string, n)
	for i := range targets {
		targets[i] = fmt.Sprintf("{name: t%d, addresses: [10.0.%d.%d, \"2001:db8::1:%x\"], answers: [stamp]}", i, i/250, 1+i%250, i)
	}
	return "probes: [{name: p1, addresses: [192.0.2.1, \"2001:db8::1\"]}]\ntargets: [" + strings.Join(targets, ", ") + "]\n"
}

// manyTests are so many, each by its number, where the form has it once or twice.
func manyTests(n int, form string) []string {
	tests := make([]string, n)
	for i := range tests {
		tests[i] = strings.ReplaceAll(form, "%d", fmt.Sprint(i))
	}
	return tests
}
