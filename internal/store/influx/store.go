// Package influx keeps results in InfluxDB 2: the store of an exchange in
// production, and of functions that hold no state.
//
// It promises what package store asks for. What InfluxDB cannot do now (away,
// slow, overloaded, a token or bucket that is missing) is a store.ErrUnavailable
// that says what to do; what it refuses for good is named point by point. It
// never tries again itself: who calls does, since what is written twice is
// stored once. One request has at most 5,000 lines and some megabytes; batches
// that come at once go together in it.
//
// What is where, in the bucket for raw results:
//
//   - qos (tags source, target, test, kind, family, dscp; at the start of the
//     interval): a result, each figure a field, for dashboards and for Range.
//   - row (tags source, test, family, dscp; at the same time): all results of
//     that source in that interval, packed in one field. Latest reads rows, of
//     which there are as many as sources, since the newest point of every
//     pair takes InfluxDB seconds.
//   - probe (tag probe): a batch without its results: report, which Reports
//     reads, and its numbers as fields for dashboards.
//   - Ping (tags source, target, status): the first version's points, for its
//     dashboards. IPv6 is written a nanosecond after IPv4: its tags tell no
//     families apart.
//   - ping_family (tags source, target, family): the same, packed in one field,
//     for LastPings. To find the newest of each family among the points of Ping
//     InfluxDB would read all of them: 10 s for 30 targets and 14 days.
//
// And in the bucket for flows, which keeps them for less time:
//
//   - flow (tags and time of the result's qos): the flows of a result, packed in
//     one field. How many there are stands in qos too, so that flows of an older
//     writing are nobody's.
//   - heard (tags source, target, test, family, dscp; at the start of the
//     interval): what the target's reflector heard, packed in one field.
//
// Field types are fixed: InfluxDB refuses a point whose field changes its type.
package influx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"
	api "github.com/influxdata/influxdb-client-go/v2/api/http"

	"ixpqos/internal/store"
)

var (
	_ store.Writer = (*Store)(nil)
	_ store.Reader = (*Store)(nil)
)

// Use is what a token lets a Store do, which Ready looks after.
type Use int

const (
	ReadingAndWriting Use = iota
	Reading
	Writing
)

// Options are what a Store is told. URL, Org and Token must be there.
type Options struct {
	URL, Org, Token string
	// Buckets are the names; empty ones are the defaults.
	Buckets Buckets
	// Use is what the Store is for.
	Use Use
	// Gzip packs what is written: worth it over a network that costs, not to an
	// InfluxDB on this machine.
	Gzip bool
	// Timeout bounds one request; 0 is 10 s.
	Timeout time.Duration
	// Now gives the time at which something is stored; nil is time.Now.
	Now func() time.Time
	// Client is what requests go through; nil is one of the Store's own.
	Client *http.Client
}

// Store writes to and reads from one InfluxDB. Its methods may be called from
// any goroutine.
type Store struct {
	name     string // how errors call it
	buckets  Buckets
	use      Use
	gzip     bool
	timeout  time.Duration
	now      func() time.Time
	client   influxdb2.Client
	own      *http.Client // nil where the client was given
	service  api.Service
	queryURL string
	// raw and flows are the buckets that are written to.
	raw, flows *bucket
}

// bucket is one that is written to; batches go together in its requests.
type bucket struct {
	writeURL string
	join     joiner
}

// Open makes a Store. It asks InfluxDB nothing: one that is away now may be
// there later, and Ready says how it stands.
func Open(_ context.Context, opts Options) (*Store, error) {
	if err := opts.check(); err != nil {
		return nil, fmt.Errorf("open the InfluxDB store: %w", err)
	}
	s := &Store{
		name:    opts.URL,
		buckets: opts.Buckets.orDefaults(),
		use:     opts.Use,
		gzip:    opts.Gzip,
		timeout: cmp.Or(opts.Timeout, 10*time.Second),
		now:     opts.Now,
	}
	if s.now == nil {
		s.now = time.Now
	}
	client := opts.Client
	if client == nil {
		s.own = newHTTPClient()
		client = s.own
	}
	s.client = newClient(opts.URL, opts.Token, client)
	s.service = s.client.HTTPService()
	s.raw, s.flows = s.bucket(opts.Org, s.buckets.Raw), s.bucket(opts.Org, s.buckets.Flows)
	s.queryURL = s.service.ServerAPIURL() + "query?" + url.Values{"org": {opts.Org}}.Encode()
	return s, nil
}

func (s *Store) bucket(org, name string) *bucket {
	return &bucket{writeURL: s.service.ServerAPIURL() + "write?" + url.Values{"org": {org}, "bucket": {name}, "precision": {"ns"}}.Encode()}
}

func (o Options) check() error {
	if err := checkURL(o.URL); err != nil {
		return err
	}
	switch {
	case o.Org == "":
		return errors.New("no organisation: name the one that ixpqos-server init used")
	case o.Token == "":
		return errors.New("no token: take one that ixpqos-server init printed")
	}
	return nil
}

func checkURL(address string) error {
	u, err := url.Parse(address)
	if strings.Contains(address, "@") {
		return errors.New("the address of InfluxDB has a user or password in it (an @), which would show in logs:" +
			" leave it out, a token is all that is needed, and change the password")
	}
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("%q is no address of an InfluxDB, such as http://127.0.0.1:8086", address)
	}
	return nil
}

func newClient(address, token string, client *http.Client) influxdb2.Client {
	return influxdb2.NewClientWithOptions(address, token,
		influxdb2.DefaultOptions().SetHTTPClient(client).SetApplicationName("ixpqos").SetLogLevel(0))
}

func newHTTPClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 64
	transport.DialContext = dialer.DialContext
	// A redirected POST may become a GET, whose answer says nothing of what was written.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &http.Client{Transport: transport, CheckRedirect: stay}
}

// Close ends idle connections. No method may be called afterwards.
func (s *Store) Close() error {
	s.client.Close()
	if s.own != nil {
		s.own.CloseIdleConnections()
	}
	return nil
}

// readyQuery asks for nothing that costs anything.
func (s *Store) readyQuery() (flux string) {
	for _, name := range []string{s.buckets.Raw, s.buckets.Flows} {
		flux += "from(bucket: " + literal(name) + ") |> range(start: -1s)" + is("_measurement", probeMeasurement) +
			" |> limit(n: 1) |> yield(name: " + literal(name) + ")\n"
	}
	return flux
}

// readyTimeout bounds each request of Ready: who asks has seconds for all checks,
// and shall learn which hangs.
const readyTimeout = time.Second

// Ready is nil when InfluxDB lets the Store do now what it is for.
func (s *Store) Ready(ctx context.Context) error {
	hasty := *s
	hasty.timeout = min(s.timeout, readyTimeout)
	return hasty.ready(ctx)
}

func (s *Store) ready(ctx context.Context) error {
	if s.use != Writing {
		if err := s.query(ctx, s.readyQuery(), nothing); err != nil {
			return s.explain("read", err)
		}
	}
	if s.use != Reading {
		// No lines at all: InfluxDB checks the token and the bucket first.
		for _, b := range []*bucket{s.raw, s.flows} {
			if err := s.post(ctx, b, nil); err != nil {
				return s.explain("write", err)
			}
		}
	}
	return nil
}
