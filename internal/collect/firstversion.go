package collect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"ixpqos/internal/access"
	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
	"ixpqos/internal/wire"
)

// maxNamed is how many bad entries of a post an error names.
const maxNamed = 10

// registerFirstVersion adds what the first version's clients ask for.
func (c *Collector) registerFirstVersion(api *access.API) {
	api.FirstVersion(http.MethodGet, "/api/v1/conf/probes", c.firstProbes)
	api.FirstVersion(http.MethodPost, "/api/v1/data/probe-result", c.firstResult)
}

// firstProbes is for whoever has a key: there it was one for everything.
func (c *Collector) firstProbes(w http.ResponseWriter, _ *http.Request, _ access.Caller) {
	access.WriteFirstVersion(w, http.StatusOK, wire.FromInventoryFirst(c.Inventory()))
}

// refusal is an error with its status.
type refusal struct {
	status int
	error
}

func refuse(status int, format string, args ...any) error {
	return refusal{status, fmt.Errorf(format, args...)}
}

func (c *Collector) firstResult(w http.ResponseWriter, r *http.Request, caller access.Caller) {
	err := c.takeFirst(w, r, caller)
	var refused refusal
	switch {
	case err == nil:
		access.WriteFirstVersion(w, http.StatusOK, wire.FirstStatus{Status: "ok"})
	case errors.As(err, &refused):
		access.WriteFirstVersionError(w, refused.status, refused.Error())
	case errors.Is(err, store.ErrUnavailable):
		w.Header().Set("Retry-After", retryAfter)
		access.WriteFirstVersionError(w, http.StatusServiceUnavailable, "the store cannot take results now; send them again later")
	default:
		access.WriteFirstVersionError(w, http.StatusInternalServerError, "the results could not be stored; the server's log says why")
	}
}

// takeFirst stores a post. Its client never sends it again, so that what can be
// taken is, also where the rest makes it an error.
func (c *Collector) takeFirst(w http.ResponseWriter, r *http.Request, caller access.Caller) error {
	if caller.Role == inventory.RoleViewer {
		return refuse(http.StatusForbidden, "this key is viewer %q's: it may read, not post", caller.Name)
	}
	post, err := c.readFirst(w, r)
	if err != nil {
		return err
	}
	if caller.Role == inventory.RoleProbe && post.Source != caller.Name {
		return refuse(http.StatusForbidden, "this key is probe %q's: it cannot report as %.63q", caller.Name, post.Source)
	}
	if caller.Role == inventory.RoleProbe && !c.knowsProbe(caller.Name) {
		return refuse(http.StatusForbidden, "probe %q is not in the inventory", caller.Name)
	}
	if err := ippm.CheckName(post.Source); err != nil {
		return refuse(http.StatusBadRequest, "source %.63q %v", post.Source, err)
	}
	pings, places := c.screenFirst(&post, caller)
	unstored, err := c.insist(r.Context(), pings)
	if err != nil {
		c.Metrics.Unavailable(len(pings))
		c.Log.Error("a result of the first version could not be stored; its client does not send it again", "probe", post.Source, "error", err)
		return err
	}
	for _, p := range unstored {
		post.Bad = append(post.Bad, wire.FirstBad{Index: places[firstKey{p.Target, p.Family}], Name: p.Target, Reason: "the store refuses it: " + p.Reason})
	}
	slices.SortFunc(post.Bad, func(a, b wire.FirstBad) int { return a.Index - b.Index })
	c.Metrics.Stored(len(pings) - len(unstored))
	if len(post.Bad) > 0 {
		c.Metrics.Rejected(len(post.Bad))
		c.Log.Warn("results of the first version were rejected", "probe", post.Source, "rejected", len(post.Bad), "first", post.Bad[0].Reason)
		return refuse(http.StatusBadRequest, "%s", sayBad(post))
	}
	return nil
}

// pauses are how long to wait before each further try of what is lost otherwise,
// and longestPause where the store asks for more.
var pauses = []time.Duration{200 * time.Millisecond, time.Second}

const longestPause = 2 * time.Second

// insist stores a post, also where the store is away for a moment.
func (c *Collector) insist(ctx context.Context, pings []store.Ping) ([]store.RefusedPing, error) {
	for _, pause := range pauses {
		refused, err := c.Store.PutPings(ctx, pings)
		var passing store.Passing
		if !errors.As(err, &passing) {
			return refused, err
		}
		if c.wait(ctx, min(max(pause, passing.After), longestPause)) != nil {
			return nil, err
		}
	}
	return c.Store.PutPings(ctx, pings)
}

