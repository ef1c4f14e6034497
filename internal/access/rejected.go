package access

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// sayAgainAfter bounds how often the log tells of the same key from the same place.
	sayAgainAfter = time.Minute
	// maxRejections is how many keys and places are told apart.
	maxRejections = 1000
)

// rejections tells in log and metrics which keys were not accepted. What is told
// of a key is the beginning of its SHA-256, by which it is found in an inventory.
type rejections struct {
	log     *slog.Logger
	metrics *Metrics // nil where there are none
	now     func() time.Time

	mu   sync.Mutex
	seen map[rejection]*repeated
}

type rejection struct{ from, key string }

// repeated is how often that was since the log told of it.
type repeated struct {
	saidAt time.Time
	times  int
}

// note takes the refusal of a request.
func (r *rejections) note(request *http.Request, presented string, why error, mistaken bool) {
	if r.metrics != nil {
		r.metrics.keys.WithLabelValues(reasonOf(why)).Inc()
	}
	if presented == "" { // a browser's first request has none
		return
	}
	host, _, err := net.SplitHostPort(request.RemoteAddr)
	if err != nil {
		host = request.RemoteAddr
	}
	hash := sha256.Sum256([]byte(presented))
	key := rejection{host, hex.EncodeToString(hash[:4])}
	times, say := r.count(key)
	if !say {
		return
	}
	because := why.Error()
	if mistaken {
		because = "it stands itself where its SHA-256 belongs, in the inventory or the keys file: make a new one by ixpqos-server key new, and write its sha256 there"
	}
	r.log.Warn("a key was rejected", "key_sha256", key.key+"…", "from", host, "forwarded_for", clip(request.Header.Get("X-Forwarded-For")),
		"path", clip(request.URL.Path), "times", times, "because", because)
}

// count tells how often that was since it was last said, and whether to say it.
func (r *rejections) count(key rejection) (times int, say bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if r.seen == nil {
		r.seen = map[rejection]*repeated{}
	}
	seen := r.seen[key]
	if seen == nil {
		if key = r.room(key, now); r.seen[key] == nil {
			r.seen[key] = &repeated{saidAt: now.Add(-sayAgainAfter)}
		}
		seen = r.seen[key]
	}
	seen.times++
	if now.Sub(seen.saidAt).Abs() < sayAgainAfter {
		return 0, false
	}
	times, seen.times, seen.saidAt = seen.times, 0, now
	return times, true
}

// room makes some for another key: what was not seen of late goes. Where there is
// none, all further ones are counted as one.
func (r *rejections) room(key rejection, now time.Time) rejection {
	if len(r.seen) < maxRejections {
		return key
	}
	for old, seen := range r.seen {
		if now.Sub(seen.saidAt).Abs() >= sayAgainAfter {
			delete(r.seen, old)
		}
	}
	if len(r.seen) < maxRejections {
		return key
	}
	return rejection{}
}

func reasonOf(why error) string {
	switch {
	case errors.Is(why, ErrNoKey):
		return "missing"
	case errors.Is(why, ErrWrongKey):
		return "unknown"
	}
	return "role"
}

func clip(s string) string { return fmt.Sprintf("%.100s", s) }
