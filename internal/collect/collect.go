// Package collect is the probe-facing half of the API: configuration out,
// results in.
//
// What it promises: a probe may only report as itself; what comes in is bounded
// before it is parsed; the results of a batch, and what its probe heard, stand or
// fall one by one, and each that falls is named with its reason; a 200 means that all others are stored,
// and nothing is acknowledged that is not. Only what can never become right is
// rejected: what a clock or an inventory may put right is asked for again.
package collect

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/sync/semaphore"

	"ixpqos/internal/access"
	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
	"ixpqos/internal/wire"
)

// The limits of a batch, where none are set.
const (
	DefaultMaxBody    = 4 << 20
	DefaultMaxResults = 10_000
)

// bodyTimeout is how long a body may take to arrive. Huma's own 5 s are too few
// for a full batch on a thin line, which would be sent again for ever.
const bodyTimeout = time.Minute

// What is kept of a probe's own words.
const (
	maxPeers        = 10_000
	maxVersionBytes = 100
	maxTroubles     = 20
	maxTroubleBytes = 1_000
)

// What a probe is told to wait, in seconds: when the store is away, and when a
// clock must be put right first.
const (
	retryAfter      = "5"
	retryAfterClock = "60"
)

// Collector takes results and gives configuration.
type Collector struct {
	Inventory func() *inventory.Inventory
	Store     store.Writer
	Metrics   *access.Metrics
	Log       *slog.Logger
	Now       func() time.Time
	// Wait waits until a time has gone by or the context ends; nil does so really.
	Wait func(context.Context, time.Duration) error
	// MaxBody bounds a posted body in bytes, MaxResults its results and what was
	// heard together.
	MaxBody    int64
	MaxResults int

	newest    atomic.Pointer[asked]
	decoding  *semaphore.Weighted // in bytes of bodies
	strangers strangers
	twins     twins
}

// Register adds the probe-facing operations to the API.
func (c *Collector) Register(api *access.API) {
	c.decoding = semaphore.NewWeighted(max(c.MaxBody, DefaultMaxBody))
	huma.Register(api, api.ForProbes(huma.Operation{
		OperationID: "post-results", Method: http.MethodPost, Path: "/api/v2/results",
		Summary:     "Submit a batch of results",
		Description: "Results, and what was heard, are taken one by one: the answer names every one that never will be stored (rejected) and every one that cannot be now but may be later (later), and why; all others are stored. 422 means that all of them were rejected; 503 that the batch may be sent again.",
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			"application/json": {Schema: api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[wire.Batch](), true, "Batch")},
		}},
		SkipValidateBody: true,
		MaxBodyBytes:     c.MaxBody + 1, // huma refuses from its limit on, not from beyond it
		BodyReadTimeout:  bodyTimeout,
		Errors: []int{http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType,
			http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
	}), c.postResults)
	huma.Register(api, api.ForProbes(huma.Operation{
		OperationID: "get-config", Method: http.MethodGet, Path: "/api/v2/config",
		Summary: "What the probe is to measure",
		Errors:  []int{http.StatusNotModified},
	}), c.getConfig)
	c.registerFirstVersion(api)
}

type resultsInput struct {
	ContentEncoding string `header:"Content-Encoding" doc:"none: plain JSON is taken"`
	RawBody         []byte
}

type resultsOutput struct{ Body wire.Answer }

