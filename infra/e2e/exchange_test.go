package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ixpqos/infra/lab"
	"ixpqos/infra/needs"
	"ixpqos/internal/ippm"
	"ixpqos/internal/wire"
)

const serverAddress = "198.18.0.250:8080"

// exchange is a lab with a server's host and its configuration.
type exchange struct {
	t         *testing.T
	lab       *lab.Lab
	host      *lab.Host
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
	dir := t.TempDir()
	x := &exchange{t: t, lab: l, dir: dir, inventory: filepath.Join(dir, "inventory.yaml"),
		host: l.Host("api", "198.18.0.250/24", "2001:db8::250/64")}
	x.viewer, x.viewerSHA = makeKey(t, "noc", "viewer")

	// t.TempDir may be longer than the path of a socket can be.
	socket := filepath.Join(openFolder(t), "api")
	pass := x.host.Command(context.Background(), os.Args[0], socket, serverAddress)
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
	key, sha := makeKey(x.t, name, "probe")
	dir := filepath.Join(x.dir, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		x.t.Fatal(err)
	}
	m := &member{Host: x.lab.Host(name, addrs...), x: x, addrs: addrs,
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
	p := start(x.t, "server", x.host.Command(context.Background(), program(x.t, "ixpqos-server"), "serve", "--listen", serverAddress,
		"--inventory", x.inventory, "--store", "sqlite:"+filepath.Join(x.dir, "ixpqos.db")))
	await(x.t, "the server is ready", func() error { _, err := x.get("/readyz"); return err })
	return p
}

// runArgs are those of a probe that belongs to the server.
func (m *member) runArgs(command string) []string {
	return []string{program(m.x.t, "ixpqos-probe"), command, "--name", m.Name, "--server", "http://" + serverAddress,
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

// get asks the server, as a viewer.
func (x *exchange) get(path string) (string, error) {
	request, err := http.NewRequest(http.MethodGet, "http://"+serverAddress+path, nil)
	if err != nil {
		return "", err
	}
	request.Header.Set("X-API-Key", x.viewer)
	if path == "/" {
		request.SetBasicAuth("noc", x.viewer)
	}
	response, err := x.client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s: %s", path, response.Status, body)
	}
	return string(body), err
}

func (x *exchange) getJSON(path string, into any) error {
	body, err := x.get(path)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(body), into)
}

// key tells the cells of a matrix apart.
type key struct {
	source, target, test string
	family               uint8
}

func (k key) String() string {
	return fmt.Sprintf("%s→%s %s IPv%d", k.source, k.target, k.test, k.family)
}

// cells is the matrix, of one test or of all ("").
func (x *exchange) cells(test string) (map[key]wire.Cell, error) {
	var m wire.Matrix
	if err := x.getJSON("/api/v2/matrix?test="+url.QueryEscape(test), &m); err != nil {
		return nil, err
	}
	cells := map[key]wire.Cell{}
	for _, c := range m.Cells {
		cells[key{c.Source, c.Target, c.Test, c.Family}] = c
	}
	return cells, nil
}

// good tells why a cell is not fresh, without loss and with an RTT.
func good(c wire.Cell) error {
	if c.State != wire.StateFresh || c.LossRatio == nil || *c.LossRatio != 0 || c.RTTMinUS == nil || *c.RTTMinUS <= 0 {
		return fmt.Errorf("%s→%s %s IPv%d is not good: %s", c.Source, c.Target, c.Test, c.Family, show(c))
	}
	return nil
}

// show is any answer, for the words of a failure.
func show(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// awaitGood waits until the whole matrix of a test is good.
func (x *exchange) awaitGood(test string) map[key]wire.Cell {
	x.t.Helper()
	var cells map[key]wire.Cell
	await(x.t, "the matrix of "+test+" is good", func() (err error) {
		if cells, err = x.cells(test); err != nil {
			return err
		}
		for _, c := range cells {
			if err := good(c); err != nil {
				return err
			}
		}
		return nil
	})
	return cells
}

// series are the results of a pair by one test.
func (x *exchange) series(source, target, test string) ([]wire.Result, error) {
	var s wire.Series
	err := x.getJSON(fmt.Sprintf("/api/v2/pairs/%s/%s/series?test=%s", source, target, test), &s)
	if err == nil && !s.Complete {
		err = fmt.Errorf("the series %s→%s is not complete", source, target)
	}
	return s.Results, err
}

// noGaps fails where an interval of a pair is there twice, or is missing between
// the first and the last. Only rounds that the probe itself says it missed, on
// a machine that was too busy, may be missing.
func (x *exchange) noGaps(source, target, test string, every time.Duration) {
	x.t.Helper()
	results, err := x.series(source, target, test)
	if err != nil {
		x.t.Fatal(err)
	}
	probe, err := x.health(source)
	if err != nil {
		x.t.Fatal(err)
	}
	byFamily := map[uint8][]time.Time{}
	for _, r := range results {
		byFamily[r.Family] = append(byFamily[r.Family], r.Start)
	}
	if len(byFamily) == 0 {
		x.t.Errorf("%s→%s %s has no results", source, target, test)
	}
	for family, starts := range byFamily {
		slices.SortFunc(starts, time.Time.Compare)
		missing := 0
		for i, start := range starts[1:] {
			step := start.Sub(starts[i])
			if step <= 0 || step%every != 0 {
				x.t.Errorf("%s→%s %s IPv%d: %v from %s to the next interval", source, target, test, family, step, starts[i].Format(time.RFC3339))
			}
			missing += int(step/every) - 1
		}
		if missing > probe.Health.Missed {
			x.t.Errorf("%s→%s %s IPv%d: %d intervals are missing, and the probe missed %d: %v",
				source, target, test, family, missing, probe.Health.Missed, starts)
		}
	}
}

// health is what a probe last said of itself, by the API.
func (x *exchange) health(name string) (wire.Probe, error) {
	var probes wire.Probes
	if err := x.getJSON("/api/v2/probes", &probes); err != nil {
		return wire.Probe{}, err
	}
	for _, p := range probes.Probes {
		if p.Name == name {
			return p, nil
		}
	}
	return wire.Probe{}, fmt.Errorf("the API knows no probe %s", name)
}

// spooled are the results of a test that wait in the host's spool.
func (m *member) spooled(test string) ([]ippm.Result, error) {
	files, err := filepath.Glob(filepath.Join(m.state, "spool", "*"))
	if err != nil {
		return nil, err
	}
	var waiting []ippm.Result
	for _, file := range files {
		content, err := os.ReadFile(file)
		if os.IsNotExist(err) || strings.HasSuffix(file, ".tmp") || filepath.Base(file) == "set-aside" {
			continue // sent, or being written
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
