package inventory

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const firstProbesFile = `{
  "comment": "extra keys pass",
  "probes": [
    {"name": "p1", "proto": 4, "address": "10.0.0.1", "Name": 7, "site": {"name": "x"}},
    {"name": "p2", "proto": 4, "address": "p2.example.net"},
    {"name": "p1", "proto": 6, "address": "2001:DB8::1"},
    {
      "name": "München 3",
      "proto": 6.0,
      "address": "fe80::1%eth0"
    }
  ]
}
`

var usualTest = Test{Name: "ping", Kind: "icmp", Cron: "*/5 * * * *", Count: 10, Spacing: time.Second,
	Timeout: 5 * time.Second, Size: 84, Families: []uint8{4, 6}, FirstVersion: true}

func TestParseFirstVersion(t *testing.T) {
	want := &Inventory{
		Probes: []Probe{
			{Node: Node{Name: "p1", Addresses: []Address{{4, "10.0.0.1"}, {6, "2001:DB8::1"}}, ReflectorPort: DefaultReflectorPort}},
			{Node: Node{Name: "p2", Addresses: []Address{{4, "p2.example.net"}}, ReflectorPort: DefaultReflectorPort}},
			{Node: Node{Name: "München 3", Addresses: []Address{{6, "fe80::1%eth0"}}, ReflectorPort: DefaultReflectorPort}},
		},
		Tests: []Test{usualTest},
	}
	for name, schedule := range map[string][]byte{
		"absent": nil,
		"empty":  []byte(`{"schedule": []}`),
		"extra":  []byte("\ufeff {\"version\": 1,\r\n \"schedule\": [ ] }"),
	} {
		got, err := ParseFirstVersion("probes.json", []byte(firstProbesFile), "schedule.json", schedule)
		if err != nil {
			t.Errorf("schedule %s: %v", name, err)
			continue
		}
		want.Version = got.Version
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("schedule %s: %s", name, diff)
		}
	}
}

func TestFirstVersionsSchedule(t *testing.T) {
	got, err := ParseFirstVersion("probes.json", []byte(firstProbesFile), "schedule.json", []byte(`{"schedule": [
		{"every": 60},
		{"every": "90s", "count": 5, "delay": 50.5, "name": "quick"},
		{"every": 7.5, "delay": 100, "count": 1, "note": ["extra"], "name": null},
		{"cron": "@hourly", "name": "ping-3"},
		{"every": 3600}
	]}`))
	if err != nil {
		t.Fatal(err)
	}
	test := func(name string, every time.Duration, cron string, count int, spacing time.Duration) Test {
		t := usualTest
		t.Name, t.Every, t.Cron, t.Count, t.Spacing = name, every, cron, count, spacing
		t.FirstVersion = name == "ping" // the first
		return t
	}
	want := []Test{
		test("ping", time.Minute, "", 10, time.Second),
		test("quick", 90*time.Second, "", 5, 50500*time.Microsecond),
		test("ping-2", 7500*time.Millisecond, "", 1, 100*time.Millisecond),
		test("ping-3", 0, "@hourly", 10, time.Second),
		test("ping-4", time.Hour, "", 10, time.Second),
	}
	if diff := cmp.Diff(want, got.Tests); diff != "" {
		t.Error(diff)
	}
}

const everySixty = `{"schedule": [{"every": 60}]}`

const onePairOfProbes = `{"probes": [{"name": "p1", "proto": 4, "address": "10.0.0.1"}, {"name": "p2", "proto": 4, "address": "10.0.0.2"}]}`