func (c *Collector) postResults(ctx context.Context, in *resultsInput) (*resultsOutput, error) {
	if in.ContentEncoding != "" && in.ContentEncoding != "identity" {
		return nil, huma.Error415UnsupportedMediaType(fmt.Sprintf("Content-Encoding %q is not taken: send plain JSON", in.ContentEncoding))
	}
	weight := int64(len(in.RawBody))
	if err := c.take(ctx, weight); err != nil {
		return nil, err
	}
	defer c.decoding.Release(weight)
	posted, err := wire.DecodeBatch(in.RawBody, c.MaxResults)
	switch {
	case errors.Is(err, wire.ErrTooManyResults):
		return nil, huma.NewError(http.StatusRequestEntityTooLarge, err.Error())
	case err != nil:
		return nil, huma.Error400BadRequest(err.Error())
	}
	results := len(posted.Results) + len(posted.ResultsSorted.Rejected)
	heard := len(posted.Heard) + len(posted.HeardSorted.Rejected)
	if err := c.checkBatch(&posted.Batch, access.ProbeOf(ctx)); err != nil {
		c.countRefused(err, results)
		c.Log.Warn("a batch was refused", "probe", access.ProbeOf(ctx), "results", results, "because", err)
		return nil, err
	}
	c.tellTwins(&posted.Batch)
	later := c.screen(&posted)
	answer, err := c.put(ctx, posted)
	if err != nil {
		return nil, err
	}
	answer.Later, answer.LaterHeard = later.results, later.heard
	if n := len(later.results) + len(later.heard); n > 0 {
		c.Log.Warn("results cannot be taken yet; their probe keeps them", "probe", posted.Probe, "results", n, "first", later.reason())
		if posted.Run == "" { // a probe that does not know of later would take them for stored
			return nil, comeBack(retryAfterClock, "some results cannot be taken now: "+later.reason())
		}
	}
	if n := results + heard; n > 0 && len(answer.Rejected)+len(answer.RejectedHeard) == n {
		return nil, allRejected(answer)
	}
	return &resultsOutput{Body: answer}, nil
}

// patience is how long a batch waits for others before it is asked for again.
const patience = 10 * time.Second

// take waits until a body may be decoded. What comes out of it has up to thirty
// times its size (quiet flows are packed in four octets each), so that it is the
// bodies together that are bounded, by the largest that is taken.
func (c *Collector) take(ctx context.Context, weight int64) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if c.decoding.Acquire(ctx, weight) != nil {
		return comeBack(retryAfter, "the server has too many batches at once; send it again later")
	}
	return nil
}

// checkBatch refuses a batch as a whole, and bounds what it says about its probe.
func (c *Collector) checkBatch(batch *ippm.Batch, probe string) error {
	switch {
	case batch.Probe != probe:
		return huma.Error403Forbidden(fmt.Sprintf("this key is probe %q's: it cannot report as %.80q", probe, batch.Probe))
	case !c.knowsProbe(probe):
		return huma.Error403Forbidden(fmt.Sprintf("probe %q is not in the inventory", probe))
	case batch.Start.Year() < 2000 || batch.Start.Year() > 2200:
		return huma.Error422UnprocessableEntity("start is missing or no time of a measurement")
	case batch.Start.Sub(c.Now()) > wire.MaxAhead:
		return comeBack(retryAfterClock, c.ahead(batch.Start))
	case len(batch.Peers) > maxPeers:
		return huma.Error422UnprocessableEntity(fmt.Sprintf("%d peers are more than the %d that are taken", len(batch.Peers), maxPeers))
	}
	batch.KeepPeers(func(name string) bool { return ippm.CheckName(name) == nil })
	batch.Inventory = clip(batch.Inventory, maxVersionBytes)
	health := &batch.Health
	health.Version = clip(health.Version, maxVersionBytes)
	health.Troubles = health.Troubles[:min(len(health.Troubles), maxTroubles)]
	for i, trouble := range health.Troubles {
		health.Troubles[i] = clip(trouble, maxTroubleBytes)
	}
	return nil
}

// countRefused tells in the metrics what comes again from what never will be stored.
func (c *Collector) countRefused(err error, results int) {
	var refused huma.StatusError
	if errors.As(err, &refused) && refused.GetStatus() == http.StatusServiceUnavailable {
		c.Metrics.Unavailable(results)
		return
	}
	c.Metrics.Rejected(results)
}

func (c *Collector) knowsProbe(name string) bool {
	_, ok := c.Inventory().Probe(name)
	return ok
}

