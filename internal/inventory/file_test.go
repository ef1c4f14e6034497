package inventory

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// folder is a folder of files that a test writes.
type folder struct {
	t    *testing.T
	path string
}

func newFolder(t *testing.T) folder { return folder{t, t.TempDir()} }

func (f folder) at(name string) string { return filepath.Join(f.path, name) }

func (f folder) write(name, text string) {
	f.t.Helper()
	if err := os.WriteFile(f.at(name), []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// replace writes another file and renames it over the first, as editors do.
func (f folder) replace(name, text string) {
	f.t.Helper()
	f.write(name+".new", text)
	if err := os.Rename(f.at(name+".new"), f.at(name)); err != nil {
		f.t.Fatal(err)
	}
}

func (f folder) remove(name string) {
	f.t.Helper()
	if err := os.Remove(f.at(name)); err != nil {
		f.t.Fatal(err)
	}
}

const broken = "probes: ["

func named(exchange string) string { return onePing + twoProbes + "exchange: " + exchange + "\n" }

func TestLoad(t *testing.T) {
	dir := newFolder(t)
	dir.write("inventory.yaml", named("Rome"))
	dir.write("inventory.conf", named("Rome"))
	dir.write("probes.json", onePairOfProbes)
	for _, name := range []string{"inventory.yaml", "inventory.conf", "probes.json"} {
		if inv, err := Load(dir.at(name)); err != nil || len(inv.Probes) != 2 {
			t.Errorf("%s: %+v, %v", name, inv, err)
		}
	}
	dir.write("schedule.json", everySixty)
	inv, err := Load(dir.at("probes.json"))
	if err != nil || inv.Tests[0].Every != time.Minute {
		t.Errorf("with a schedule: %+v, %v", inv, err)
	}
}

func TestLoadRefuses(t *testing.T) {
	dir := newFolder(t)
	dir.write("broken.yaml", broken)
	dir.write("probes.json", onePairOfProbes)
	dir.write("schedule.json", `{"schedule": [{}]}`)
	for path, want := range map[string]string{
		dir.at("none.yaml"):   "the inventory cannot be read: open " + dir.at("none.yaml") + ": no such file or directory; create it, or name the file that you mean",
		dir.path:              "the inventory cannot be read: read " + dir.path + ": is a directory; it must be a file that this user may read",
		dir.at("broken.yaml"): dir.at("broken.yaml") + ":1: this is not YAML: sequence end token ']' not found",
		dir.at("probes.json"): dir.at("schedule.json") + `:1: test "ping": has neither every nor cron; give one of them, such as every: 5m`,
	} {
		if inv, err := Load(path); messageOf(err) != want || inv != nil {
			t.Errorf("got:  %v\nwant: %s", err, want)
		}
	}
	if _, err := Load(dir.at("none.yaml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v hides that there is no file", err)
	}
}

// A schedule.json that is there but cannot be read is not an absent one.
func TestLoadRefusesUnreadableSchedule(t *testing.T) {
	dir := newFolder(t)
	dir.write("probes.json", onePairOfProbes)
	if err := os.Mkdir(dir.at("schedule.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := Load(dir.at("probes.json"))
	want := "the inventory cannot be read: read " + dir.at("schedule.json") + ": is a directory; it must be a file that this user may read"
	if messageOf(err) != want {
		t.Errorf("got:  %v\nwant: %s", err, want)
	}
}

func mustOpen(t *testing.T, path string) *Watched[*Inventory] {
	t.Helper()
	file, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestOpenRefuses(t *testing.T) {
	dir := newFolder(t)
	dir.write("inventory.yaml", broken)
	if file, err := Open(dir.at("inventory.yaml")); err == nil || file != nil {
		t.Errorf("a broken file opened: %v, %v", file, err)
	}
}

func TestReload(t *testing.T) {
	dir := newFolder(t)
	dir.write("inventory.yaml", named("Rome"))
	file := mustOpen(t, dir.at("inventory.yaml"))
	key := strings.Replace(named("Milan"), "192.0.2.1]", "192.0.2.1], key_sha256: ["+keyA+"]", 1)
	for _, step := range []struct {
		name, text, exchange string
		changed              bool
		err                  string
	}{
		{"the same", named("Rome"), "Rome", false, ""},
		{"another", named("Milan"), "Milan", true, ""},
		{"a comment", named("Milan") + "# why\n", "Milan", false, ""},
		{"a key", key, "Milan", true, ""},
		{"broken", broken, "Milan", false, dir.at("inventory.yaml") + ":1: this is not YAML: sequence end token ']' not found"},
		{"still broken", broken, "Milan", false, dir.at("inventory.yaml") + ":1: this is not YAML: sequence end token ']' not found"},
		{"as before", key, "Milan", false, ""},
		{"mended", named("Turin"), "Turin", true, ""},
	} {
		dir.replace("inventory.yaml", step.text)
		changed, err := file.Reload()
		if changed != step.changed || messageOf(err) != step.err || file.Current().Exchange != step.exchange {
			t.Errorf("%s: changed %v, error %v, exchange %s", step.name, changed, err, file.Current().Exchange)
		}
	}
	dir.remove("inventory.yaml")
	if _, err := file.Reload(); !errors.Is(err, fs.ErrNotExist) || file.Current().Exchange != "Turin" {
		t.Errorf("without a file: error %v, exchange %s", err, file.Current().Exchange)
	}
}

// Readers may ask while another goroutine reloads; the race detector watches.
func TestCurrentWhileReloading(t *testing.T) {
	dir := newFolder(t)
	dir.write("inventory.yaml", named("Rome"))
	file := mustOpen(t, dir.at("inventory.yaml"))
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 20 {
				if _, err := file.Reload(); err != nil || file.Current().Exchange == "" {
					t.Errorf("%v, %+v", err, file.Current())
				}
			}
		})
	}
	for i := range 20 {
		dir.replace("inventory.yaml", named([]string{"Rome", "Milan"}[i%2]))
	}
	group.Wait()
}

type report struct {
	changed bool
	err     string
}

// watched drives a watch by hand: it polls and signals, and keeps the reports.
// It lives in a synctest bubble, where Wait tells that the watch is done.
type watched struct {
	folder
	file    *Watched[*Inventory]
	poll    chan time.Time
	hup     chan os.Signal
	reports []report
	stop    func()
}

func watch(t *testing.T, dir folder, path string, drive func(w *watched)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		w := &watched{folder: folder{t, dir.path}, file: mustOpen(t, dir.at(path)), poll: make(chan time.Time), hup: make(chan os.Signal), stop: stop}
		go w.file.watch(ctx, w.poll, w.hup, func(changed bool, err error) {
			w.reports = append(w.reports, report{changed, messageOf(err)})
		})
		drive(w)
	})
}

