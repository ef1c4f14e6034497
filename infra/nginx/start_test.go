package nginx

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// certificate makes one for 127.0.0.1, and who trusts it.
func certificate(t *testing.T, folder string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ixpqos"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	chain, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, filepath.Join(folder, "fullchain.pem"), "CERTIFICATE", chain)
	writePEM(t, filepath.Join(folder, "privkey.pem"), "PRIVATE KEY", secret)
	made, err := x509.ParseCertificate(chain)
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AddCert(made)
	return trusted
}

func writePEM(t *testing.T, path, kind string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// proxy is a running nginx with the example's configuration.
type proxy struct {
	https, plain string // addresses
	trusted      *x509.CertPool
}

// place is the example with the names of this machine instead of its own: each
// stands in it exactly once.
func place(t *testing.T, names map[string]string) string {
	t.Helper()
	content, err := os.ReadFile("ixpqos.conf")
	if err != nil {
		t.Fatal(err)
	}
	text := string(content)
	for from, to := range names {
		if n := strings.Count(text, from); n != 1 {
			t.Fatalf("%q stands in the example %d times", from, n)
		}
		text = strings.Replace(text, from, to, 1)
	}
	return text
}

// startNginx runs nginx before a server. It inherits its sockets, as in an
// upgrade of nginx itself, so that nobody else can take the ports.
func startNginx(t *testing.T, upstream string, more map[string]string) proxy {
	t.Helper()
	folder := t.TempDir()
	trusted := certificate(t, folder)
	https, httpsSocket := socket(t)
	plain, plainSocket := socket(t)
	names := map[string]string{
		"server 127.0.0.1:8080;":      "server " + upstream + ";",
		"listen 80;":                  "listen " + plain + ";",
		"\tlisten [::]:80;\n":         "",
		"listen 443 ssl;":             "listen " + https + " ssl;",
		"\tlisten [::]:443 ssl;\n":    "",
		"/etc/ssl/ixpqos/fullchain":   filepath.Join(folder, "fullchain"),
		"/etc/ssl/ixpqos/privkey.pem": filepath.Join(folder, "privkey.pem"),
	}
	for from, to := range more {
		names[from] = to
	}
	var temporary strings.Builder
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&temporary, "%s_temp_path %s;\n", kind, filepath.Join(folder, kind))
	}
	config := filepath.Join(folder, "nginx.conf")
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	// Its workers are this user, so that they reach the test's folder. (Without a
	// master process nginx 1.22 ends by a fault once it inherits sockets.)
	text := fmt.Sprintf("daemon off;\nworker_processes 1;\nuser %s;\npid %s;\nerror_log stderr warn;\nevents {}\nhttp {\naccess_log off;\n%s%s}\n",
		me.Username, filepath.Join(folder, "pid"), temporary.String(), place(t, names))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("nginx", "-p", folder, "-e", "stderr", "-c", config)
	cmd.Env = append(os.Environ(), "NGINX=3;4;")
	cmd.ExtraFiles = []*os.File{httpsSocket, plainSocket}
	run(t, cmd, nil)
	httpsSocket.Close() // so that only nginx has it: without nginx nobody answers
	plainSocket.Close()
	return proxy{https, plain, trusted}
}

// socket listens on a port of the loopback.
func socket(t *testing.T) (address string, file *os.File) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if file, err = listener.(*net.TCPListener).File(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return listener.Addr().String(), file
}

// run starts a program, whose complaints go to the test's log and to lines, and
// ends it with the test or by stop.
func run(t *testing.T, cmd *exec.Cmd, lines func(string)) (stop func()) {
	t.Helper()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} // also where the test ends by a panic
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for scanner := bufio.NewScanner(stderr); scanner.Scan(); {
			t.Log(scanner.Text())
			if lines != nil {
				lines(scanner.Text())
			}
		}
	}()
	ended := false
	stop = func() {
		if ended {
			return
		}
		ended = true
		_ = cmd.Process.Signal(syscall.SIGTERM)
		killer := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
		<-read
		_ = cmd.Wait()
		killer.Stop()
	}
	t.Cleanup(stop)
	return stop
}

// buildServer makes the real binary.
func buildServer(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	binary := filepath.Join(t.TempDir(), "ixpqos-server")
	build := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", binary, "./functions/server")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v: %s", build, err, out)
	}
	return binary
}

var listening = regexp.MustCompile(`msg=listening address=(\S+)`)

// startServer runs the server and gives its address and how to stop it.
func startServer(t *testing.T, binary, folder, listen string) (address string, stop func()) {
	t.Helper()
	found := make(chan string, 1)
	cmd := exec.Command(binary, "serve", "--listen", listen, "--inventory", filepath.Join(folder, "probes.json"),
		"--keys", filepath.Join(folder, "keys.yaml"), "--shared-key-file", filepath.Join(folder, "shared.key"),
		"--store", "sqlite:"+filepath.Join(folder, "store.db"))
	stop = run(t, cmd, func(line string) {
		if match := listening.FindStringSubmatch(line); match != nil {
			found <- match[1]
		}
	})
	select {
	case address = <-found:
	case <-time.After(time.Minute):
		t.Fatal("the server does not say where it listens")
	}
	return address, stop
}

// raw sends bytes over a connection and gives all that comes back.
func raw(t *testing.T, conn net.Conn, request string) answer {
	t.Helper()
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	return parse(t, bufio.NewReader(conn))
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, bytes.TrimLeft([]byte(text), "\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}
