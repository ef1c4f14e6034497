package sam

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// sam is the CLI and how it is called: without telemetry, with a folder of its
// own, and without credentials.
type sam struct {
	path, top, folder string
	env               []string
}

func newSAM(t *testing.T) *sam {
	t.Helper()
	top, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	return &sam{path: lastLine(output(t, top, nil, "infra/sam/install", "--find")), top: top, folder: folder,
		env: []string{"SAM_CLI_TELEMETRY=0", "__SAM_CLI_APP_DIR=" + filepath.Join(folder, "app"), "AWS_DEFAULT_REGION=eu-south-1",
			"AWS_EC2_METADATA_DISABLED=true"}}
}

func (s *sam) run(t *testing.T, env []string, args ...string) string {
	t.Helper()
	return output(t, s.top, append(s.env, env...), s.path, args...)
}

// architecture is this machine's, as SAM calls it.
func architecture() string {
	if runtime.GOARCH == "arm64" {
		return "arm64"
	}
	return "x86_64"
}

// parameters are what the template cannot know.
func parameters() []string {
	return []string{"--parameter-overrides", "Architecture=" + architecture(), "InfluxUrl=http://host.docker.internal:8086"}
}

// build packs the functions with an inventory and keys, and returns the path of
// the template that knows where they are.
func (s *sam) build(t *testing.T, inventory, keys string) string {
	t.Helper()
	folder := filepath.Join(s.folder, "build")
	s.run(t, []string{"ARCH=" + architecture(), "INVENTORY=" + inventory, "KEYS=" + keys},
		append([]string{"build", "--build-dir", folder}, parameters()...)...)
	return filepath.Join(folder, "template.yaml")
}

// startAPI starts the real `sam local start-api`, with a container for each
// function, and returns its address when it answers. The test ends it.
func (s *sam) startAPI(t *testing.T, template string, settings map[string]map[string]string) string {
	t.Helper()
	file := filepath.Join(s.folder, "env.json")
	text, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	var said bytes.Buffer
	cmd := exec.Command(s.path, append([]string{"local", "start-api", "--template", template, "--host", "127.0.0.1", "--port", port,
		"--skip-pull-image", "--warm-containers", "EAGER", "--env-vars", file, "--add-host", "host.docker.internal:host-gateway"}, parameters()...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.top, &said, &said
	cmd.Env = append(os.Environ(), s.env...)
	background(t, cmd, os.Interrupt, func() {
		if t.Failed() {
			t.Logf("sam local said:\n%s", last(said.String(), 6000))
		}
	})
	url := "http://127.0.0.1:" + port
	eventually(t, "sam local answers", func() error {
		got := ask(t, "GET", url+"/healthz", nil, "")
		if got.status != http.StatusOK {
			return fmt.Errorf("status %d: %s", got.status, got.body)
		}
		return nil
	})
	return url
}

// startDocker starts a daemon where none runs, for the time of the test, and
// makes the image that functions run in.
func startDocker(t *testing.T, top string) {
	t.Helper()
	if started := output(t, top, nil, "infra/sam/daemon", "start"); started != "" {
		t.Cleanup(func() { output(t, top, nil, "infra/sam/daemon", "stop") })
	}
	output(t, top, nil, "infra/sam/image")
}

// onBridge makes what listens on loopback reachable for containers, and gives
// its address as they know it.
func onBridge(t *testing.T, top, target string) string {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(strings.TrimSpace(output(t, top, nil, "infra/sam/bridge")), "0"))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: httputil.NewSingleHostReverseProxy(u), ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() { server.Close(); <-done })
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return "http://host.docker.internal:" + port
}

// background starts a process in a group of its own, and ends it with the test.
func background(t *testing.T, cmd *exec.Cmd, end os.Signal, after func()) {
	t.Helper()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		defer after()
		if err := cmd.Process.Signal(end); err != nil {
			t.Error(err)
		}
		late := time.AfterFunc(time.Minute, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
		defer late.Stop()
		_ = cmd.Wait() // with which status it ends when told to is its own matter
	})
}

// answer is what an HTTP request got.
type answer struct {
	status       int
	header       http.Header
	body, failed string
}

func ask(t *testing.T, method, url string, header map[string]string, body string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return answer{failed: err.Error()}
	}
	defer response.Body.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(response.Body); err != nil {
		return answer{failed: err.Error()}
	}
	return answer{status: response.StatusCode, header: response.Header, body: text.String()}
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() error) {
	t.Helper()
	late := time.After(90 * time.Second)
	poll := time.NewTicker(200 * time.Millisecond)
	defer poll.Stop()
	for {
		err := holds()
		if err == nil {
			return
		}
		select {
		case <-late:
			t.Fatalf("it never came that %s: %v", what, err)
		case <-poll.C:
		}
	}
}

// output runs a command and returns what it prints.
func output(t *testing.T, folder string, env []string, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	if strings.HasPrefix(name, "infra/") {
		cmd = exec.CommandContext(ctx, filepath.Join(folder, name), args...)
	}
	var complaints bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stderr = folder, append(os.Environ(), env...), &complaints
	cmd.WaitDelay = 10 * time.Second // a daemon may hold the pipe
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s%s", cmd, err, last(string(out), 3000), last(complaints.String(), 3000))
	}
	return string(out)
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

func last(text string, n int) string { return text[max(0, len(text)-n):] }

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
