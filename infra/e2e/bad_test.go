package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ixpqos/infra/needs"
)

const validInventory = `exchange: Test-IX
probes:
  - {name: p1, addresses: [192.0.2.1]}
  - {name: p2, addresses: [192.0.2.2]}
tests:
  - {name: ping, kind: icmp, every: 5m}
`

func inventoryFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "inventory.yaml")
	write(t, path, text)
	return path
}

// refused fails where a program did not end with the status and one line that
// says all of what is wanted.
func refused(t *testing.T, got ended, status int, wanted ...string) {
	t.Helper()
	if got.status != status || len(got.lines()) != 1 {
		t.Errorf("status %d and %d lines, want %d and one: %s%s", got.status, len(got.lines()), status, got.out, got.errOut)
	}
	for _, want := range wanted {
		if err := contains(got.errOut, want); err != nil {
			t.Error(err)
		}
	}
}

func TestInvalidInventory(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		old, new string
		line     int
		want     string
	}{
		"unknown key":     {"addresses: [192.0.2.2]", "adresses: [192.0.2.2]", 4, `did you mean "addresses"`},
		"wrong type":      {"every: 5m", "every: 5m, count: many", 6, "count"},
		"duplicate probe": {"name: p2", "name: p1", 4, `"p1"`},
		"invalid address": {"192.0.2.2", "192.0.2.300", 4, `"192.0.2.300"`},
		"unknown kind":    {"kind: icmp", "kind: icpm", 6, "icmp"},
		"negative count":  {"every: 5m", "every: 5m, count: -1", 6, "-1"},
		"bad cron":        {"every: 5m", `cron: "61 * * * *"`, 6, "cron"},
		"does not fit":    {"every: 5m", "every: 10s", 6, "10s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := inventoryFile(t, strings.Replace(validInventory, tc.old, tc.new, 1))
			where := fmt.Sprintf("%s:%d: ", path, tc.line)
			refused(t, runs(t, "ixpqos-server", "inventory", "check", path), 2, where, tc.want)
			store := filepath.Join(t.TempDir(), "ixpqos.db")
			refused(t, runs(t, "ixpqos-server", "serve", "--listen", "127.0.0.1:0", "--inventory", path, "--store", "sqlite:"+store), 2, where, tc.want)
			if _, err := os.Stat(store); !os.IsNotExist(err) {
				t.Errorf("a store was begun all the same: %v", err)
			}
		})
	}
	t.Run("valid", func(t *testing.T) {
		t.Parallel()
		path := inventoryFile(t, validInventory)
		if got := runs(t, "ixpqos-server", "inventory", "check", path); got.status != 0 || contains(got.out, "2 probes") != nil {
			t.Errorf("status %d: %s%s", got.status, got.out, got.errOut)
		}
	})
}

func TestServerCannotStart(t *testing.T) {
	t.Parallel()
	valid := inventoryFile(t, validInventory)
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "not a folder")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().String()
	store := func() string { return "sqlite:" + filepath.Join(t.TempDir(), "ixpqos.db") }

	serve := func(listen, inventory, store string, more ...string) ended {
		return runs(t, "ixpqos-server", append([]string{"serve", "--listen", listen, "--inventory", inventory, "--store", store}, more...)...)
	}
	refused(t, serve(port, valid, store()), 1, port, "taken", "--listen")
	refused(t, serve("127.0.0.1:0", valid, "sqlite:"+file+"/ixpqos.db"), 1, file)
	refused(t, serve("127.0.0.1:0", filepath.Join(t.TempDir(), "none.yaml"), store()), 1, "none.yaml")
	refused(t, serve("127.0.0.1:0", valid, store(), "--keys", file+".none"), 1, file+".none")
	refused(t, serve("127.0.0.1:0", valid, "postgres:db"), 2, "postgres:db", "sqlite:PATH")
	refused(t, serve("127.0.0.1:0", valid, store(), "--tls-cert", file), 2, "--tls-key")
	refused(t, serve("127.0.0.1:0", valid, store(), "--no-such-flag"), 2, "--no-such-flag", "--help")
	refused(t, runs(t, "ixpqos-server", "inventory", "check", file+".none"), 1, file+".none")
	refused(t, runs(t, "ixpqos-server", "key", "new", " p1"), 2, `" p1"`)
}

// TestFolderOfOthers starts the programs as a user who may not write where they
// are told to.
func TestFolderOfOthers(t *testing.T) {
	needs.Root(t)
	t.Parallel()
	dir := openFolder(t)
	secret, _ := makeKey(t, "p1", "probe")
	key, inventory, state := filepath.Join(dir, "key"), filepath.Join(dir, "inventory.yaml"), filepath.Join(dir, "state")
	write(t, key, secret)
	write(t, inventory, validInventory)
	if err := os.MkdirAll(filepath.Join(state, "spool"), 0o755); err != nil {
		t.Fatal(err)
	}
	asNobody := func(name string, args ...string) ended {
		cmd := exec.CommandContext(within(t), os.Args[0], append([]string{program(t, name)}, args...)...)
		cmd.Env = append(os.Environ(), role+"=nobody")
		return finish(t, cmd)
	}
	run := []string{"run", "--name", "p1", "--server", "http://127.0.0.1:9", "--key-file", key, "--state"}
	refused(t, asNobody("ixpqos-probe", append(run, state)...), 1, state, "permission denied")
	refused(t, asNobody("ixpqos-probe", append(run, filepath.Join(state, "below"))...), 1, state, "permission denied", "--state")
	refused(t, asNobody("ixpqos-server", "serve", "--listen", "127.0.0.1:0", "--inventory", inventory,
		"--store", "sqlite:"+filepath.Join(state, "ixpqos.db")), 1, state)
}

func TestProbeCannotStart(t *testing.T) {
	t.Parallel()
	valid := inventoryFile(t, validInventory)
	dir := t.TempDir()
	file, key := filepath.Join(dir, "file"), filepath.Join(dir, "key")
	write(t, file, "not a folder")
	secret, _ := makeKey(t, "p1", "probe")
	write(t, key, secret)
	probe := func(args ...string) ended { return runs(t, "ixpqos-probe", append([]string{"run"}, args...)...) }
	const server = "http://127.0.0.1:9"

	refused(t, probe("--name", "p1", "--server", server, "--key-file", key, "--state", file+"/state"), 1, file, "--state")
	refused(t, probe("--name", "p1", "--server", server, "--key-file", file+".none", "--state", dir+"/state"), 1, file+".none")
	refused(t, probe("--name", "p1", "--inventory", file+".none"), 1, file+".none")
	refused(t, probe("--name", "p9", "--inventory", valid), 1, `"p9"`, "--name")
	refused(t, probe("--server", server), 2, "--name")
	refused(t, probe("--name", "p1"), 2, "--server")
	refused(t, probe("--no-such-flag"), 2, "--no-such-flag")
	refused(t, probe("--name", "p1", "--server", server, "--spool-bytes", "0"), 2, "--spool-bytes", "IXPQOS_SPOOL_BYTES", "at least")
	got := probe("--name", "p1", "--server", server, "--key-file", file, "--state", file+"/state")
	if strings.Contains(got.errOut, secret) {
		t.Errorf("the key is told: %s", got.errOut)
	}
}
