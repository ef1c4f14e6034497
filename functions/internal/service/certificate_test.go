package service

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ixpqos/internal/access"
)

// renew writes another certificate with that serial number, and its key.
func renew(t *testing.T, c *certificate, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	put(t, c.certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
	put(t, c.keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
}

func put(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// telling is a log whose lines a test waits for.
type telling chan string

func (telling) Enabled(context.Context, slog.Level) bool { return true }
func (l telling) WithAttrs([]slog.Attr) slog.Handler     { return l }
func (l telling) WithGroup(string) slog.Handler          { return l }
func (l telling) Handle(_ context.Context, r slog.Record) error {
	l <- r.Message
	return nil
}

// TestRenewedCertificate is served without a restart; what is no pair leaves the
// one before in use.
func TestRenewedCertificate(t *testing.T) {
	folder := t.TempDir()
	files := &certificate{certFile: filepath.Join(folder, "tls.crt"), keyFile: filepath.Join(folder, "tls.key")}
	if _, err := openCertificate(files.certFile, files.keyFile); err == nil {
		t.Error("files that are not there are taken")
	}
	renew(t, files, 1)
	c, err := openCertificate(files.certFile, files.keyFile)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.NotFoundHandler()}
	served := make(chan error, 1)
	go func() { served <- Service{}.serve(server, listener, c) }()
	hup, log := make(chan os.Signal), make(telling, 10)
	ctx, cancel := context.WithCancel(t.Context())
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		c.watch(ctx, time.Hour, hup, access.NewMetrics(), slog.New(log))
	}()
	check := func(serial int64) {
		t.Helper()
		conn, err := tls.Dial("tcp", listener.Addr().String(), &tls.Config{InsecureSkipVerify: true}) // which one is the question
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if got := conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64(); got != serial {
			t.Errorf("certificate %d is served; want %d", got, serial)
		}
	}
	check(1)
	renew(t, c, 2)
	hup <- nil
	<-log
	check(2)
	put(t, c.keyFile, []byte("none"))
	hup <- nil
	if said := <-log; said != "a file is not valid; what it said before stays in use" || c.lastProblem() == nil {
		t.Errorf("it says %q, problem %v", said, c.lastProblem())
	}
	check(2)
	renew(t, c, 3)
	hup <- nil
	<-log
	check(3)
	if err := c.lastProblem(); err != nil {
		t.Error(err)
	}
	cancel()
	<-watched
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}
