// Package service is what the mains of the functions share: it opens files and
// the store, puts the API together of the halves that a main asks for, and
// serves it, as a Lambda function or over HTTP, until the process is told to end.
//
// What it promises: it starts only with valid files; what then becomes of them
// or of the store is said in the log, in /readyz and in the metrics, and stops
// nothing; and requests that have begun end before it does.
package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"ixpqos/internal/access"
	"ixpqos/internal/collect"
	"ixpqos/internal/lambdahttp"
	"ixpqos/internal/program"
	"ixpqos/internal/show"
	"ixpqos/internal/store/influx"
)

// drainTimeout is how long requests may take to end when the service is told to.
const drainTimeout = 5 * time.Second

// Common are the settings of every function.
type Common struct {
	Listen    string `env:"IXPQOS_LISTEN" default:"127.0.0.1:8080" help:"Address and port to listen on (${default})."`
	Inventory string `env:"IXPQOS_INVENTORY" default:"/etc/ixpqos/inventory.yaml" help:"Inventory in YAML, or a first version's probes.json (${default})."`
	Keys      string `env:"IXPQOS_KEYS" help:"File with further keys: role, name and sha256 of each."`
	TLSCert   string `name:"tls-cert" env:"IXPQOS_TLS_CERT" help:"Certificate chain to serve HTTPS with; plain HTTP where absent."`
	TLSKey    string `name:"tls-key" env:"IXPQOS_TLS_KEY" help:"Its private key."`

	SharedKeyFile   string `env:"IXPQOS_SHARED_KEY_FILE" help:"File with the one key that the first version's clients share, for its interface alone."`
	SharedKeySHA256 string `name:"shared-key-sha256" env:"IXPQOS_SHARED_KEY_SHA256" help:"The SHA-256 of that key instead of its file."`
}

// Collecting are the settings of the probe-facing half.
type Collecting struct {
	MaxBody    int64 `env:"IXPQOS_MAX_BODY" default:"4194304" help:"Most bytes of a posted batch (${default})."`
	MaxResults int   `env:"IXPQOS_MAX_RESULTS" default:"10000" help:"Most results of a posted batch (${default})."`
}

// Showing are the settings of the viewer-facing half.
type Showing struct {
	PublicRead bool `env:"IXPQOS_PUBLIC_READ" help:"Let everybody read, without a viewer's key."`
}

// Service is a function, or several in one process.
type Service struct {
	Version string
	Common
	Store Store
	// Collect and Show are the halves of the API to serve, those that are not nil.
	Collect *Collecting
	Show    *Showing
	// Retention is how long a store that has none of its own keeps results; for
	// ever where zero.
	Retention time.Duration
}

// Function serves as a Lambda function under its runtime, otherwise over HTTP.
func (s Service) Function(ctx context.Context, log *slog.Logger) error {
	if !lambdahttp.Under() {
		return s.Serve(ctx, log)
	}
	if err := s.Store.check(true); err != nil {
		return err
	}
	config, err := s.packed().open()
	if err != nil {
		return err
	}
	store, err := s.Store.open(ctx, s.use(), true) // what leaves AWS costs
	if err != nil {
		return err
	}
	defer store.close()
	// Beside, not before: the first event need not wait for InfluxDB.
	var asked sync.WaitGroup
	asked.Go(func() { store.sayIfNotReady(ctx, log) })
	defer asked.Wait()
	return lambdahttp.Serve(ctx, withNames(config.inventory.Current, s.handler(config, store, access.NewMetrics(), log)))
}

