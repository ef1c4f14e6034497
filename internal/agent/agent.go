// Package agent is the life of a probe: it pulls its configuration, schedules
// and measures, keeps every batch in the spool and delivers it, and takes up
// changed configuration while it runs. It is also what a person asks a probe
// for: one round now (Once) and whether all is well (Check).
//
// What it promises: it measures on with the last good configuration when the
// API is away; what was measured is in the spool before it is sent; what is
// wrong at the probe travels with its batches; and told to end, it gives what it
// measured until then, tries to deliver it, and ends within ten seconds with
// everything in the spool.
package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"
	"golang.org/x/sync/errgroup"

	"ixpqos/internal/deliver"
	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
	"ixpqos/internal/wire"
)

// Settings are what a probe is started with.
type Settings struct {
	// Name is the probe's in the inventory.
	Name string
	// Server is the URL of the API and KeyFile the file with the key for it.
	Server, KeyFile string
	// State is the folder of the spool and of the last good configuration.
	State string
	// SpoolBytes bounds the spool; the default of deliver where zero.
	SpoolBytes int64
	// InventoryFile takes the place of a server: results are printed.
	InventoryFile string
	// Version is the binary's.
	Version string
}

// Run measures and delivers until the context ends; that is no error. An error
// is one line that says what is wrong with the settings or the state folder.
func Run(ctx context.Context, s Settings, log *slog.Logger) error {
	api, err := newAPI(s, log)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.State, 0o700); err != nil && !deliver.TakesNothing(err) {
		return fmt.Errorf("the state folder cannot be made (%w): choose another by --state, or create it and give it to this user", err)
	}
	spool, err := deliver.OpenSpool(spoolOf(s.State), deliver.SpoolOptions{MaxBytes: s.SpoolBytes, MaxMemoryBytes: memoryBytes, Log: log})
	if err != nil {
		return err
	}
	defer spool.Close()

	uploader, err := deliver.NewUploader(spool, deliver.UploaderOptions{URL: s.Server, Key: api.key, Version: s.Version, Client: api.client, Log: log})
	if err != nil {
		return err
	}
	rep := newReporter(s, spool, uploader, clockwork.NewRealClock(), log)
	engines := newEngines(s.Name, rep.board, log)
	pull := &puller{api: api, file: s.configFile(), board: rep.board, log: log,
		parts: make(chan inventory.Part), taken: rep.alive}
	return live(ctx, uploader, rep, log, func(ctx context.Context) error {
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return engines.run(ctx, pull.parts, rep.emit) })
		group.Go(func() error { return pull.run(ctx) })
		group.Go(func() error { return rep.run(ctx, log) })
		return group.Wait()
	})
}

const (
	// memoryBytes is what may wait in memory while the disk takes nothing.
	memoryBytes = 32 << 20
	// lastUpload is for how long the last results of a probe that ends are tried
	// to be delivered. What is not, waits for the next start.
	lastUpload = 2 * time.Second
)

// live delivers while the probe measures, and after that what it gave at its end.
func live(ctx context.Context, uploader *deliver.Uploader, rep *reporter, log *slog.Logger, measure func(context.Context) error) error {
	delivering, endDelivering := context.WithCancel(context.WithoutCancel(ctx))
	defer endDelivering()
	var delivery errgroup.Group
	delivery.Go(func() error { return uploader.Run(delivering) })
	err := measure(ctx)
	if failed := rep.end(context.WithoutCancel(ctx)); failed != nil {
		log.Error("what was missed at the end could not be kept", "error", failed)
	}
	endDelivering()
	err = errors.Join(err, delivery.Wait())
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastUpload)
	defer cancel()
	uploader.Finish(last)
	return err
}

// Print measures by an inventory file and prints every result as a line of
// JSON, until the context ends.
func Print(ctx context.Context, s Settings, out io.Writer, log *slog.Logger) error {
	file, err := inventory.Open(s.InventoryFile)
	if err != nil {
		return err
	}
	part, err := partOf(file.Current(), s)
	if err != nil {
		return err
	}
	board := newBoard(func(_, sentence string) {
		if sentence != "" {
			log.Warn(sentence)
		}
	})
	parts := make(chan inventory.Part, 1)
	parts <- part
	lines := json.NewEncoder(out)
	var printing sync.Mutex // engines give their results side by side
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return newEngines(s.Name, board, log).run(ctx, parts, func(_ context.Context, batch ippm.Batch) error {
			printing.Lock()
			defer printing.Unlock()
			return printResults(lines, batch.Results)
		})
	})
	group.Go(func() error {
		file.Watch(ctx, filePoll, nil, func(changed bool, err error) {
			if err != nil {
				log.Error("the inventory is not valid; the one before stays in use", "error", err)
			} else if part, err := partOf(file.Current(), s); err != nil {
				log.Error("the inventory is of no use here; the one before stays in use", "error", err)
			} else if changed {
				offer(ctx, parts, part)
			}
		})
		return nil
	})
	return group.Wait()
}

// filePoll is how often a file is looked at for changes.
const filePoll = 2 * time.Second

func partOf(inv *inventory.Inventory, s Settings) (inventory.Part, error) {
	part, ok := inv.Part(s.Name)
	if !ok {
		return part, fmt.Errorf("%s has no probe %q: name one of its probes by --name", s.InventoryFile, s.Name)
	}
	return part, nil
}

func printResults(lines *json.Encoder, results []ippm.Result) error {
	for _, r := range results {
		if err := lines.Encode(wire.Shown(r, time.Time{})); err != nil {
			return fmt.Errorf("print a result: %w", err)
		}
	}
	return nil
}

// offer hands a part over, unless the context ends first.
func offer(ctx context.Context, parts chan<- inventory.Part, part inventory.Part) {
	select {
	case <-ctx.Done():
	case parts <- part:
	}
}
