package influxd

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ixpqos/infra/needs"
)

// Server is an InfluxDB 2 that was set up.
type Server struct {
	URL, Org string
	// Token is an operator's, which may do everything.
	Token   string
	process *process // nil where the server is not ours
}

// shared is the server of this test process.
var shared struct {
	sync.Mutex
	managed bool // Main runs, and will end it
	server  *Server
	folder  string
}

// Main runs the tests of a package and then ends the server, if one of them
// started it:
//
//	func TestMain(m *testing.M) { os.Exit(influxd.Main(m)) }
func Main(m *testing.M) int {
	shared.managed = true
	defer func() {
		if s := shared.server; s != nil && s.process != nil {
			s.process.kill()
			os.RemoveAll(shared.folder)
		}
	}()
	return m.Run()
}

// Start gives the server of this test process, and starts it if it is the
// first to ask. Without an influxd the test is left out (package needs).
func Start(t testing.TB) *Server {
	t.Helper()
	path := needs.Influxd(t)
	shared.Lock()
	defer shared.Unlock()
	if !shared.managed {
		t.Fatal("influxd.Start: the package has no TestMain that runs influxd.Main, so that nobody would end the server")
	}
	if shared.server == nil {
		if err := begin(path); err != nil {
			t.Fatal(err)
		}
	}
	return shared.server
}

// begin starts the server at path, or takes that of INFLUX_URL where there is none.
func begin(path string) error {
	if path == "" {
		shared.server = &Server{URL: os.Getenv("INFLUX_URL"), Org: cmp.Or(os.Getenv("INFLUX_ORG"), "ixpqos"), Token: os.Getenv("INFLUX_TOKEN")}
		return shared.server.ready()
	}
	folder, err := os.MkdirTemp("", "ixpqos-influxd-")
	if err != nil {
		return err
	}
	s, err := startIn(folder, path)
	if err != nil {
		os.RemoveAll(folder)
		return err
	}
	shared.server, shared.folder = s, folder
	return nil
}

func startIn(folder, path string) (*Server, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	s := &Server{URL: "http://" + address, Org: "example-ix", Token: "operator-token-of-a-test",
		process: &process{path: path, folder: folder, address: address}}
	if err := s.process.start(); err != nil {
		return nil, err
	}
	if err := s.setUp(); err != nil {
		s.process.kill()
		return nil, err
	}
	return s, nil
}

func (s *Server) setUp() error {
	if err := s.ready(); err != nil {
		return fmt.Errorf("%w\n%s", err, s.process.log())
	}
	return s.call(context.Background(), "POST", "setup", map[string]any{
		"username": "operator", "password": "a password of a test", "org": s.Org, "bucket": "unused", "token": s.Token,
	}, nil)
}

// freeAddress is one that nothing listens at now.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// Ours says whether the server may be paused, killed and started again.
func (s *Server) Ours() bool { return s.process != nil }

// Pause makes the server hang (SIGSTOP): it takes connections and never answers.
func (s *Server) Pause(t testing.TB) { t.Helper(); s.control(t, (*process).pause) }

// Resume ends a Pause.
func (s *Server) Resume(t testing.TB) { t.Helper(); s.control(t, (*process).resume) }

// Kill ends the server without a chance to tidy up (SIGKILL).
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	s.control(t, func(p *process) error { p.kill(); return nil })
}

// Restart starts a killed server on the data that it left, and waits until it answers.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.control(t, (*process).start)
	if err := s.ready(); err != nil {
		t.Fatalf("%v\n%s", err, s.process.log())
	}
}

func (s *Server) control(t testing.TB, do func(*process) error) {
	t.Helper()
	if s.process == nil {
		t.Fatalf("%s is not ours to stop", s.URL)
	}
	if err := do(s.process); err != nil {
		t.Fatal(err)
	}
}

// ready waits until the server answers.
func (s *Server) ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		err := s.call(ctx, "GET", "setup", nil, nil)
		if err == nil {
			return nil
		}
		if s.process != nil && s.process.ended() {
			return fmt.Errorf("influxd ended early:\n%s", s.process.log())
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("influxd at %s does not answer: %w", s.URL, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

var bucketNumber atomic.Int64

// BucketName gives a name that no other test uses. The bucket, which the test
// may make, is deleted at its end.
func (s *Server) BucketName(t testing.TB, what string) string {
	t.Helper()
	name := fmt.Sprintf("test-%d-%d-%s", os.Getpid(), bucketNumber.Add(1), what)
	t.Cleanup(func() {
		if err := s.Drop(name); err != nil {
			t.Error(err)
		}
	})
	return name
}

func logFile(folder string) string { return filepath.Join(folder, "log") }
