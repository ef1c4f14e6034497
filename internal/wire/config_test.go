package wire_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ixpqos/internal/inventory"
	"ixpqos/internal/wire"
)

const exchange = `
exchange: Example-IX
sites: [{name: rome-1, switches: [sw1]}, {name: rome-2, switches: [sw2]}]
probes:
  - {name: p1, site: rome-1, switch: sw1, addresses: [192.0.2.1, "2001:db8::1"], interface: eth0,
     key_sha256: [e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855]}
  - {name: p2, site: rome-2, switch: sw2, addresses: [192.0.2.2]}
  - {name: p3, addresses: [192.0.2.3], reflector_port: 8620, stateless: true}
targets:
  - {name: rs1, site: rome-1, switch: sw1, addresses: [192.0.2.250], answers: [icmp]}
  - {name: rs2, addresses: [192.0.2.251], answers: [stamp], reflector_port: 4000}
tests:
  - {name: ping, kind: icmp, every: 5m, count: 10, spacing: 1s}
  - {name: night, kind: icmp, cron: "0 3 * * *", count: 7, spacing: 1500us, timeout: 2001234us, size: 1400, dscp: 46, families: [6]}
  - {name: some, kind: icmp, every: 90s, count: 1, spacing: 10ms, sources: [p1], targets: [rs1]}
  - {name: fabric, kind: stamp, flows: 4, port: 40000, spacing: 300ms, interval: 20s, size: 1500, df: true, dscp: 10, sources: [p2, p3], targets: [p1, rs2]}
`

func part(t testing.TB, probe string) inventory.Part {
	t.Helper()
	inv, err := inventory.ParseYAML("inventory.yaml", []byte(exchange))
	if err != nil {
		t.Fatal(err)
	}
	part, ok := inv.Part(probe)
	if !ok {
		t.Fatalf("there is no probe %s", probe)
	}
	return part
}

