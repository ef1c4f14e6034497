package deliver

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"ixpqos/internal/ippm"
)

// A test that needs a process to kill starts this test binary again, with the
// name of a child in childEnv.
const childEnv = "IXPQOS_DELIVER_CHILD"

func TestMain(m *testing.M) {
	child := os.Getenv(childEnv)
	if child == "" {
		os.Exit(m.Run())
	}
	if err := children[child](os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

var children = map[string]func(args []string) error{"append": appendChild, "upload": uploadChild}

func child(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), childEnv+"="+name)
	return cmd
}

// appendChild appends from four goroutines until it is killed, and prints the
// number of each batch that is durable.
func appendChild(args []string) error {
	s, err := OpenSpool(args[0], SpoolOptions{})
	if err != nil {
		return err
	}
	from, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for n := from + worker; ; n += 4 {
				if err := s.Append(context.Background(), batch(n)); err != nil {
					fmt.Fprintln(os.Stderr, err)
					return
				}
				fmt.Println(n)
			}
		})
	}
	all.Wait()
	return nil
}

func TestKilledWhileAppending(t *testing.T) {
	dir := t.TempDir()
	var printed []int
	for round := range 5 {
		cmd := child(t, "append", dir, strconv.Itoa(round*1_000_000))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for i := 0; lines.Scan(); i++ {
			n, err := strconv.Atoi(lines.Text())
			if err != nil {
				t.Fatal(err)
			}
			printed = append(printed, n)
			if i == 20+round {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait() // it says that it was killed
	}
	var log logged
	s := openSpool(t, dir, SpoolOptions{Log: log.logger()})
	got := takeAll(t, s)
	slices.Sort(got)
	for _, n := range printed {
		if _, found := slices.BinarySearch(got, n); !found {
			t.Errorf("batch %d was durable and is not there", n)
		}
	}
	if len(printed) < 100 {
		t.Errorf("only %d batches were appended", len(printed))
	}
	wantStats(t, s, 0, 0, 0)
	if left := files(t, dir); len(left) > 0 {
		t.Errorf("files are left: %v", left)
	}
}

// killer is killed as soon as it has read an answer and before anybody else
// sees it.
type killer struct {
	http.RoundTripper
	answers int
}

func (k *killer) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := k.RoundTripper.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(content))
	if k.answers--; k.answers == 0 {
		_ = unix.Kill(unix.Getpid(), unix.SIGKILL)
		select {}
	}
	return resp, nil
}

// uploadChild delivers a spool, or kills itself at its n-th answer.
func uploadChild(args []string) error {
	s, err := OpenSpool(args[0], SpoolOptions{})
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	u, err := NewUploader(s, UploaderOptions{URL: args[1], Key: func() (string, error) { return "secret", nil },
		Client: &http.Client{Transport: &killer{http.DefaultTransport, n}}})
	if err != nil {
		return err
	}
	for {
		e, body, ok, err := s.take()
		if err != nil || !ok {
			return err
		}
		if failed := u.deliver(context.Background(), e, body); failed != nil {
			return fmt.Errorf("%s", failed.sentence)
		}
	}
}

func TestKilledBetweenAnswerAndUnlink(t *testing.T) {
	a := newAPI(t)
	a.maxResults = 3
	dir := t.TempDir()
	s := openSpool(t, dir, SpoolOptions{})
	all := []ippm.Batch{batch(0), batch(1, groups(8)...), batch(2), batch(3, groups(5)...)}
	mustAppend(t, s, all...)
	s.Close()
	kills := 0
	for n := 1; ; n = 2 { // at the first answer nothing is done, then one step each time
		out, err := child(t, "upload", dir, a.URL, strconv.Itoa(n)).CombinedOutput()
		if err == nil {
			break
		}
		if err.Error() != "signal: killed" {
			t.Fatalf("%v: %s", err, out)
		}
		kills++
	}
	a.want(t, all...)
	if kills < 10 || a.repeats() == 0 {
		t.Errorf("%d kills, %d results came twice", kills, a.repeats())
	}
	wantStats(t, openSpool(t, dir, SpoolOptions{}), 0, 0, 0)
}

func TestSecondProcessIsRefused(t *testing.T) {
	s := openSpool(t, t.TempDir(), SpoolOptions{})
	out, err := child(t, "append", s.dir, "0").CombinedOutput()
	if err == nil || !strings.Contains(string(out), s.dir+": another process is using it") {
		t.Errorf("%v: %s", err, out)
	}
	if _, err := OpenSpool(s.dir, SpoolOptions{}); err == nil {
		t.Error("the same process could open it twice")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	openSpool(t, s.dir, SpoolOptions{})
}
