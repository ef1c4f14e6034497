// Package needs lets a test say what it needs of the machine: root, network
// namespaces, an ICMP socket, a tool.
//
// It promises that nothing is left out in silence. A test whose need is not
// met is skipped and recorded with the reason and the remedy, or fails where
// IXPQOS_REQUIRE (names between commas) asks for that need. Records are lines
// in the file that IXPQOS_REPORT names, which test processes may share; `make
// test` prints them. Every need is looked at once in a process.
//
// A new tool is a row in the table, a function that looks for it and an
// exported one that tests call.
package needs

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Root asks for the rights of root.
func Root(t testing.TB) { t.Helper(); demand(t, table, "root") }

// Netns asks for what package lab is made of: root, the commands ip, bridge and
// nft, and a kernel that gives namespaces, veth pairs, bridges and nftables with
// its netdev family.
func Netns(t testing.TB) { t.Helper(); demand(t, table, "netns") }

// ICMP asks for a socket that can send echo requests, datagram or raw.
func ICMP(t testing.TB) { t.Helper(); demand(t, table, "icmp") }

// Systemd asks for systemd-analyze.
func Systemd(t testing.TB) { t.Helper(); demand(t, table, "systemd") }

// Nginx asks for the web server nginx.
func Nginx(t testing.TB) { t.Helper(); demand(t, table, "nginx") }

// SAM asks for the SAM CLI, and for Docker with a daemon that runs or that root
// can start.
func SAM(t testing.TB) { t.Helper(); demand(t, table, "sam") }

// Scapy asks for the dissector scapy in the cache of infra/dissect/install. It
// gives the path of the Python that has it.
func Scapy(t testing.TB) string {
	t.Helper()
	demand(t, table, "scapy")
	python, _ := findScapy()
	return python
}

// Tshark asks for the dissector tshark.
func Tshark(t testing.TB) { t.Helper(); demand(t, table, "tshark") }

// Git asks for the command git and for a checkout around the test.
func Git(t testing.TB) { t.Helper(); demand(t, table, "git") }

// Influxd asks for an InfluxDB 2: that of INFLUX_URL, or an influxd on PATH or
// in the cache of infra/influx/influxd. It gives the path of the binary, and
// nothing where INFLUX_URL is set.
func Influxd(t testing.TB) string {
	t.Helper()
	demand(t, table, "influxd")
	if os.Getenv("INFLUX_URL") != "" {
		return ""
	}
	path, _ := findInfluxd()
	return path
}

// Time asks for more time than `make check` has: it is there without -short.
func Time(t testing.TB) { t.Helper(); demand(t, table, "time") }

// A need is one thing of the machine.
type need struct {
	name   string
	lacks  func() error // nil where it is there
	remedy string
}

var table = []need{
	{"root", sync.OnceValue(lacksRoot), "run the tests as root"},
	{"netns", sync.OnceValue(lacksNetns), "run as root with iproute2 and nftables installed"},
	{"icmp", sync.OnceValue(lacksICMP), "grant CAP_NET_RAW, or set net.ipv4.ping_group_range to a range with your group in it"},
	{"systemd", sync.OnceValue(lacksSystemd), "install systemd (it need not run)"},
	{"nginx", sync.OnceValue(lacksNginx), "install nginx (nginx-light is enough; it need not run), with its folder in PATH"},
	{"sam", sync.OnceValue(lacksSAM), "run infra/sam/install as root, which installs the SAM CLI in a cache and Debian's Docker"},
	{"scapy", sync.OnceValue(lacksScapy), "run infra/dissect/install, which installs scapy in a cache"},
	{"tshark", sync.OnceValue(lacksTshark), "install tshark"},
	{"git", sync.OnceValue(lacksGit), "install git and test in a checkout"},
	{"influxd", sync.OnceValue(lacksInfluxd), "run infra/influx/influxd, which builds one once, put one on PATH, or set INFLUX_URL and INFLUX_TOKEN (an operator's)"},
	{"time", sync.OnceValue(lacksTime), "run without -short (make test)"},
}

// elsewhere are the names in IXPQOS_REQUIRE that no test asks for: infra/ci/test
// sees to the race detector.
var elsewhere = []string{"race"}

// demand goes on where the need is met, and otherwise ends the test.
func demand(t testing.TB, known []need, name string) {
	t.Helper()
	required, err := parseRequired(known, os.Getenv("IXPQOS_REQUIRE"))
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(known, func(n need) bool { return n.name == name })
	lack := known[i].lacks()
	switch {
	case lack == nil:
		record(t, "ran "+name)
	case slices.Contains(required, name):
		t.Fatalf("IXPQOS_REQUIRE asks for %s: %v; to have it, %s", name, lack, known[i].remedy)
	default:
		reason := fmt.Sprintf("%s: %v; to have it, %s", name, lack, known[i].remedy)
		record(t, fmt.Sprintf("left out: %s: %s", title(t), reason))
		t.Skip(reason)
	}
}

// parseRequired reads IXPQOS_REQUIRE. A misspelt name must not pass for a need
// that was met.
func parseRequired(known []need, list string) ([]string, error) {
	names := slices.Clone(elsewhere)
	for _, n := range known {
		names = append(names, n.name)
	}
	var required []string
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		if !slices.Contains(names, name) {
			slices.Sort(names)
			return nil, fmt.Errorf("IXPQOS_REQUIRE=%s: %q is not known; known are %s", list, name, strings.Join(names, ", "))
		}
		required = append(required, name)
	}
	return required, nil
}

// title names a test with its package, as the test binary is called after it.
func title(t testing.TB) string {
	return strings.TrimSuffix(filepath.Base(os.Args[0]), ".test") + "." + t.Name()
}

// record appends a line to the report. One write in append mode keeps the
// lines of several processes apart (open(2), O_APPEND).
func record(t testing.TB, line string) {
	t.Helper()
	path := os.Getenv("IXPQOS_REPORT")
	if path == "" {
		return
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatalf("IXPQOS_REPORT: %v", err)
	}
	_, err = f.WriteString(strings.ReplaceAll(line, "\n", " ") + "\n")
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		t.Fatalf("IXPQOS_REPORT: %v", err)
	}
}
