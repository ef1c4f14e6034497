package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jonboulle/clockwork"
	"golang.org/x/sync/errgroup"

	"ixpqos/internal/access"
	"ixpqos/internal/collect"
	"ixpqos/internal/inventory"
	"ixpqos/internal/program"
	"ixpqos/internal/schedule"
	"ixpqos/internal/show"
	"ixpqos/internal/store/sqlite"
)

const (
	// pollFiles is how often configuration files are looked at for changes.
	pollFiles = 2 * time.Second
	// pruneEvery is how often what is older than the retention goes.
	pruneEvery = time.Hour
	// drainTimeout is how long requests may take to end when the server is told to.
	drainTimeout = 5 * time.Second
)

type serveCommand struct {
	Listen     string        `env:"IXPQOS_LISTEN" default:"127.0.0.1:8080" help:"Address and port to listen on (${default})."`
	Inventory  string        `env:"IXPQOS_INVENTORY" default:"/etc/ixpqos/inventory.yaml" help:"Inventory in YAML, or a first version's probes.json (${default})."`
	Keys       string        `env:"IXPQOS_KEYS" help:"File with further keys: role, name and sha256 of each."`
	Store      string        `env:"IXPQOS_STORE" default:"sqlite:/var/lib/ixpqos-server/ixpqos.db" help:"Where results are kept (${default})."`
	Retention  time.Duration `env:"IXPQOS_RETENTION" default:"336h" help:"How long results are kept (${default})."`
	PublicRead bool          `env:"IXPQOS_PUBLIC_READ" help:"Let everybody read, without a viewer's key."`
	TLSCert    string        `name:"tls-cert" env:"IXPQOS_TLS_CERT" help:"Certificate chain to serve HTTPS with; plain HTTP where absent."`
	TLSKey     string        `name:"tls-key" env:"IXPQOS_TLS_KEY" help:"Its private key."`
	MaxBody    int64         `env:"IXPQOS_MAX_BODY" default:"4194304" help:"Most bytes of a posted batch (${default})."`
	MaxResults int           `env:"IXPQOS_MAX_RESULTS" default:"10000" help:"Most results of a posted batch (${default})."`
}

// Validate is asked by the command line's parser.
func (c serveCommand) Validate() error {
	switch {
	case c.Retention <= 0:
		return fmt.Errorf("--retention is %v: how long results are kept, such as 336h", c.Retention)
	case c.MaxBody <= 0 || c.MaxResults <= 0:
		return errors.New("--max-body and --max-results are limits: more than 0")
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return errors.New("--tls-cert and --tls-key go together")
	}
	return nil
}

func (c serveCommand) Run(ctx context.Context, log *slog.Logger) error {
	// From here on a reload that comes early waits until the files are watched.
	hups := []chan os.Signal{make(chan os.Signal, 1), make(chan os.Signal, 1)}
	for _, hup := range hups {
		signal.Notify(hup, syscall.SIGHUP)
		defer signal.Stop(hup)
	}
	config, err := c.open()
	if err != nil {
		return err
	}
	path, ok := strings.CutPrefix(c.Store, "sqlite:")
	if !ok || path == "" {
		return program.Usage(fmt.Errorf("--store %q is not known: it is sqlite:PATH", c.Store))
	}
	store, err := sqlite.Open(ctx, path, sqlite.Options{})
	if err != nil {
		return err
	}
	defer store.Close()
	listener, err := c.listen()
	if err != nil {
		return err
	}
	metrics := access.NewMetrics()
	server := &http.Server{
		Handler:           c.handler(config, store, metrics, log),
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	log.Info("listening", "address", listener.Addr().String(), "tls", c.TLSCert != "", "inventory", config.inventory.Current().Version, "store", c.Store)

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return c.serve(server, listener) })
	group.Go(func() error {
		<-ctx.Done()
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		if err := server.Shutdown(drain); errors.Is(err, context.DeadlineExceeded) {
			return server.Close() // a reader that is this slow asks again
		} else if err != nil {
			return err
		}
		return nil
	})
	group.Go(func() error { config.watch(ctx, hups, metrics, log); return nil })
	group.Go(func() error { return c.prune(ctx, store, log) })
	return group.Wait()
}

