package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"ixpqos/infra/lab/exchange"
	"ixpqos/infra/needs"
)

// role is the environment variable that makes the test binary a tool of its own
// tests.
const role = "IXPQOS_LABCMD_ROLE"

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(role) {
	case "lab":
		main()
	case "exchange":
		err = stand()
	case "fetch":
		err = fetch(os.Args[1])
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// stand is the lab's exchange without programs on it, until standard input ends.
func stand() error {
	x, err := exchange.New(prefix, exchange.Options{})
	if err != nil {
		return err
	}
	fmt.Println("it stands")
	_, err = io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, x.Close())
}

// fetch prints what a URL gives.
func fetch(url string) error {
	answer, err := http.Get(url)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(os.Stdout, answer.Body)
	return err
}

// machine is one for a test alone: a network and namespaces that others see
// nothing of.
type machine struct {
	t  *testing.T
	id int // of a process in it
}

func newMachine(t *testing.T) machine {
	t.Helper()
	needs.Netns(t)
	keeper := exec.CommandContext(t.Context(), "unshare", "--net", "--mount",
		"sh", "-c", "mount -t tmpfs tmpfs /run && echo ready && exec cat")
	out := begin(t, keeper)
	if line := make([]byte, len("ready\n")); !reads(out, line) {
		t.Fatalf("unshare: %q", line)
	}
	return machine{t, keeper.Process.Pid}
}

func reads(from io.Reader, into []byte) bool {
	_, err := io.ReadFull(from, into)
	return err == nil
}

// begin starts a command that ends when its standard input does, at the latest
// with the test.
func begin(t *testing.T, cmd *exec.Cmd) io.Reader {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	return out
}

// command makes one that runs on the machine.
func (m machine) command(as, program string, args ...string) *exec.Cmd {
	cmd := exec.Command("nsenter", append([]string{"--target", strconv.Itoa(m.id), "--net", "--mount", program}, args...)...)
	cmd.Env = append(os.Environ(), role+"="+as, "GORACE=atexit_sleep_ms=0")
	return cmd
}

type ended struct {
	status      int
	out, errOut string
}

// run runs a command to its end.
func run(t *testing.T, cmd *exec.Cmd) ended {
	t.Helper()
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatal(err)
	}
	return ended{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
}

// lab runs a command of the lab's program.
func (m machine) lab(args ...string) ended {
	m.t.Helper()
	return run(m.t, m.command("lab", os.Args[0], args...))
}

// clean fails where something of a lab is left.
func (m machine) clean() {
	m.t.Helper()
	left := run(m.t, m.command("", "sh", "-c", "ip netns list; ip -o link show | grep "+outside+"; ls -d "+folder))
	if left.out != "" {
		m.t.Errorf("there is left: %s", left.out)
	}
}

// says fails where a command does not end with a status and one line.
func (e ended) says(t *testing.T, status int, line string) {
	t.Helper()
	if e.status != status || e.errOut != "ixpqos-lab: "+line+"\n" || e.out != "" {
		t.Errorf("status %d, said %q and %q; want status %d and %q", e.status, e.out, e.errOut, status, line)
	}
}

func TestNoLabRuns(t *testing.T) {
	m := newMachine(t)
	m.lab("fault", "--heal").says(t, 1, "no lab is running: start one with make lab, in another terminal")
}

func TestFaultsThatAreAskedForWrongly(t *testing.T) {
	m := newMachine(t)
	for _, tc := range []struct{ args, want string }{
		{"", "what to do is missing: LOSS, DELAY, DSCP, REORDER, DUPLICATE or DEAD of a link, or HEAL=1, or SHOW=1"},
		{"--dead", "the link is missing: LINK=sw1-sw2"},
		{"--link=sw1-sw2 --direction=forward --loss=5", "where the fault is to be is missing: LINK=sw1-sw2 MEMBER=3 DIRECTION=forward"},
		{"--loss=5 --heal", "a fault of a member, DEAD, HEAL and SHOW are one command each"},
		{"--show --link=sw1-sw2", "HEAL and SHOW are for the whole exchange: leave out LINK"},
		{"--heal --link=sw1-sw2 --member=3 --direction=forward", "HEAL and SHOW are for the whole exchange: leave out LINK, MEMBER, DIRECTION"},
		{"--dead --link=sw1-sw2 --member=3", "DEAD is for a whole link: leave out MEMBER"},
		{"--dead --direction=forward", "the link is missing: LINK=sw1-sw2"},
		{"--loss=much", `--loss: expected a float but got "much" (string)`},
	} {
		got := m.lab(append([]string{"fault"}, strings.Fields(tc.args)...)...)
		if got.status != 2 || !strings.Contains(got.errOut, tc.want) || strings.Count(got.errOut, "\n") != 1 {
			t.Errorf("%s: status %d, %q; want %q", tc.args, got.status, got.errOut, tc.want)
		}
	}
}