func (w *watched) look() {
	w.poll <- time.Time{}
	synctest.Wait()
}

func (w *watched) signal() {
	w.hup <- syscall.SIGHUP
	synctest.Wait()
}

func (w *watched) want(reports ...report) {
	w.t.Helper()
	w.stop()
	synctest.Wait()
	if diff := cmp.Diff(reports, w.reports, cmp.AllowUnexported(report{})); diff != "" {
		w.t.Error(diff)
	}
}

func TestWatchReloadsChangedContent(t *testing.T) {
	dir := newFolder(t)
	dir.write("inventory.yaml", named("Rome"))
	watch(t, dir, "inventory.yaml", func(w *watched) {
		w.look()
		w.replace("inventory.yaml", named("Milan"))
		w.look()
		w.look()
		w.write("inventory.yaml", named("Turin"))
		w.look()
		w.replace("inventory.yaml", named("Turin")+"# a comment\n")
		w.look()
		w.want(report{true, ""}, report{true, ""}, report{false, ""})
		if got := w.file.Current().Exchange; got != "Turin" {
			w.t.Errorf("the exchange is %s", got)
		}
	})
}

// Content counts, not times or inodes: the same text in a new file is no change.
func TestWatchIgnoresTheSameContent(t *testing.T) {
	dir := newFolder(t)
	dir.write("inventory.yaml", named("Rome"))
	watch(t, dir, "inventory.yaml", func(w *watched) {
		w.replace("inventory.yaml", named("Rome"))
		w.look()
		if err := os.Chtimes(w.at("inventory.yaml"), time.Unix(1, 0), time.Unix(1, 0)); err != nil {
			w.t.Fatal(err)
		}
		w.look()
		w.want()
	})
}

func TestWatchReportsAnInvalidFileOnce(t *testing.T) {
	dir := newFolder(t)
	dir.write("inventory.yaml", named("Rome"))
	path := dir.at("inventory.yaml")
	watch(t, dir, "inventory.yaml", func(w *watched) {
		w.replace("inventory.yaml", broken)
		w.look()
		w.look()
		w.replace("inventory.yaml", "nonsense: 1\n"+named("Rome"))
		w.look()
		w.remove("inventory.yaml")
		w.look()
		w.look()
		w.replace("inventory.yaml", named("Rome"))
		w.look()
		w.want(
			report{false, path + ":1: this is not YAML: sequence end token ']' not found"},
			report{false, path + `:1: unknown key "nonsense"; the keys here are ` + allKeys},
			report{false, "the inventory cannot be read: open " + path + ": no such file or directory; create it, or name the file that you mean"},
			report{false, ""},
		)
		if got := w.file.Current().Exchange; got != "Rome" {
			w.t.Errorf("the exchange is %s", got)
		}
	})
}

// A signal always reloads, and what it saw is not news to the next poll.
func TestWatchReloadsOnSignal(t *testing.T) {
	dir := newFolder(t)
	dir.write("inventory.yaml", named("Rome"))
	watch(t, dir, "inventory.yaml", func(w *watched) {
		w.signal()
		w.replace("inventory.yaml", named("Milan"))
		w.signal()
		w.look()
		w.replace("inventory.yaml", broken)
		w.signal()
		w.signal()
		problem := w.at("inventory.yaml") + ":1: this is not YAML: sequence end token ']' not found"
		w.want(report{false, ""}, report{true, ""}, report{false, problem}, report{false, problem})
	})
}

