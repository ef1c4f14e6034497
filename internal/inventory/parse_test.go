package inventory

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	keyA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	keyB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbB"
)

// full uses every key there is.
const full = `# The exchange of the examples
exchange: Example-IX
sites: [{name: rome-1, switches: [sw1]}, {name: rome-2, switches: [sw2, sw3]}, {name: store}]
links:
  - {name: sw1-sw2, between: [sw1, sw2], members: 8}
  - {name: sw2-sw3, between: [sw2, sw3], members: 1, hash: l3}
probes:
  - name: p1
    site: rome-1
    switch: sw1
    addresses: [192.0.2.1, "2001:DB8:0::1"]
    interface: eth0.100
    key_sha256:
      - ` + keyA + `
    drain: true
  - {name: p2, switch: sw2, addresses: [192.0.2.2], reflector_port: 8620, stateless: true}
targets:
  - {name: rs1, site: rome-1, addresses: [192.0.2.250]}
  - {name: rs2, addresses: ["2001:db8::250"], answers: [icmp, stamp], reflector_port: 4862, stateful: true}
viewers:
  - {name: noc, key_sha256: [` + keyB + `]}
tests:
  - {name: ping, kind: icmp, every: 5m}
  - name: small
    kind: icmp
    cron: "30 4 * * *"
    count: 20
    spacing: 250ms
    timeout: 2500ms
    size: 52
    dscp: 46
    families: [4]
    sources: [p1]
    targets: [p2, rs1]
    first_version: true
  - {name: fabric, kind: stamp}
  - name: jumbo
    kind: stamp
    interval: 30s
    flows: 4
    port: 40000
    spacing: 1500ms
    size: 9000
    df: true
    dscp: 10
    families: [6]
    sources: [p1]
    targets: [rs2]
`

