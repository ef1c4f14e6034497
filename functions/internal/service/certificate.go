package service

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"ixpqos/internal/access"
)

// certificate is what HTTPS is served with: the newest valid pair of the two
// files. Certificates are renewed every few weeks, which no restart may need.
type certificate struct {
	certFile, keyFile string
	current           atomic.Pointer[tls.Certificate]
	problem           atomic.Pointer[error] // why the files as they are now are not in use
	seen              [2][]byte
}

func openCertificate(certFile, keyFile string) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile}
	_, err := c.reload()
	return c, err
}

// reload takes the files up if they changed. One that is written before the other
// makes no pair: what was in use stays, and the next look finds both.
func (c *certificate) reload() (changed bool, err error) {
	cert, certErr := os.ReadFile(c.certFile)
	key, keyErr := os.ReadFile(c.keyFile)
	if err = errors.Join(certErr, keyErr); err != nil {
		c.seen = [2][]byte{} // when they can be read again they are news
	} else {
		if bytes.Equal(cert, c.seen[0]) && bytes.Equal(key, c.seen[1]) {
			return false, c.lastProblem()
		}
		c.seen = [2][]byte{cert, key}
		var pair tls.Certificate
		if pair, err = tls.X509KeyPair(cert, key); err == nil {
			c.current.Store(&pair)
			c.problem.Store(nil)
			return true, nil
		}
	}
	err = fmt.Errorf("--tls-cert %s and --tls-key %s are no certificate and its key: %w", c.certFile, c.keyFile, err)
	c.problem.Store(&err)
	return false, err
}

func (c *certificate) lastProblem() error {
	if err := c.problem.Load(); err != nil {
		return *err
	}
	return nil
}

func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current.Load(), nil }}
}

// watch takes up renewed files until the context ends.
func (c *certificate) watch(ctx context.Context, every time.Duration, hup <-chan os.Signal, metrics *access.Metrics, log *slog.Logger) {
	const what = "TLS certificate"
	metrics.FileValid(what, true) // the service does not start without
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	said := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
			said = ""
		case <-ticker.C:
		}
		changed, err := c.reload()
		metrics.FileValid(what, err == nil)
		switch {
		case err != nil && err.Error() != said:
			log.Error("a file is not valid; what it said before stays in use", "file", what, "error", err)
			said = err.Error()
		case changed:
			log.Info("a changed file was taken up", "file", what)
			said = ""
		}
	}
}