func TestConfigComesBackAsItWas(t *testing.T) {
	for _, want := range []inventory.Part{part(t, "p1"), part(t, "p2"), part(t, "p3"), {Probe: "alone", Inventory: "0", ReflectorPort: 862}} {
		body := marshal(t, wire.FromPart(want))
		got, unknown, err := wire.DecodeConfig(body)
		if err != nil || unknown != "" {
			t.Fatalf("%v, %q", err, unknown)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if strings.Contains(string(body), "e3b0c442") {
			t.Errorf("it carries a key: %s", body)
		}
	}
}

func TestConfigOnTheWire(t *testing.T) {
	p := part(t, "p1")
	p.Inventory, p.Tests = "4f1d", []inventory.Test{p.Tests[1], p.Tests[3]}
	const want = `{"probe":"p1","inventory":"4f1d","addresses":[{"family":4,"host":"192.0.2.1"},{"family":6,"host":"2001:db8::1"}],"interface":"eth0",` +
		`"peers":[{"name":"p2","addresses":[{"family":4,"host":"192.0.2.2"}]},{"name":"p3","addresses":[{"family":4,"host":"192.0.2.3"}],"reflector_port":8620,"stateless":true},` +
		`{"name":"rs1","addresses":[{"family":4,"host":"192.0.2.250"}],"answers":["icmp"]},{"name":"rs2","addresses":[{"family":4,"host":"192.0.2.251"}],"answers":["stamp"],"reflector_port":4000}],` +
		`"tests":[{"name":"night","kind":"icmp","cron":"0 3 * * *","count":7,"spacing_ms":1.5,"timeout_ms":2001.234,"size":1400,"dscp":46,"families":[6]},` +
		`{"name":"fabric","kind":"stamp","every_s":20,"flows":4,"port":40000,"spacing_ms":300,"size":1500,"df":true,"dscp":10,"families":[4,6],"sources":["p2","p3"],"targets":["p1","rs2"]}]}`
	if got := marshal(t, wire.FromPart(p)); string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// A server that knows nothing of reflectors, or leaves the usual out, means the
// usual.
func TestAbsentReflectorsAreTheUsual(t *testing.T) {
	got, _, err := wire.DecodeConfig([]byte(`{"probe":"p1","peers":[{"name":"p2"},{"name":"rs","answers":["stamp"]}],"tests":[]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := inventory.Part{Probe: "p1", ReflectorPort: 862, Peers: []inventory.Peer{
		{Name: "p2", ReflectorPort: 862, Stateful: true}, {Name: "rs", Answers: []string{"stamp"}, ReflectorPort: 862}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestUnknownKeysOfAConfigAreTold(t *testing.T) {
	want := part(t, "p1")
	body := string(marshal(t, wire.FromPart(want)))
	for name, more := range map[string]string{
		"at the top":    strings.Replace(body, `{"probe"`, `{"colour":"red","probe"`, 1),
		"in a peer":     strings.Replace(body, `{"name":"p2"`, `{"colour":"red","name":"p2"`, 1),
		"in a test":     strings.Replace(body, `{"name":"ping"`, `{"colour":[1],"name":"ping"`, 1),
		"in an address": strings.Replace(body, `{"family":4`, `{"colour":null,"family":4`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			got, unknown, err := wire.DecodeConfig([]byte(more))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(unknown, `"colour"`) || !strings.Contains(unknown, "update the probe") {
				t.Errorf("it was told %q", unknown)
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestConfigThatCannotBeRead(t *testing.T) {
	good := string(marshal(t, wire.FromPart(part(t, "p1"))))
	for _, c := range []struct{ name, body, want string }{
		{"nothing", "", "unexpected end of JSON input"},
		{"a page", "<html>", "invalid character '<'"},
		{"null", "null", "a JSON null is not what belongs here"},
		{"a list", "[]", "a JSON array is not what belongs here"},
		{"cut", good[:len(good)-1], "unexpected end of JSON input"},
		{"wrong type", `{"tests":[{"name":"a","count":"ten"}]}`, "count: a JSON string is not what belongs here"},
		{"negative spacing", `{"tests":[{"name":"a","spacing_ms":-1}]}`, `the configuration's test "a": spacing_ms is -1; it is out of range`},
		{"endless timeout", `{"tests":[{"name":"a","timeout_ms":1e300}]}`, `the configuration's test "a": timeout_ms is 1e+300; it is out of range`},
		{"an unknown family", `{"tests":[{"name":"a","families":[4,260]}]}`, `the configuration's test "a": families has 260; a family is 4 or 6`},
		{"a port that is none", `{"tests":[{"name":"a","port":70000}]}`, "port: "},
		{"a reflector's port that is none", `{"peers":[{"name":"a","reflector_port":-1}]}`, "reflector_port: "},
		{"negative period", `{"tests":[{"name":"a","every_s":-0.5}]}`, `the configuration's test "a": every_s is -0.5; it is out of range`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, _, err := wire.DecodeConfig([]byte(c.body)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v; want one with %q", err, c.want)
			}
		})
	}
}

// FuzzDecodeConfig: any bytes may be refused, but what is read is written and
// read again as the same.
func FuzzDecodeConfig(f *testing.F) {
	good := marshal(f, wire.FromPart(part(f, "p1")))
	f.Add([]byte(good))
	f.Add([]byte(good[:len(good)/2]))
	f.Add([]byte(`{"tests":[{"every_s":0.1,"spacing_ms":1e-7,"families":[4,6]}],"more":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		read, _, err := wire.DecodeConfig(body)
		if err != nil {
			return
		}
		for _, test := range read.Tests {
			for _, d := range []time.Duration{test.Every, test.Spacing, test.Timeout} {
				if d < 0 || d > 366*24*time.Hour {
					t.Fatalf("test %q has a duration of %v", test.Name, d)
				}
			}
		}
		written, err := json.Marshal(wire.FromPart(read))
		if err != nil {
			t.Fatal(err)
		}
		again, unknown, err := wire.DecodeConfig(written)
		if err != nil || unknown != "" {
			t.Fatalf("%v, %q", err, unknown)
		}
		if diff := cmp.Diff(read, again, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("(-first +second):\n%s", diff)
		}
	})
}

// TestStatefulTargets: of a target's reflector nothing is known where nothing is
// said, and probes' reflectors number their replies unless it is said that they
// do not.
func TestStatefulTargets(t *testing.T) {
	want := inventory.Part{Probe: "p1", ReflectorPort: 862}
	for _, p := range []inventory.Peer{
		{Name: "p2", Stateful: true}, {Name: "p3"},
		{Name: "rs1", Answers: []string{"stamp"}}, {Name: "rs2", Answers: []string{"stamp"}, Stateful: true},
	} {
		p.ReflectorPort = 862
		want.Peers = append(want.Peers, p)
	}
	body := marshal(t, wire.FromPart(want))
	got, unknown, err := wire.DecodeConfig(body)
	if err != nil || unknown != "" {
		t.Fatalf("%v, %q", err, unknown)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := strings.Count(string(body), `"stateful":true`); n != 1 {
		t.Errorf("%d peers are said to be stateful: %s", n, body)
	}
}
