package deliver

import (
	"log/slog"
	"sync"
	"time"
)

// failure is why a batch stays in the spool.
type failure struct {
	// kind is equal for failures that need not be told apart in the log.
	kind string
	// sentence is for a person: what was tried, what came of it, what to do.
	sentence string
	// retryAfter is how long the server wants to be left alone.
	retryAfter time.Duration
}

// trouble remembers what is wrong, and logs only when that changes.
type trouble struct {
	log *slog.Logger

	mu       sync.Mutex
	current  failure
	failures int // in a row
	// refused is what the server said of the last batch, where it refused it for good.
	refused string
}

func (t *trouble) fail(f failure) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failures++
	if f.kind != t.current.kind {
		t.log.Warn(f.sentence, "failures", t.failures)
	}
	t.current = f
}

func (t *trouble) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failures > 0 {
		t.log.Info("results are delivered again", "failures", t.failures)
	}
	t.current, t.failures = failure{}, 0
}

// refuse remembers why a batch was refused, until one is not (empty).
func (t *trouble) refuse(sentence string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refused = sentence
}

func (t *trouble) sentence() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current.sentence == "" {
		return t.refused
	}
	return t.current.sentence
}
