package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jonboulle/clockwork"

	"ixpqos/internal/program"
	"ixpqos/internal/schedule"
	"ixpqos/internal/store"
	"ixpqos/internal/store/influx"
	"ixpqos/internal/store/sqlite"
)

// pruneEvery is how often what is older than the retention goes.
const pruneEvery = time.Hour

// flowRetention is how long a store that has no retention of its own keeps
// flows, if it keeps results as long: by then somebody has looked for a bad
// member, or nobody will.
const flowRetention = 48 * time.Hour

// The kinds of store, as --store names them.
const (
	kindSQLite = "sqlite:"
	kindInflux = "influx"
)

// Store says where results are kept.
type Store struct {
	// Kind is sqlite:PATH or influx.
	Kind   string `name:"store" env:"IXPQOS_STORE" default:"influx" help:"Where results are kept: influx, or sqlite:PATH outside of Lambda (${default})."`
	Influx Influx `embed:""`
}

func (s Store) String() string { return s.Kind }

// path is that of an SQLite file.
func (s Store) path() (path string, ok bool) {
	path, ok = strings.CutPrefix(s.Kind, kindSQLite)
	return path, ok && path != ""
}

// check refuses what is no store here; under Lambda that includes files.
func (s Store) check(underLambda bool) error {
	_, file := s.path()
	switch {
	case file && underLambda:
		return program.Usage(fmt.Errorf("--store %s cannot be used under Lambda, where a file goes with the instance that wrote it: use --store influx", s.Kind))
	case !file && s.Kind != kindInflux:
		return program.Usage(fmt.Errorf("--store %q is not known: it is sqlite:PATH or influx", s.Kind))
	}
	return nil
}

func (s Store) open(ctx context.Context, use influx.Use, gzip bool) (*opened, error) {
	path, ok := s.path()
	if !ok {
		return s.Influx.open(ctx, use, gzip)
	}
	db, err := sqlite.Open(ctx, path, sqlite.Options{})
	if err != nil {
		return nil, err
	}
	return &opened{Writer: db, Reader: db, prune: db.Prune, close: db.Close}, nil
}

// opened is a store, and what its kind asks for beside reading and writing.
type opened struct {
	store.Writer
	store.Reader
	// prune removes what is older, and flows older than a moment of their own; nil
	// where the store does that by itself.
	prune func(ctx context.Context, before, flowsBefore time.Time) (int64, error)
	close func() error
	// lastWrite is why the newest batch was not written; nil where Ready asks as much.
	lastWrite func() error
}

// Ready is nil when the store can do now what it was opened for.
func (o *opened) Ready(ctx context.Context) error {
	if err := o.Reader.Ready(ctx); err != nil || o.lastWrite == nil {
		return err
	}
	return o.lastWrite()
}

// sayIfNotReady says once, at start, what /readyz would say.
func (o *opened) sayIfNotReady(ctx context.Context, log *slog.Logger) {
	if err := o.Ready(ctx); err != nil && !errors.Is(err, context.Canceled) {
		log.Error("the store is not ready", "error", err)
	}
}

// pruneNowAndThen removes what is older than the retention, where it is not 0, and
// flows older than theirs, until the context ends.
func (o *opened) pruneNowAndThen(ctx context.Context, retention time.Duration, log *slog.Logger) error {
	remove := func(ctx context.Context, start, _ time.Time) {
		var before time.Time
		if retention > 0 {
			before = start.Add(-retention)
		}
		if gone, err := o.prune(ctx, before, start.Add(-flowRetention)); err != nil {
			log.Error("old results could not be removed", "error", err)
		} else if gone > 0 {
			log.Info("old results were removed", "rows", gone, "retention", retention, "flow_retention", flowRetention)
		}
	}
	return schedule.Run(ctx, clockwork.NewRealClock(), log,
		schedule.Job{Name: "remove old results", Timetable: schedule.MustEvery(pruneEvery), Run: remove})
}