func TestFaults(t *testing.T) {
	m := newMachine(t)
	if line := make([]byte, len("it stands\n")); !reads(begin(t, m.command("exchange", os.Args[0])), line) {
		t.Fatalf("the exchange: %q", line)
	}
	at := func(what ...string) []string {
		return append([]string{"fault", "--link=sw1-sw2", "--member=3", "--direction=forward"}, what...)
	}
	m.lab("fault", "--link=sw1-sw3", "--dead").says(t, 2, `link "sw1-sw3": there are sw1-sw2, sw2-sw3, sw2-sw4`)
	m.lab("fault", "--link=sw1-sw2", "--member=8", "--direction=forward", "--loss=5").says(t, 2, "member 8 of link sw1-sw2: it is 0 to 7")
	m.lab("fault", "--link=sw1-sw2", "--member=0", "--direction=up", "--loss=5").says(t, 2,
		`direction "up" of link sw1-sw2: it is forward (from sw1 to sw2) or backward`)
	m.lab(at("--loss=101")...).says(t, 2, "101 % of the packets: it is 0.01 to 100")
	m.shows("nothing is broken\n", "fault", "--heal")

	m.shows("sw1-sw2 member 3 forward: loss of 5 %, 0 packets so far\n", at("--loss=5")...)
	m.shows(`sw1-sw2 member 3 forward: loss of 5 %, 0 packets so far
sw1-sw2 member 3 forward: DSCP 8, 0 packets so far
sw1-sw2 member 3 forward: delay of 1ms, 0 packets so far
sw1-sw2 member 3 forward: 5 % held back by 400ms, 0 packets so far
sw1-sw2 member 3 forward: 2.5 % duplicated, 0 packets so far
`, at("--delay=1ms", "--dscp=8", "--reorder=5", "--duplicate=2.5")...)
	m.shows("nothing is broken\n", "fault", "--heal")
	if got := m.lab("fault", "--link=sw2-sw4", "--dead"); strings.Count(got.out, "dead link") != 16 {
		t.Errorf("a dead link of 8 members is shown as %q, %q", got.out, got.errOut)
	}

	one := m.command("", "ip", "netns", "exec", prefix+"p1", "bash", "-c", "echo >/dev/udp/198.18.0.4/862")
	if got := run(t, one); got.status != 0 {
		t.Fatalf("send a packet: %s", got.errOut)
	}
	// Hosts send a little of their own, such as MLD reports: that is no flow, but the
	// dead link loses it too.
	got := m.lab("fault", "--show")
	flow := regexp.MustCompile(`(?m)^(\S+ member \d forward): 1 flows\n  198\.18\.0\.1 → 198\.18\.0\.4: ports \d+→862, 1 packets$`)
	met := flow.FindAllStringSubmatch(got.out, -1)
	if len(met) != 2 || !strings.HasPrefix(met[0][1], "sw1-sw2 ") || !strings.HasPrefix(met[1][1], "sw2-sw4 ") {
		t.Fatalf("a packet that crosses two links is shown as %s%s", got.out, got.errOut)
	}
	if !regexp.MustCompile(`(?m)^` + met[1][1] + `: dead link, [1-9]\d* packets so far$`).MatchString(got.out) {
		t.Errorf("a packet that %s lost is shown as %s%s", met[1][1], got.out, got.errOut)
	}
}

func (m machine) shows(want string, args ...string) {
	m.t.Helper()
	if got := m.lab(args...); got.status != 0 || got.out != want || got.errOut != "" {
		m.t.Errorf("%v: status %d, %q, %q; want %q", args, got.status, got.out, got.errOut, want)
	}
}

func TestByHosts(t *testing.T) {
	var flows []exchange.Flow
	for _, f := range []struct {
		target string
		port   uint16
	}{{"198.18.0.2", 61000}, {"198.18.0.2", 61004}, {"198.18.0.3", 61001}} {
		flows = append(flows, exchange.Flow{Source: netip.MustParseAddr("198.18.0.1"), Destination: netip.MustParseAddr(f.target),
			SourcePort: f.port, DestinationPort: 862, Packets: 10})
	}
	got := strings.Join(byHosts(flows), "\n")
	want := "198.18.0.1 → 198.18.0.2: ports 61000→862 61004→862, 20 packets\n198.18.0.1 → 198.18.0.3: ports 61001→862, 10 packets"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestAProgramIsMissing looks at a lab that cannot start its server.
func TestAProgramIsMissing(t *testing.T) {
	m := newMachine(t)
	got := m.lab("run", "--bin", "/nowhere")
	if got.status != 1 || !strings.Contains(got.errOut, "server ended") || strings.Count(got.errOut, "\n") != 1 {
		t.Errorf("status %d, %q", got.status, got.errOut)
	}
	m.clean()
}