func clip(s string, most int) string { return strings.ToValidUTF8(s[:min(len(s), most)], "") }

func (c *Collector) ahead(start time.Time) string {
	return fmt.Sprintf("start %s is %v ahead of the server's clock: check the clocks",
		start.Format(time.RFC3339), start.Sub(c.Now()).Round(time.Second))
}

// put stores what is left. A batch of which everything was rejected is stored
// too: it still says how its probe is.
func (c *Collector) put(ctx context.Context, posted wire.Posted) (wire.Answer, error) {
	refused, err := c.Store.Put(ctx, posted.Batch)
	results := placesOf(posted.Results, resultID, refused)
	if err == nil {
		err = c.putMarked(ctx, posted.Batch, results)
	}
	if err != nil {
		c.Metrics.Unavailable(len(posted.Results))
		c.Log.Error("a batch could not be stored; the probe keeps it", "probe", posted.Probe, "start", posted.Start, "error", err)
		return wire.Answer{}, unavailable(err)
	}
	answer := wire.Answer{
		Stored:        len(posted.Results) - len(results),
		Rejected:      rejections(posted.Results, resultID, posted.ResultsSorted, results),
		RejectedHeard: rejections(posted.Heard, heardID, posted.HeardSorted, placesOf(posted.Heard, heardID, refused)),
	}
	c.Metrics.Stored(answer.Stored)
	if all := slices.Concat(answer.Rejected, answer.RejectedHeard); len(all) > 0 {
		c.Metrics.Rejected(len(answer.Rejected))
		c.Log.Warn("results were rejected", "probe", posted.Probe, "rejected", len(all), "first", all[0].Reason)
	}
	return answer, nil
}

func unavailable(err error) error {
	if errors.Is(err, store.ErrUnavailable) {
		return comeBack(retryAfter, "the store cannot take results now; send them again later")
	}
	return huma.Error500InternalServerError("the results could not be stored; the server's log says why")
}

// comeBack asks for the batch again: a probe keeps it.
func comeBack(after, detail string) error {
	return huma.ErrorWithHeaders(huma.Error503ServiceUnavailable(detail), http.Header{"Retry-After": {after}})
}

type configInput struct {
	Probe       string `query:"probe" doc:"the probe's name, to be sure that key and name go together"`
	IfNoneMatch string `header:"If-None-Match" doc:"the ETag of the configuration that the probe has"`
}

type configOutput struct {
	Status int
	ETag   string `header:"ETag"`
	Body   *wire.Config
}

func (c *Collector) getConfig(ctx context.Context, in *configInput) (*configOutput, error) {
	probe := access.ProbeOf(ctx)
	if in.Probe != "" && in.Probe != probe {
		return nil, huma.Error403Forbidden(fmt.Sprintf("this key is probe %q's: it cannot get the configuration of %.80q", probe, in.Probe))
	}
	part, ok := c.Inventory().Part(probe)
	if !ok {
		return nil, huma.Error403Forbidden(fmt.Sprintf("probe %q is not in the inventory", probe))
	}
	config := wire.FromPart(part)
	body, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("write the configuration of %s: %w", probe, err)
	}
	hash := sha256.Sum256(body)
	etag := `"` + hex.EncodeToString(hash[:8]) + `"`
	if matches(in.IfNoneMatch, etag) {
		return &configOutput{Status: http.StatusNotModified, ETag: etag}, nil
	}
	return &configOutput{Status: http.StatusOK, ETag: etag, Body: &config}, nil
}

// matches tells whether If-None-Match names the ETag (RFC 9110, section 13.1.2):
// a list, compared weakly, since a proxy that compresses makes an ETag weak.
func matches(ifNoneMatch, etag string) bool {
	for candidate := range strings.SplitSeq(ifNoneMatch, ",") {
		candidate = strings.TrimSpace(candidate)
		if candidate == "*" || strings.TrimPrefix(candidate, "W/") == etag {
			return true
		}
	}
	return false
}