// Serve serves over HTTP, takes up changed files and removes old results.
func (s Service) Serve(ctx context.Context, log *slog.Logger) error {
	collectGarbageSeldom()
	hups, stop := listenForHUP()
	defer stop()
	if err := s.check(); err != nil {
		return program.Usage(err)
	}
	if err := s.Store.check(false); err != nil {
		return err
	}
	config, err := s.Common.open()
	if err != nil {
		return err
	}
	store, err := s.Store.open(ctx, s.use(), false)
	if err != nil {
		return err
	}
	defer store.close()
	listener, err := listen(s.Listen)
	if err != nil {
		return err
	}
	metrics := access.NewMetrics()
	server := &http.Server{
		Handler:           s.handler(config, store, metrics, log),
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	log.Info("listening", "address", listener.Addr().String(), "tls", s.TLSCert != "", "inventory", config.inventory.Current().Version, "store", s.Store.String())

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.serve(server, listener, config.tls) })
	group.Go(func() error {
		<-ctx.Done()
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		if err := server.Shutdown(drain); !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		return server.Close() // who reads this slowly asks again
	})
	group.Go(func() error { config.watch(ctx, hups, metrics, log); return nil })
	group.Go(func() error { store.sayIfNotReady(ctx, log); return nil })
	if store.prune != nil {
		group.Go(func() error { return store.pruneNowAndThen(ctx, s.Retention, log) })
	}
	return group.Wait()
}

// collectGarbageSeldom lets garbage grow further than Go does by itself, unless
// GOGC says how far. Nearly nothing stays in memory here, so that Go would tidy
// up after every few batches, which took a fifth of the time of each.
func collectGarbageSeldom() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
}

// check refuses settings that make no sense.
func (s Service) check() error {
	switch {
	case s.Retention < 0:
		return fmt.Errorf("--retention is %v: how long results are kept, such as 336h, or 0 for ever", s.Retention)
	case s.Collect != nil && (s.Collect.MaxBody <= 0 || s.Collect.MaxResults <= 0):
		return errors.New("--max-body and --max-results are limits: more than 0")
	case (s.TLSCert == "") != (s.TLSKey == ""):
		return errors.New("--tls-cert and --tls-key go together")
	}
	return nil
}

// use is what the halves do with the store.
func (s Service) use() influx.Use {
	switch {
	case s.Show == nil:
		return influx.Writing
	case s.Collect == nil:
		return influx.Reading
	}
	return influx.ReadingAndWriting
}

// handler serves the halves that are asked for. Their document describes the
// whole API: whoever asks does not know which function answers.
func (s Service) handler(config files, store *opened, metrics *access.Metrics, log *slog.Logger) http.Handler {
	gate := access.Gate{Inventory: config.inventory.Current}
	if config.keys != nil {
		gate.Keys = config.keys.Current
	}
	gate.SharedKey = config.sharedKey()
	if s.Show != nil {
		gate.PublicRead = s.Show.PublicRead
	}
	api := access.NewAPI("IXPQos", s.Version, gate, log)
	collector := &collect.Collector{Inventory: config.inventory.Current, Store: store, Metrics: metrics, Log: log, Now: time.Now,
		MaxBody: collect.DefaultMaxBody, MaxResults: collect.DefaultMaxResults}
	if s.Collect != nil {
		collector.MaxBody, collector.MaxResults = s.Collect.MaxBody, s.Collect.MaxResults
	}
	viewer := &show.Viewer{Inventory: config.inventory.Current, Store: store, Log: log, Now: time.Now, Problems: config.problems}
	if s.Collect != nil {
		collector.Register(api)
	}
	if s.Show != nil {
		viewer.Register(api)
	}
	api.Describe(func() *access.API {
		whole := access.NewAPI("IXPQos", s.Version, gate, log)
		collector.Register(whole)
		viewer.Register(whole)
		return whole
	})
	api.ServeReady(store.Ready)
	api.ServeMetrics(metrics)
	return api.Handler()
}

func listen(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is taken by another process: choose another address by --listen, or stop that process", address)
	}
	if err != nil {
		return nil, fmt.Errorf("--listen %s: %w", address, err)
	}
	return listener, nil
}

func (s Service) serve(server *http.Server, listener net.Listener, cert *certificate) error {
	var err error
	if cert != nil {
		server.TLSConfig = cert.config()
		err = server.ServeTLS(listener, "", "")
	} else {
		err = server.Serve(listener)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve %s: %w", s.Listen, err)
}
