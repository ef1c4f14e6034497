package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/jonboulle/clockwork"

	"ixpqos/internal/deliver"
	"ixpqos/internal/inventory"
	"ixpqos/internal/schedule"
)

// pullEvery is how often a probe asks for its configuration.
const pullEvery = 30 * time.Second

// saved is the last good configuration as the state folder keeps it.
type saved struct {
	ETag   string          `json:"etag"`
	Config json.RawMessage `json:"config"`
}

// puller keeps a probe's configuration as new as the server's.
type puller struct {
	api   *api
	file  string
	board *board
	log   *slog.Logger
	parts chan inventory.Part
	// taking is called with every part that is about to be handed to the engine, and
	// taken once it was.
	taking func(inventory.Part)
	taken  func(context.Context, inventory.Part) error
	etag   string
	has    bool // a configuration was taken up
}

const subjectConfig = "configuration"

// run starts from the last good configuration and then asks for a newer one
// again and again.
func (p *puller) run(ctx context.Context) error {
	if err := p.load(ctx); err != nil {
		p.log.Warn("the last good configuration is of no use; waiting for the server's", "error", err)
	}
	p.pull(ctx)
	return schedule.Run(ctx, clockwork.NewRealClock(), p.log, schedule.Job{
		Name: "pull the configuration", Timetable: schedule.MustEvery(pullEvery), Offset: schedule.Spread(pullEvery, p.api.name),
		Run: func(ctx context.Context, _, _ time.Time) { p.pull(ctx) }})
}

func (p *puller) load(ctx context.Context) error {
	s, err := loadConfig(p.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := p.take(ctx, s.Config); err != nil {
		return err
	}
	p.etag = s.ETag
	return nil
}

func loadConfig(file string) (saved, error) {
	var s saved
	text, err := os.ReadFile(file)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("%s: %w", file, err)
	}
	return s, nil
}

func (p *puller) pull(ctx context.Context) {
	err := p.renew(ctx)
	if ctx.Err() != nil {
		return
	}
	switch {
	case err != nil && !p.has:
		p.board.set(subjectConfig, fmt.Sprintf("there is no configuration yet, so nothing is measured: %v", err))
		return
	case err != nil:
		p.board.set(subjectConfig, fmt.Sprintf("the configuration may be old: %v", err))
		return
	}
	p.board.set(subjectConfig, "")
}

func (p *puller) renew(ctx context.Context) error {
	status, etag, body, err := p.api.config(ctx, p.etag)
	if err != nil || status == http.StatusNotModified {
		return err
	}
	s := saved{ETag: etag, Config: body}
	if err := p.take(ctx, s.Config); err != nil {
		return err
	}
	text, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("keep the configuration: %w", err)
	}
	if err := deliver.WriteDurably(filepath.Dir(p.file), filepath.Base(p.file), text); err != nil {
		return fmt.Errorf("the configuration is in use but could not be kept for the next start: %w", err)
	}
	p.etag = etag // until here, the server is asked for all of it again
	return nil
}

// take hands a configuration to the engine and tells the server that it is known.
func (p *puller) take(ctx context.Context, config []byte) error {
	part, unknown, err := readConfig(config)
	if err != nil {
		return err
	}
	if part.Probe != p.api.name {
		return fmt.Errorf("the configuration is for probe %q, but this is %q", part.Probe, p.api.name)
	}
	p.board.set("configuration keys", unknown)
	p.board.set("test kinds", unknownKinds(part))
	p.has = true
	p.taking(part)
	offer(ctx, p.parts, part)
	p.log.Info("configuration taken up", "inventory", part.Inventory, "peers", len(part.Peers), "tests", len(part.Tests))
	if err := p.taken(ctx, part); err != nil {
		p.log.Error("the server could not be told that the configuration is known", "error", err)
	}
	return nil
}

func unknownKinds(part inventory.Part) string {
	sentence := ""
	for _, t := range part.Tests {
		if t.Kind != inventory.KindICMP && t.Kind != inventory.KindSTAMP {
			sentence += fmt.Sprintf("test %q is ignored: this probe does not know its kind %q, update the probe. ", t.Name, t.Kind)
		}
	}
	return sentence
}
