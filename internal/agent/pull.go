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
	"strings"
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
	has    bool   // a configuration was taken up
	gone   bool   // the probe is not in the inventory
	kept   bool   // the file says what is taken up
	saved  *saved // what is taken up
}

const subjectConfig = "configuration"

// run starts from the last good configuration and then asks for a newer one
// again and again.
func (p *puller) run(ctx context.Context) error {
	if err := p.load(ctx); err != nil {
		p.log.Warn("the last good configuration is of no use; waiting for the server's", "error", err)
	}
	p.pull(ctx)
	return repeat(ctx, clockwork.NewRealClock(), schedule.Spread(pullEvery, p.api.name), pullEvery, p.pull)
}

// repeat does something again and again, until the context ends. Its pauses are
// the same when the wall clock steps, as those of a timetable are not.
func repeat(ctx context.Context, clock clockwork.Clock, first, every time.Duration, do func(context.Context)) error {
	timer := clock.NewTimer(first)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.Chan():
			timer.Reset(every)
			do(ctx)
		}
	}
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
	p.etag, p.kept = s.ETag, true
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
	case isGone(err):
		p.end(ctx)
		p.board.set(subjectConfig, fmt.Sprintf("nothing is measured, since the server says that probe %q is not in the inventory: put it there again, or stop this probe", p.api.name))
	case errors.As(err, new(notKept)):
		p.board.set(subjectConfig, err.Error())
	case err != nil && p.gone:
		p.board.set(subjectConfig, fmt.Sprintf("nothing is measured, since the server said that probe %q is not in the inventory; and now: %v", p.api.name, err))
	case err != nil && !p.has:
		p.board.set(subjectConfig, fmt.Sprintf("there is no configuration yet, so nothing is measured: %v", err))
	case err != nil:
		p.board.set(subjectConfig, fmt.Sprintf("the configuration may be old: %v", err))
	default:
		p.board.set(subjectConfig, "")
	}
}

func (p *puller) renew(ctx context.Context) error {
	status, etag, body, err := p.api.config(ctx, p.etag)
	switch {
	case err != nil:
		return err
	case status == http.StatusNotModified:
		return p.keep()
	}
	if err := p.take(ctx, body); err != nil {
		return err
	}
	p.etag, p.kept, p.saved = etag, false, &saved{ETag: etag, Config: body}
	return p.keep()
}

// notKept is why the next start does not know the newest configuration.
type notKept struct{ error }

func (e notKept) Error() string {
	return fmt.Sprintf("the newest configuration is in use, but could not be kept for the next start: %v", e.error)
}

// keep writes down what is taken up, for the next start; where the disk does not
// take it, the next pull tries again.
func (p *puller) keep() error {
	if p.kept || p.saved == nil {
		return nil
	}
	text, err := json.Marshal(p.saved)
	if err != nil {
		return fmt.Errorf("keep the configuration: %w", err)
	}
	if err := deliver.WriteDurably(filepath.Dir(p.file), filepath.Base(p.file), text); err != nil {
		return notKept{err}
	}
	p.kept = true
	return nil
}

// isGone tells that the server knows the key, and no such probe.
func isGone(err error) bool {
	var r refusal
	return errors.As(err, &r) && r.code == http.StatusForbidden && strings.Contains(r.detail, "is not in the inventory")
}

// end ends all tests, also those of the next start: others do not expect them
// any more, and the server takes nothing of them.
func (p *puller) end(ctx context.Context) {
	if p.gone {
		return
	}
	p.gone, p.etag, p.saved = true, "", nil
	if err := os.Remove(p.file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		p.log.Error("the last good configuration cannot be deleted; the next start measures by it until it has asked the server", "error", err)
	}
	p.log.Warn("this probe is not in the inventory any more; its tests end")
	none := inventory.Part{Probe: p.api.name}
	p.taking(none)
	offer(ctx, p.parts, none)
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
	p.has, p.gone = true, false
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