func (c *Collector) wait(ctx context.Context, pause time.Duration) error {
	if c.Wait != nil {
		return c.Wait(ctx, pause)
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *Collector) readFirst(w http.ResponseWriter, r *http.Request) (wire.FirstPost, error) {
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return wire.FirstPost{}, refuse(http.StatusUnsupportedMediaType, "Content-Encoding %.80q is not taken: send plain JSON", encoding)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, c.MaxBody))
	if errors.As(err, new(*http.MaxBytesError)) {
		return wire.FirstPost{}, refuse(http.StatusRequestEntityTooLarge, "the body has more than the %d bytes that are taken", c.MaxBody)
	}
	if err != nil {
		return wire.FirstPost{}, refuse(http.StatusBadRequest, "the body could not be read: %v", err)
	}
	post, err := wire.DecodeFirst(body, c.MaxResults)
	switch {
	case errors.Is(err, wire.ErrTooManyResults):
		return post, refuse(http.StatusRequestEntityTooLarge, "%v", err)
	case err != nil:
		return post, refuse(http.StatusBadRequest, "%v", err)
	}
	return post, nil
}

// firstKey is what a post may hold once.
type firstKey struct {
	target string
	family uint8
}

// screenFirst gives what can be stored of a post, at the time of now, and where
// it stands there, and adds the rest to its bad entries.
func (c *Collector) screenFirst(post *wire.FirstPost, caller access.Caller) (pings []store.Ping, places map[firstKey]int) {
	now := c.Now()
	places = map[firstKey]int{}
	for _, p := range post.Pings {
		ping := store.Ping{Source: post.Source, Target: p.Target, Family: p.Family, At: now, Loss: p.Loss}
		if p.RTT != nil {
			ping.RTT = (*store.PingRTT)(p.RTT)
		}
		key := firstKey{p.Target, p.Family}
		reason := c.firstObjection(caller, ping)
		if before, twice := places[key]; reason == "" && twice {
			reason = fmt.Sprintf("its proto %d stands in probes[%d] already", p.Family, before)
		}
		if reason != "" {
			post.Bad = append(post.Bad, wire.FirstBad{Index: p.Index, Name: p.Target, Reason: reason})
			continue
		}
		places[key] = p.Index
		pings = append(pings, ping)
	}
	return pings, places
}

// firstObjection: who has the shared key may name whom it likes, as there; who has
// a probe's, whom the inventory does not know (any more, or yet) within bounds.
func (c *Collector) firstObjection(caller access.Caller, p store.Ping) string {
	if err := p.Check(); err != nil {
		return err.Error()
	}
	switch {
	case p.Source == p.Target:
		return "source and target are the same"
	case caller.Role == access.RoleShared || c.asked().ends[p.Target]:
		return ""
	case !c.strangers.admit(p.Source, ippm.Series{Source: p.Source, Target: p.Target, Family: p.Family}, "", p.At):
		return fmt.Sprintf("it is not in the inventory, and this key posted %d such series already", maxStrangers)
	}
	return ""
}

// sayBad is a sentence about the bad entries of a post.
func sayBad(post wire.FirstPost) string {
	named := make([]string, 0, maxNamed)
	for _, bad := range post.Bad[:min(len(post.Bad), maxNamed)] {
		named = append(named, bad.String())
	}
	if more := len(post.Bad) - len(named); more > 0 {
		named = append(named, fmt.Sprintf("and %d more", more))
	}
	others := "the others are"
	if post.Posted == len(post.Bad) {
		others = "and there are no others"
	}
	return fmt.Sprintf("%d of %d probes are not stored, %s: %s", len(post.Bad), post.Posted, others, strings.Join(named, "; "))
}

// putMarked stores the results of the test that stands in for the first version
// in its form too. What the store refuses of that is no reason to refuse a batch:
// its results are stored, and its probe would send it again for ever.
func (c *Collector) putMarked(ctx context.Context, batch ippm.Batch, refused map[int]string) error {
	test, ok := c.Inventory().FirstVersionTest()
	if !ok {
		return nil
	}
	var pings []store.Ping
	for i, r := range batch.Results {
		if _, is := refused[i]; !is && r.Test == test.Name && r.Kind == test.Kind {
			pings = appendPing(pings, r)
		}
	}
	unstored, err := c.Store.PutPings(ctx, pings)
	if len(unstored) > 0 {
		named := make([]string, 0, maxNamed)
		for _, p := range unstored[:min(len(unstored), maxNamed)] {
			named = append(named, p.String())
		}
		c.Metrics.Rejected(len(unstored))
		c.Log.Warn("results are stored, but not in the first version's form, which the store refuses",
			"probe", batch.Probe, "test", test.Name, "refused", len(unstored), "first", strings.Join(named, "; "))
	}
	return err
}

// appendPing adds the result as the first version knew it, where anything was sent.
func appendPing(pings []store.Ping, r ippm.Result) []store.Ping {
	loss, ok := r.LossRatio()
	if !ok {
		return pings
	}
	ping := store.Ping{Source: r.Source, Target: r.Target, Family: r.Family, At: r.Start, Loss: loss}
	if r.RTT.N > 0 {
		const usPerMS = 1000
		ping.RTT = &store.PingRTT{Min: r.RTT.Min / usPerMS, Max: r.RTT.Max / usPerMS,
			Avg: r.RTT.Mean / usPerMS, Jitter: r.RTT.StdDev() / usPerMS}
	}
	return append(pings, ping)
}