func TestParseFirstVersionRefuses(t *testing.T) {
	probes := func(entries ...string) string {
		return "{\"probes\": [\n" + strings.Join(entries, ",\n") + "\n]}\n"
	}
	schedule := func(entries ...string) string {
		return "{\"schedule\": [\n" + strings.Join(entries, ",\n") + "\n]}\n"
	}
	for _, c := range []struct{ name, probes, schedule, want string }{
		{"empty", "", "", "probes.json:1: this is not JSON: unexpected end of JSON input\nschedule.json:1: this is not JSON: unexpected end of JSON input"},
		{"broken", "{\n\"probes\": [\n{]\n", "{}",
			"probes.json:3: this is not JSON: invalid character ']' looking for beginning of object key string\n" +
				`schedule.json:1: there is no list "schedule"; the file is {"schedule": [...]}`},
		{"more than one value", onePairOfProbes + "\n{}", `{"schedule": []}`, "probes.json:2: this is not JSON: invalid character '{' after top-level value"},
		{"not UTF-8", "{\n\"probes\": [\"\xff\"]}", `{"schedule": []}`, "probes.json:2: the text is not UTF-8; save the file in that encoding"},
		{"a list", "\n[]", `{"schedule": []}`, `probes.json:2: there is no list "probes"; the file is {"probes": [...]}`},
		{"no list", `{"probes": {}}`, `{"schedule": null}`,
			`probes.json:1: there is no list "probes"; the file is {"probes": [...]}` + "\n" +
				`schedule.json:1: there is no list "schedule"; the file is {"schedule": [...]}`},
		{"no probe", `{"probes": []}`, `{"schedule": []}`, "probes.json:1: the inventory has no probe; list at least one under probes"},
		{"no object", probes("5"), `{"schedule": [[]]}`,
			"probes.json:2: a probe is 5; it is an object with name, proto and address\n" +
				"schedule.json:1: an entry of schedule is []; it is an object with every or cron"},
		{"nothing in it", probes("{}"), `{"schedule": []}`,
			"probes.json:2: a probe has no name; it is a text of 1 to 63 bytes\n" +
				`probes.json:2: probe "": has no proto; it is the number 4 or 6` + "\n" +
				`probes.json:2: probe "": has no address; it is an IP address or a host name`},
		{"wrong types", probes("{\"name\": 5,\n\"proto\": \"4\",\n\"address\": [\n1]}"), `{"schedule": []}`,
			"probes.json:2: a probe has no name; it is a text of 1 to 63 bytes\n" +
				`probes.json:2: probe "": has no address; it is an IP address or a host name` + "\n" +
				`probes.json:3: probe "": proto is "4"; it is the number 4 or 6`},
		{"proto", probes(`{"name": "p1", "proto": 5, "address": "10.0.0.1"}`), `{"schedule": []}`,
			`probes.json:2: probe "p1": proto is 5; it is the number 4 or 6`},
		{"bad names", probes(`{"name": "", "proto": 4, "address": "10.0.0.1"}`, `{"name": "p\\", "proto": 4, "address": "10.0.0.2"}`), `{"schedule": []}`,
			`probes.json:2: probe "": the name is empty; a name has 1 to 63 bytes` + "\n" + `probes.json:3: probe "p\\": the name ends with a backslash`},
		{"a name twice", probes(`{"name": "p1", "proto": 4, "address": "10.0.0.1"}`, `{"name": "p1", "proto": 6, "address": "::1"}`,
			`{"name": "p1", "proto": 4, "address": "10.0.0.2"}`), `{"schedule": []}`,
			`probes.json:4: probe "p1": its proto 4 is in line 2 already`},
		{"a name that looks like another", probes(`{"name": "p1", "proto": 4, "address": "10.0.0.1"}`, `{"name": "p1\u200b", "proto": 6, "address": "::1"}`), `{"schedule": []}`,
			`probes.json:3: probe "p1\u200b": the name looks like that of probe "p1"; ` + retype},
		{"every in cron", onePairOfProbes, schedule(`{"cron": " @every 7m"}`), `schedule.json:2: test "ping": cron "@every 7m": write every: 7m instead of cron`},
		{"another family", probes("{\"name\": \"p1\", \"proto\": 6,\n\"address\": \"10.0.0.1\"}", `{"name": "p2", "proto": 4, "address": "::1"}`,
			`{"name": "p3", "proto": 6, "address": "::ffff:10.0.0.1"}`), `{"schedule": []}`,
			`probes.json:3: probe "p1": address 10.0.0.1 is not of proto 6` + "\n" + `probes.json:4: probe "p2": address ::1 is not of proto 4` + "\n" +
				`probes.json:5: probe "p3": address ::ffff:10.0.0.1 is not of proto 6`},
		{"neither entry of when", onePairOfProbes, schedule(`{"count": 5}`, `{"every": 60, "cron": "* * * * *", "name": "both"}`),
			`schedule.json:2: test "ping": has neither every nor cron; give one of them, such as every: 5m` + "\n" +
				`schedule.json:3: test "both": has both every and cron; give one of them`},
		{"out of range", onePairOfProbes, schedule(`{"every": 0}`, `{"every": "5m", "delay": -50}`, `{"every": "5m", "delay": 60001}`, `{"every": "5m", "count": 0}`),
			`schedule.json:2: test "ping": every 0s is out of range: 1s to 24h0m0s` + "\n" +
				`schedule.json:3: test "ping-2": delay is -50ms; it is 1ms to 1m0s` + "\n" +
				`schedule.json:4: test "ping-3": delay is 1m0.001s; it is 1ms to 1m0s` + "\n" +
				`schedule.json:5: test "ping-4": count is 0; it is 1 to 10000`},
		{"no numbers", onePairOfProbes, schedule(`{"every": true, "delay": "1s", "count": 1.5, "cron": 5, "name": {"a":` + "\n" + `"b"}}`),
			`schedule.json:2: name is {"a":"b"}; it is a text` + "\n" +
				`schedule.json:2: every is true; it is a number of seconds, or a text such as "5m"` + "\n" +
				"schedule.json:2: cron is 5; it is a text\n" +
				`schedule.json:2: delay is "1s"; it is a number of milliseconds` + "\n" +
				"schedule.json:2: count is 1.5; it is a whole number"},
		{"durations", onePairOfProbes, schedule(`{"every": "300"}`, `{"cron": "* *"}`),
			`schedule.json:2: test "ping": every "300" is not a duration; write a number with its unit, such as 250ms, 10s or 5m` + "\n" +
				`schedule.json:3: test "ping-2": cron "* *" does not parse (expected exactly 5 fields, found 2: [* *]); it has five fields, such as "*/5 * * * *"`},
		{"names of tests", onePairOfProbes, schedule(`{"every": 60, "name": "a"}`, "{\"every\": 60,\n\"name\": \"a\"}", `{"every": 60, "name": ""}`),
			`schedule.json:4: test "a": the name is taken by test "a" in line 2` + "\n" + `schedule.json:5: test "": the name is empty; a name has 1 to 63 bytes`},
		{"a long round", onePairOfProbes, schedule(`{"every": 16}`),
			`schedule.json:2: test "ping": a round takes up to 16s (probe "p1", 1 pairs), but the shortest interval is 16s; run it less often, or lower count, spacing or timeout`},
	} {
		t.Run(c.name, func(t *testing.T) {
			inv, err := ParseFirstVersion("probes.json", []byte(c.probes), "schedule.json", []byte(c.schedule))
			if messageOf(err) != c.want {
				t.Errorf("got:\n%v\nwant:\n%s", err, c.want)
			}
			if inv != nil {
				t.Error("an inventory came with the error")
			}
		})
	}
}

func TestHostNames(t *testing.T) {
	label := strings.Repeat("a", 63)
	for host, ok := range map[string]bool{
		"p1": true, "p1.example.net": true, "p1.example.net.": true, "P_1.example": true, "münchen.example": true, "1.p1": true, label + ".net": true,
		"": false, ".": false, "10.0.0.300": false, "10": false, "p1..net": false, "a b": false, "-c": false, "p1-.net": false,
		"http://p1": false, "p1:80": false, "2001:db8::g": false, "p1\n": false, label + "a.net": false,
		strings.Repeat(label+".", 4) + "net": false,
	} {
		text := fmt.Sprintf(`{"probes": [{"name": "p1", "proto": 4, "address": %q}]}`, host)
		_, err := ParseFirstVersion("probes.json", []byte(text), "", []byte(everySixty))
		want := ""
		if !ok {
			want = fmt.Sprintf(`probes.json:1: probe "p1": address %.80q is neither an IP address nor a host name`, host)
		}
		if messageOf(err) != want {
			t.Errorf("got %q, want %q", messageOf(err), want)
		}
	}
}
