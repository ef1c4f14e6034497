package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ixpqos/infra/lab"
	"ixpqos/infra/needs"
	"ixpqos/internal/ippm"
	"ixpqos/internal/wire"
)

// exchange is a server's host and its configuration.
type exchange struct {
	t         *testing.T
	lab       *lab.Lab // nil where hosts are entered
	host      *lab.Host
	address   string // of the server
	dir       string
	inventory string
	viewer    string // a viewer's key
	viewerSHA string
	client    *http.Client
}

// member is a host of the exchange: a probe once it is started, a target where
// it never is.
type member struct {
	*lab.Host
	x       *exchange
	addrs   []string // with the length of their prefixes
	keyFile string
	keySHA  string
	state   string
}

// newExchange makes an exchange without probes. It stands beside those of other
// tests.
func newExchange(t *testing.T) *exchange {
	t.Helper()
	needs.Time(t)
	t.Parallel()
	l := lab.New(t)
	x := newExchangeOf(t, l.Host("api", "198.18.0.250/24", "2001:db8::250/64"), "198.18.0.250:8080")
	x.lab = l
	return x
}

// newExchangeOf makes an exchange of hosts that there are.
func newExchangeOf(t *testing.T, server *lab.Host, address string) *exchange {
	t.Helper()
	dir := t.TempDir()
	x := &exchange{t: t, dir: dir, inventory: filepath.Join(dir, "inventory.yaml"), host: server, address: address}
	x.viewer, x.viewerSHA = makeKey(t, "noc", "viewer")

	// t.TempDir may be longer than the path of a socket can be.
	socket := filepath.Join(openFolder(t), "api")
	pass := x.host.Command(context.Background(), os.Args[0], socket, address)
	pass.Env = append(os.Environ(), role+"=relay")
	start(t, "relay", pass)
	x.client = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}
	return x
}

// member adds a host that the inventory may name.
func (x *exchange) member(name string, addrs ...string) *member {
	x.t.Helper()
	return x.enter(x.lab.Host(name, addrs...), addrs...)
}

// enter makes a host one that the inventory may name.
func (x *exchange) enter(host *lab.Host, addrs ...string) *member {
	x.t.Helper()
	name := host.Name
	key, sha := makeKey(x.t, name, "probe")
	dir := filepath.Join(x.dir, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		x.t.Fatal(err)
	}
	m := &member{Host: host, x: x, addrs: addrs,
		keyFile: filepath.Join(dir, "key"), keySHA: sha, state: filepath.Join(dir, "state")}
	write(x.t, m.keyFile, key+"\n")
	return m
}

// configure writes the inventory: probes, and the rest as it stands in the file.
func (x *exchange) configure(rest string, probes ...*member) {
	x.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "exchange: Test-IX\nviewers:\n  - {name: noc, key_sha256: [%s]}\nprobes:\n", x.viewerSHA)
	for _, m := range probes {
		fmt.Fprintf(&b, "  - {name: %s, addresses: [%s], key_sha256: [%s]}\n", m.Name, m.yamlAddresses(), m.keySHA)
	}
	write(x.t, x.inventory, b.String()+rest)
}

func (m *member) yamlAddresses() string {
	var quoted []string
	for _, addr := range m.addrs {
		quoted = append(quoted, fmt.Sprintf("%q", netip.MustParsePrefix(addr).Addr()))
	}
	return strings.Join(quoted, ", ")
}

// serve starts the server and waits until it is ready.
func (x *exchange) serve() *process {
	x.t.Helper()
	p := start(x.t, "server", x.serveCommand())
	await(x.t, "the server is ready", func() error { _, err := x.get("/readyz"); return err })
	return p
}

func (x *exchange) serveCommand() *exec.Cmd {
	x.t.Helper()
	return x.host.Command(context.Background(), program(x.t, "ixpqos-server"), "serve", "--listen", x.address,
		"--inventory", x.inventory, "--store", "sqlite:"+filepath.Join(x.dir, "ixpqos.db"))
}

// runArgs are those of a probe that belongs to the server.
func (m *member) runArgs(command string) []string {
	return []string{program(m.x.t, "ixpqos-probe"), command, "--name", m.Name, "--server", "http://" + m.x.address,
		"--key-file", m.keyFile, "--state", m.state}
}

// start starts the host's probe.
func (m *member) start() *process {
	m.x.t.Helper()
	args := m.runArgs("run")
	return start(m.x.t, m.Name, m.Command(context.Background(), args[0], args[1:]...))
}

// probe runs a command of the probe on the host to its end.
func (m *member) probe(t testing.TB, args ...string) ended {
	m.x.t.Helper()
	return finish(t, m.Command(within(t), program(t, "ixpqos-probe"), args...))
}

// spooled are the results of a test that wait in the host's spool.
func (m *member) spooled(test string) ([]ippm.Result, error) {
	files, err := filepath.Glob(filepath.Join(m.state, "spool", "*.batch"))
	if err != nil {
		return nil, err
	}
	var waiting []ippm.Result
	for _, file := range files {
		content, err := os.ReadFile(file)
		if os.IsNotExist(err) {
			continue // sent
		}
		if err != nil {
			return nil, err
		}
		_, body, _ := strings.Cut(string(content), "\n")
		batch, err := wire.DecodeBatch([]byte(body), 1<<20)
		if err != nil || len(batch.ResultsSorted.Rejected) > 0 {
			return nil, fmt.Errorf("%s: %v, %v", file, err, batch.ResultsSorted)
		}
		for _, r := range batch.Results {
			if r.Test == test {
				waiting = append(waiting, r)
			}
		}
	}
	return waiting, nil
}