// configuration is the files that the server goes by.
type configuration struct {
	inventory *inventory.Watched[*inventory.Inventory]
	keys      *inventory.Watched[[]inventory.Key] // nil where there is none
}

// problems are what is wrong with the files as they are now.
func (f configuration) problems() (problems []error) {
	if err := f.inventory.Problem(); err != nil {
		problems = append(problems, err)
	}
	if f.keys != nil && f.keys.Problem() != nil {
		problems = append(problems, f.keys.Problem())
	}
	return problems
}

func (c serveCommand) open() (configuration, error) {
	file, err := inventory.Open(c.Inventory)
	if err != nil {
		return configuration{}, err
	}
	config := configuration{inventory: file}
	if c.Keys != "" {
		if config.keys, err = inventory.OpenKeys(c.Keys); err != nil {
			return configuration{}, err
		}
	}
	return config, nil
}

func (c serveCommand) listen() (net.Listener, error) {
	listener, err := net.Listen("tcp", c.Listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is taken by another process: choose another address by --listen, or stop that process", c.Listen)
	}
	if err != nil {
		return nil, fmt.Errorf("--listen %s: %w", c.Listen, err)
	}
	return listener, nil
}

func (c serveCommand) handler(config configuration, store *sqlite.Store, metrics *access.Metrics, log *slog.Logger) http.Handler {
	gate := access.Gate{Inventory: config.inventory.Current, PublicRead: c.PublicRead}
	if config.keys != nil {
		gate.Keys = config.keys.Current
	}
	api := access.NewAPI("IXPQos", version, gate, log)
	(&collect.Collector{Inventory: config.inventory.Current, Store: store, Metrics: metrics, Log: log, Now: time.Now,
		MaxBody: c.MaxBody, MaxResults: c.MaxResults}).Register(api)
	(&show.Viewer{Inventory: config.inventory.Current, Store: store, Log: log, Now: time.Now, Problems: config.problems}).Register(api)
	api.ServeReady(store.Ready)
	api.ServeMetrics(metrics)
	return api.Handler()
}

func (c serveCommand) serve(server *http.Server, listener net.Listener) error {
	var err error
	if c.TLSCert != "" {
		err = server.ServeTLS(listener, c.TLSCert, c.TLSKey)
	} else {
		err = server.Serve(listener)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve %s: %w", c.Listen, err)
}

// watch takes up changed files until the context ends.
func (f configuration) watch(ctx context.Context, hups []chan os.Signal, metrics *access.Metrics, log *slog.Logger) {
	var files sync.WaitGroup
	files.Go(func() { watch(ctx, f.inventory, "inventory", hups[0], metrics, log) })
	if f.keys != nil {
		files.Go(func() { watch(ctx, f.keys, "keys", hups[1], metrics, log) })
	}
	files.Wait()
}

func watch[T any](ctx context.Context, file *inventory.Watched[T], what string, hup <-chan os.Signal, metrics *access.Metrics, log *slog.Logger) {
	metrics.FileValid(what, true) // the server does not start without
	file.Watch(ctx, pollFiles, hup, func(changed bool, err error) {
		metrics.FileValid(what, err == nil)
		switch {
		case err != nil:
			log.Error("a file is not valid; what it said before stays in use", "file", what, "error", err)
		case changed:
			log.Info("a changed file was taken up", "file", what)
		default:
			log.Info("the file says what is in use", "file", what)
		}
	})
}

// prune removes what is older than the retention, now and then.
func (c serveCommand) prune(ctx context.Context, store *sqlite.Store, log *slog.Logger) error {
	remove := func(ctx context.Context, start, _ time.Time) {
		if gone, err := store.Prune(ctx, start.Add(-c.Retention)); err != nil {
			log.Error("old results could not be removed", "error", err)
		} else if gone > 0 {
			log.Info("old results were removed", "results", gone, "retention", c.Retention)
		}
	}
	return schedule.Run(ctx, clockwork.NewRealClock(), log,
		schedule.Job{Name: "remove old results", Timetable: schedule.MustEvery(pruneEvery), Run: remove})
}