func TestWatchSeesTheScheduleBesideProbes(t *testing.T) {
	dir := newFolder(t)
	dir.write("probes.json", onePairOfProbes)
	dir.write("schedule.json", everySixty)
	watch(t, dir, "probes.json", func(w *watched) {
		w.look()
		w.replace("schedule.json", `{"schedule": [{"every": 90}]}`)
		w.look()
		w.write("schedule.json", "")
		w.look()
		w.remove("schedule.json")
		w.look()
		w.want(report{true, ""}, report{false, w.at("schedule.json") + ":1: this is not JSON: unexpected end of JSON input"}, report{true, ""})
		if got := w.file.Current().Tests[0].Cron; got != "*/5 * * * *" {
			w.t.Errorf("the cron is %q", got)
		}
	})
}

func TestWatchFollowsSymbolicLinks(t *testing.T) {
	dir := newFolder(t)
	dir.write("one", named("Rome"))
	dir.write("two", named("Milan"))
	for _, step := range [][2]string{{"one", "inventory.yaml"}, {"two", "next"}} {
		if err := os.Symlink(step[0], dir.at(step[1])); err != nil {
			t.Fatal(err)
		}
	}
	watch(t, dir, "inventory.yaml", func(w *watched) {
		if err := os.Rename(dir.at("next"), dir.at("inventory.yaml")); err != nil {
			w.t.Fatal(err)
		}
		w.look()
		w.want(report{true, ""})
	})
}

// Watch itself polls every so often and ends with its context. Time in a
// bubble moves on when everybody waits.
func TestWatch(t *testing.T) {
	dir := newFolder(t)
	dir.write("inventory.yaml", named("Rome"))
	synctest.Test(t, func(t *testing.T) {
		file := mustOpen(t, dir.at("inventory.yaml"))
		dir.replace("inventory.yaml", named("Milan"))
		ctx, cancel := context.WithCancel(t.Context())
		begin := time.Now()
		file.Watch(ctx, time.Minute, nil, func(changed bool, err error) {
			if !changed || err != nil {
				t.Errorf("changed %v, error %v", changed, err)
			}
			cancel()
		})
		if got := file.Current().Exchange; got != "Milan" {
			t.Errorf("the exchange is %s", got)
		}
		if took := time.Since(begin); took != time.Minute {
			t.Errorf("the change was seen after %v", took)
		}
	})
}

func TestProblemIsThatOfTheFileAsItIs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.yaml")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("keys: []")
	w, err := OpenKeys(path)
	if err != nil || w.Problem() != nil {
		t.Fatal(err, w.Problem())
	}
	write("kes: []")
	if _, err := w.Reload(); err == nil || w.Problem() == nil || w.Problem().Error() != err.Error() {
		t.Errorf("problem %v; want %v", w.Problem(), err)
	}
	write("keys: []")
	if _, err := w.Reload(); err != nil || w.Problem() != nil {
		t.Errorf("problem %v stays", w.Problem())
	}
}

func TestKeysFile(t *testing.T) {
	const hash = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	other := strings.Replace(hash, "a", "b", 1)
	keys, err := ParseKeys("keys.yaml", []byte("keys:\n- {role: probe, name: p1, sha256: "+hash+"}\n- {role: viewer, name: p1, sha256: "+other+"}\n"))
	if err != nil || len(keys) != 2 || keys[0].Role != RoleProbe || keys[1].Role != RoleViewer || keys[0].Name != "p1" || keys[0].Hash[0] != 0xaa {
		t.Errorf("keys = %+v, %v", keys, err)
	}
	for text, want := range map[string]string{
		"": "keys.yaml:1: the file is empty; a keys file has a list of keys",
		"keys:\n- {name: p1, sha256: " + hash + "}":                                                               `keys.yaml:2: key "p1": has no role; it is probe or viewer`,
		"keys:\n- {role: boss, name: p1, sha256: " + hash + "}":                                                   `keys.yaml:2: key "p1": role "boss"`,
		"keys:\n- {role: probe, name: p1, sha256: abc}":                                                           `keys.yaml:2: key "p1": a key_sha256 has 3 characters; it is the SHA-256 of the key, 64 hex digits`,
		"keys:\n- {role: probe, sha256: " + hash + "}":                                                            `keys.yaml:2: a key without a name: give it one of 1 to 63 bytes`,
		"keys:\n- {role: probe, name: p1, sha: " + hash + "}":                                                     `keys.yaml:2: unknown key "sha"; the keys here are role, name, sha256`,
		"keys:\n- {role: probe, name: p1, sha256: " + hash + "}\n- {role: probe, name: p2, sha256: " + hash + "}": `keys.yaml:3: key "p2": key_sha256 aaaaaaaa… is that of key "p1" in line 2; a key belongs to one`,
	} {
		if _, err := ParseKeys("keys.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v; want %s", text, err, want)
		}
	}
}