func TestParseYAML(t *testing.T) {
	got, err := ParseYAML("inventory.yaml", []byte(full))
	if err != nil {
		t.Fatal(err)
	}
	want := &Inventory{
		Exchange: "Example-IX",
		Sites:    []Site{{"rome-1", []string{"sw1"}}, {"rome-2", []string{"sw2", "sw3"}}, {Name: "store"}},
		Links:    []Link{{"sw1-sw2", [2]string{"sw1", "sw2"}, 8, "l4"}, {"sw2-sw3", [2]string{"sw2", "sw3"}, 1, "l3"}},
		Probes: []Probe{
			{Node: Node{"p1", "rome-1", "sw1", []Address{{4, "192.0.2.1"}, {6, "2001:db8::1"}}, DefaultReflectorPort},
				Interface: "eth0.100", KeyHashes: hashes32(t, keyA), Drain: true},
			{Node: Node{"p2", "rome-2", "sw2", []Address{{4, "192.0.2.2"}}, 8620}, Stateless: true},
		},
		Targets: []Target{
			{Node{"rs1", "rome-1", "", []Address{{4, "192.0.2.250"}}, DefaultReflectorPort}, []string{"icmp"}, false},
			{Node{"rs2", "", "", []Address{{6, "2001:db8::250"}}, 4862}, []string{"icmp", "stamp"}, true},
		},
		Viewers: []Viewer{{"noc", hashes32(t, keyB)}},
		Tests: []Test{
			{Name: "ping", Kind: "icmp", Every: 5 * time.Minute, Count: 10, Spacing: time.Second,
				Timeout: 5 * time.Second, Size: 84, Families: []uint8{4, 6}},
			{Name: "small", Kind: "icmp", Cron: "30 4 * * *", Count: 20, Spacing: 250 * time.Millisecond,
				Timeout: 2500 * time.Millisecond, Size: 52, DSCP: 46, Families: []uint8{4},
				Sources: []string{"p1"}, Targets: []string{"p2", "rs1"}, FirstVersion: true},
			{Name: "fabric", Kind: "stamp", Every: 10 * time.Second, Flows: 16, Port: 61000, Spacing: 250 * time.Millisecond,
				Size: 128, Families: []uint8{4, 6}},
			{Name: "jumbo", Kind: "stamp", Every: 30 * time.Second, Flows: 4, Port: 40000, Spacing: 1500 * time.Millisecond,
				Size: 9000, DontFragment: true, DSCP: 10, Families: []uint8{6}, Sources: []string{"p1"}, Targets: []string{"rs2"}},
		},
		Version: got.Version,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func hashes32(t *testing.T, texts ...string) (hashes [][32]byte) {
	t.Helper()
	for _, text := range texts {
		hash, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, [32]byte(hash))
	}
	return hashes
}

const (
	onePing   = "tests: [{name: ping, kind: icmp, every: 5m}]\n"
	twoProbes = "probes: [{name: p1, addresses: [192.0.2.1]}, {name: p2, addresses: [192.0.2.2]}]\n"
)

// withProbes has its entries in line 3 and further.
func withProbes(entries ...string) string {
	return onePing + "probes:\n- " + strings.Join(entries, "\n- ") + "\n"
}

// withTests has its entries in line 3 and further.
func withTests(entries ...string) string {
	return twoProbes + "tests:\n- " + strings.Join(entries, "\n- ") + "\n"
}

// with has its lines in line 3 and further.
func with(lines ...string) string {
	return onePing + twoProbes + strings.Join(lines, "\n") + "\n"
}

// The file may be written in every way that YAML has.
func TestParseYAMLStyles(t *testing.T) {
	plain := with("exchange: Rome")
	for name, text := range map[string]string{
		"byte order mark":  "\ufeff" + plain,
		"line ends of DOS": strings.ReplaceAll(plain, "\n", "\r\n"),
		"document markers": "%YAML 1.2\n---\n" + plain + "...\n",
		"an empty second":  plain + "---\n",
		"no end of line":   strings.TrimSuffix(plain, "\n"),
		"quotes":           strings.NewReplacer("Rome", `"Ro\u006de"`, "p1", "'p1'", "exchange", `"exchange"`).Replace(plain),
		"explicit keys":    strings.Replace(plain, "exchange: Rome", "? exchange\n: Rome", 1),
		"block text":       strings.Replace(plain, "exchange: Rome", "exchange: >-\n  Rome", 1),
		"comments":         "# first\n" + strings.ReplaceAll(plain, "\n", " # why\n"),
		"alias":            strings.NewReplacer("name: ping", "name: &n ping", "kind: icmp", "kind: &k icmp").Replace(plain),
		"anchored root":    "&all\n" + plain,
	} {
		want, err := ParseYAML("inventory.yaml", []byte(plain))
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseYAML("inventory.yaml", []byte(text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// Addresses need quotes only where YAML itself wants them.
func TestBareAddresses(t *testing.T) {
	for _, text := range []string{
		"{name: p9, addresses: [192.0.2.9, 2001:db8::9]}",
		"{name: p9, addresses: [192.0.2.9,2001:db8::9]}",
		"{name: p9, addresses: [ 192.0.2.9, 2001:db8::9 ]}",
		"{addresses: [\n  192.0.2.9,\n  2001:db8::9], name: p9}",
		"name: p9\n  addresses: [192.0.2.9, 2001:db8::9]",
		"name: p9\n  addresses:\n  - 192.0.2.9\n  - 2001:db8::9",
		"name: p9\n  addresses:\n  - 192.0.2.9\n  - '2001:db8::9'",
	} {
		inv, err := ParseYAML("inventory.yaml", []byte(withProbes(text)))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if diff := cmp.Diff([]Address{{4, "192.0.2.9"}, {6, "2001:db8::9"}}, inv.Probes[0].Addresses); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}

// A name may look like a number, and stays what was written.
func TestNamesStayText(t *testing.T) {
	for _, name := range []string{"1.10", "007", "1e5", "true", "0x1f", "1_000", ".inf", ".nan"} {
		inv, err := ParseYAML("inventory.yaml", []byte(withProbes("{name: "+name+", addresses: [192.0.2.1]}")))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got := inv.Probes[0].Name; got != name {
			t.Errorf("name %s became %s", name, got)
		}
	}
}

func TestMergedMappings(t *testing.T) {
	inv, err := ParseYAML("inventory.yaml", []byte(withTests(
		"&base {name: a, kind: icmp, every: 5m, count: 3, size: 100}",
		"&other {name: b, kind: icmp, every: 5m, dscp: 8, size: 200}",
		"{<<: *base, name: c, count: 4}",
		"{<<: [*base, *other], name: d}",
		"{<<: {kind: icmp, every: 1h}, name: e}",
	)))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, test := range inv.Tests {
		got = append(got, fmt.Sprint(test.Name, " ", test.Every, " ", test.Count, " ", test.Size, " ", test.DSCP))
	}
	want := []string{"a 5m0s 3 100 0", "b 5m0s 10 200 8", "c 5m0s 4 100 0", "d 5m0s 3 100 8", "e 1h0m0s 10 84 0"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestVersion(t *testing.T) {
	version := func(text string) string {
		t.Helper()
		inv, err := ParseYAML("inventory.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return inv.Version
	}
	base := version(full)
	if raw, err := hex.DecodeString(base); err != nil || len(raw) != 6 {
		t.Errorf("version %q is not 6 bytes in hex", base)
	}
	for change, text := range map[string]string{
		"a comment":            full + "# more\n",
		"a key":                strings.Replace(full, keyA, strings.Repeat("c", 64), 1),
		"no viewers":           strings.Replace(full, "viewers:\n  - {name: noc, key_sha256: ["+keyB+"]}\n", "", 1),
		"a default spelled":    strings.Replace(full, "every: 5m}", "every: 300s, count: 10}", 1),
		"an address rewritten": strings.Replace(full, "2001:DB8:0::1", "2001:db8::1", 1),
	} {
		if text == full || version(text) != base {
			t.Errorf("%s changed the version", change)
		}
	}
	for change, text := range map[string]string{
		"the exchange": strings.Replace(full, "Example-IX", "Other-IX", 1),
		"an address":   strings.Replace(full, "192.0.2.2]", "192.0.2.3]", 1),
		"drain":        strings.Replace(full, "drain: true", "drain: false", 1),
		"a test":       strings.Replace(full, "every: 5m", "every: 10m", 1),
		"flows":        strings.Replace(full, "flows: 4", "flows: 5", 1),
		"a port":       strings.Replace(full, "port: 40000", "port: 40001", 1),
		"df":           strings.Replace(full, "df: true", "df: false", 1),
		"a reflector":  strings.Replace(full, "reflector_port: 8620", "reflector_port: 8621", 1),
		"stateless":    strings.Replace(full, "stateless: true", "stateless: false", 1),
	} {
		if version(text) == base {
			t.Errorf("%s did not change the version", change)
		}
	}
}

// A round of one probe to 256 pairs takes 1 + 10 + 5 seconds, to 257 it takes 31.
func TestRoundFits(t *testing.T) {
	for _, c := range []struct {
		targets int
		every   string
		want    string
	}{
		{256, "17s", ""},
		{256, "16s", `i.yaml:4: test "ping": a round takes up to 16s (probe "p1", 256 pairs), but the shortest interval is 16s; run it less often, or lower count, spacing or timeout`},
		{257, "32s", ""},
		{257, "31s", `i.yaml:4: test "ping": a round takes up to 31s (probe "p1", 257 pairs), but the shortest interval is 31s; run it less often, or lower count, spacing or timeout`},
	} {
		var targets strings.Builder
		for i := range c.targets {
			fmt.Fprintf(&targets, "{name: t%d, addresses: [10.0.%d.%d]}, ", i, i/250, 1+i%250)
		}
		text := "probes: [{name: p1, addresses: [192.0.2.1]}]\ntargets: [" + targets.String() + "]\n" +
			"tests:\n- {name: ping, kind: icmp, every: " + c.every + "}\n"
		_, err := ParseYAML("i.yaml", []byte(text))
		if got := messageOf(err); got != c.want {
			t.Errorf("%d targets every %s: got %q, want %q", c.targets, c.every, got, c.want)
		}
	}
}

func messageOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestProblemsAreTyped(t *testing.T) {
	_, err := ParseYAML("inventory.yaml", []byte(withProbes("{name: p1, addresses: [x]}")))
	var problem Problem
	if !errors.As(err, &problem) {
		t.Fatalf("%v holds no Problem", err)
	}
	want := Problem{File: "inventory.yaml", Line: 3, Message: `probe "p1": address "x" is not an IP address`}
	if problem != want {
		t.Errorf("got %+v, want %+v", problem, want)
	}
}

// All problems are told, in the order of the file, but no flood of them.
func TestProblemsAreCapped(t *testing.T) {
	var entries []string
	for i := range 25 {
		entries = append(entries, fmt.Sprintf("{name: p%d, addresses: [bad]}", i))
	}
	_, err := ParseYAML("inventory.yaml", []byte(withProbes(entries...)))
	lines := strings.Split(messageOf(err), "\n")
	if len(lines) != 21 || lines[20] != "and 5 more problems" {
		t.Fatalf("got %d lines, the last %q", len(lines), lines[len(lines)-1])
	}
	for i, line := range lines[:20] {
		if want := fmt.Sprintf(`inventory.yaml:%d: probe "p%d": address "bad" is not an IP address`, i+3, i); line != want {
			t.Errorf("got %q, want %q", line, want)
		}
	}
}

// A hint lists what there is, unless that is too much to read.
func TestHintsStayShort(t *testing.T) {
	var probes, names []string
	for i := range 25 {
		names = append(names, fmt.Sprintf("rome-%02d", i))
		probes = append(probes, fmt.Sprintf("{name: %s, addresses: [10.0.0.%d]}", names[i], i+1))
	}
	text := withProbes(probes...)
	text = strings.Replace(text, "every: 5m", "every: 5m, sources: [milan]", 1)
	_, err := ParseYAML("i.yaml", []byte(text))
	want := `i.yaml:1: test "ping": sources has "milan", which is no probe; there are ` + strings.Join(names[:20], ", ") + " and others"
	if messageOf(err) != want {
		t.Errorf("got:  %v\nwant: %s", err, want)
	}
}
