package agent

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jonboulle/clockwork"

	"ixpqos/internal/deliver"
	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
	"ixpqos/internal/schedule"
)

// aliveEvery is how often a probe that has nothing else to say says that it is
// there: it bounds the age of "last heard" when tests are rare.
const aliveEvery = time.Minute

// board holds what is wrong, by subject.
type board struct {
	mu       sync.Mutex
	troubles map[string]string
	missed   int
	changed  func(subject, sentence string)
}

func newBoard(changed func(subject, sentence string)) *board {
	return &board{troubles: map[string]string{}, changed: changed}
}

// maxTrouble bounds a sentence, in bytes: some quote what others said, and each
// travels in every batch.
const maxTrouble = 1000

// set says what is wrong with the subject; an empty sentence, that nothing is.
func (b *board) set(subject, sentence string) {
	sentence = clip(sentence, maxTrouble)
	b.mu.Lock()
	changed := b.troubles[subject] != sentence
	if sentence == "" {
		delete(b.troubles, subject)
	} else {
		b.troubles[subject] = sentence
	}
	b.mu.Unlock()
	if changed {
		b.changed(subject, sentence)
	}
}

func (b *board) missedOne() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.missed++
}

func (b *board) list() (troubles []string, missed int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, subject := range slices.Sorted(maps.Keys(b.troubles)) {
		troubles = append(troubles, b.troubles[subject])
	}
	return troubles, b.missed
}

// reporter puts batches into the spool, with the probe's health.
type reporter struct {
	*board
	name     string
	version  string
	process  string // the run that batches tell
	started  time.Time
	spool    *deliver.Spool
	uploader *deliver.Uploader
	clock    clockwork.Clock
	part     atomic.Pointer[inventory.Part]
	views    viewLog

	telling sync.Mutex
	last    time.Time // when the last batch was spooled; read from a clock that does not step
	told    int       // intervals missed, as the last batch said
}

func newReporter(s Settings, spool *deliver.Spool, uploader *deliver.Uploader, clock clockwork.Clock, log *slog.Logger) *reporter {
	r := &reporter{name: s.Name, version: s.Version, process: newRun(), started: clock.Now(), spool: spool, uploader: uploader, clock: clock}
	r.board = newBoard(func(subject, sentence string) {
		if sentence == "" {
			log.Info("trouble is over", "subject", subject)
		} else {
			log.Warn(sentence)
		}
	})
	return r
}

// newRun is the number of this process, which no other has.
func newRun() string {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// emit is where every batch goes.
func (r *reporter) emit(ctx context.Context, batch ippm.Batch) error {
	batch.Run, batch.Views, batch.Health = r.process, r.viewsOf(batch), r.health()
	if err := r.spool.Append(ctx, batch); err != nil {
		return err
	}
	r.telling.Lock()
	defer r.telling.Unlock()
	r.last, r.told = r.clock.Now(), max(r.told, batch.Health.Missed)
	return nil
}

// viewsOf are the views of a batch's peers in its interval; of one without an
// interval, as they are from now on.
func (r *reporter) viewsOf(batch ippm.Batch) []uint32 {
	end := batch.Start
	for _, result := range batch.Results {
		end = later(end, result.End())
	}
	for _, heard := range batch.Heard {
		end = later(end, heard.Start.Add(heard.Length))
	}
	if end.Equal(batch.Start) {
		return r.views.newest(batch.Peers)
	}
	now := r.clock.Now()
	return r.views.during(batch.Peers, anchored(now, batch.Start), anchored(now, end))
}

// anchored is a moment as it lies from now on the clock that only goes on: what
// was taken up before a step back of the wall clock would seem to come only yet,
// for as long as the step.
func anchored(now, at time.Time) time.Time { return now.Add(at.Sub(now)) }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (r *reporter) health() ippm.Health {
	stats := r.spool.Stats()
	troubles, missed := r.list()
	for _, trouble := range append(r.spool.Troubles(), r.uploader.Trouble()) {
		if trouble != "" {
			troubles = append(troubles, clip(trouble, maxTrouble))
		}
	}
	return ippm.Health{Version: r.version, StartedAt: r.started, Waiting: stats.Waiting, WaitingBytes: stats.Bytes,
		SetAside: stats.SetAside, Dropped: stats.Dropped, Missed: missed, Troubles: troubles}
}

// taking is called with every part before it is taken up. Until it is, and of one
// that ends all tests, there are no signs of life: they would be of the part before.
func (r *reporter) taking(part inventory.Part) {
	r.part.Store(nil)
	r.views.begin(part, r.clock.Now())
}

// quiet tells whether nothing was reported for a while.
func (r *reporter) quiet() bool {
	r.telling.Lock()
	defer r.telling.Unlock()
	return r.clock.Since(r.last) >= aliveEvery/2
}

// end tells what was missed in ending, where no batch has told it.
func (r *reporter) end(ctx context.Context) error {
	part := r.part.Load()
	_, missed := r.list()
	r.telling.Lock()
	told := r.told
	r.telling.Unlock()
	if part == nil || missed == told {
		return nil
	}
	return r.sign(ctx, *part)
}

// alive is called with every part that is taken up, and says at once which
// peers the probe knows now: until the server has heard it, no pair counts.
func (r *reporter) alive(ctx context.Context, part inventory.Part) error {
	r.views.settle(r.clock.Now())
	r.part.Store(&part)
	return r.sign(ctx, part)
}

// sign is a batch that says nothing but that the probe is there, and how it is.
func (r *reporter) sign(ctx context.Context, part inventory.Part) error {
	return r.emit(ctx, ippm.Batch{Probe: part.Probe, Inventory: part.Inventory, Peers: part.PeerNames(), Start: r.clock.Now().UTC()})
}

// run says that the probe is there whenever nothing else did for a while.
func (r *reporter) run(ctx context.Context, log *slog.Logger) error {
	return repeat(ctx, r.clock, schedule.Spread(aliveEvery, r.name), aliveEvery, func(ctx context.Context) {
		part := r.part.Load()
		// What waits says as much when it arrives, but for what is put off: that may
		// take days.
		if stats := r.spool.Stats(); part == nil || !r.quiet() || stats.Waiting > stats.PutOff {
			return
		}
		if err := r.sign(ctx, *part); err != nil {
			log.Error("a sign of life could not be kept", "error", err)
		}
	})
}
