package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	influxd "ixpqos/infra/influx"
)

// flood is what an exchange posts in some intervals, and what the server wrote
// of it to InfluxDB.
type flood struct {
	inventory string
	posts     []post
	results   int
	recorded  [][]byte // bodies
}

// post is a batch as its probe sends it.
type post struct {
	key  string
	body []byte
	n    int // results
}

// newFlood makes all bodies before any of them is timed.
func newFlood(intervals int) (flood, error) {
	e, err := newExchange(busy)
	if err != nil {
		return flood{}, err
	}
	f := flood{inventory: e.inventory}
	begin := time.Now().Truncate(busy.interval).Add(-time.Duration(intervals) * busy.interval)
	for i := range intervals {
		for _, r := range e.reporters {
			f.posts = append(f.posts, post{r.key, r.post(begin.Add(time.Duration(i) * busy.interval)), len(r.batch.Results)})
			f.results += len(r.batch.Results)
		}
	}
	return f, nil
}

// takeInfluxIngest lets results go through the server into InfluxDB, and the very
// bytes that it wrote of them into InfluxDB alone, in turns. Each turn has a
// fresh bucket and all that there is, so that both do the same work.
func takeInfluxIngest(ctx context.Context, r rig) (samples, error) {
	f, err := newFlood(r.pick(40, 10))
	if err != nil {
		return nil, err
	}
	taken := samples{}
	err = withInflux(ctx, func(s *influxd.Server) error {
		if _, err := f.turn(ctx, s, "recorded", func(b bucket) (time.Duration, error) { return f.record(ctx, r, b) }); err != nil {
			return err
		}
		ways := map[string]func(bucket) (time.Duration, error){
			"influx_results_per_s":     func(b bucket) (time.Duration, error) { return f.through(ctx, r, b, b.URL) },
			"influx_raw_results_per_s": func(b bucket) (time.Duration, error) { return f.raw(ctx, b) },
		}
		least := time.Duration(r.pick(60, 4)) * time.Second
		total := map[string]time.Duration{}
		for turn := 0; total["influx_results_per_s"] < least || total["influx_raw_results_per_s"] < least; turn++ {
			for name, way := range ways { // in any order
				took, err := f.turn(ctx, s, fmt.Sprintf("%s-%d", name, turn), way)
				if err != nil {
					return err
				}
				total[name] += took
				taken[name] = append(taken[name], math.Round(float64(f.results)/took.Seconds()))
			}
		}
		return nil
	})
	return taken, err
}

// turn does work with a bucket of its own.
func (f *flood) turn(ctx context.Context, s *influxd.Server, name string, way func(bucket) (time.Duration, error)) (time.Duration, error) {
	b, err := newBucket(ctx, s, name)
	if err != nil {
		return 0, err
	}
	took, err := way(b)
	return took, errors.Join(err, s.Drop(name))
}

// record lets all posts go through the server, and keeps what it writes.
func (f *flood) record(ctx context.Context, r rig, b bucket) (time.Duration, error) {
	to, err := url.Parse(b.URL)
	if err != nil {
		return 0, err
	}
	var mu sync.Mutex
	var failed error
	proxy := &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(to) }}
	recorder := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		mu.Lock()
		if failed = errors.Join(failed, err); request.URL.Path == "/api/v2/write" && len(body) > 0 {
			f.recorded = append(f.recorded, body)
		}
		mu.Unlock()
		request.Body = io.NopCloser(bytes.NewReader(body))
		proxy.ServeHTTP(w, request)
	}))
	defer recorder.Close()
	took, err := f.through(ctx, r, b, recorder.URL)
	written := 0
	for _, body := range f.recorded {
		written += bytes.Count(append([]byte{'\n'}, body...), []byte("\nqos,"))
	}
	if err = errors.Join(err, failed); err == nil && written != f.results {
		err = fmt.Errorf("of %d results the server wrote %d", f.results, written)
	}
	return took, err
}

// through posts everything to a server that writes to the given address.
func (f *flood) through(ctx context.Context, r rig, b bucket, influxURL string) (took time.Duration, err error) {
	settings, err := b.settings(r, influxURL)
	if err != nil {
		return 0, err
	}
	err = r.serveStore(ctx, f.inventory, settings, func(url string) error {
		c := newClient(url)
		defer c.close()
		took, err = spread(ctx, len(f.posts), func(ctx context.Context, i int) error { return c.postBody(ctx, f.posts[i]) })
		return err
	})
	return took, err
}

// raw writes what was recorded.
func (f *flood) raw(ctx context.Context, b bucket) (time.Duration, error) {
	c := newClient(b.URL)
	defer c.close()
	path := "/api/v2/write?" + url.Values{"org": {b.Org}, "bucket": {b.name}, "precision": {"ns"}}.Encode()
	return spread(ctx, len(f.recorded), func(ctx context.Context, i int) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+path, bytes.NewReader(f.recorded[i]))
		if err != nil {
			return err
		}
		request.Header.Set("Content-Type", "text/plain; charset=utf-8")
		request.Header.Set("Authorization", "Token "+b.token)
		_, err = c.do(request)
		return err
	})
}

// spread does the n pieces of some work over as many connections as there are
// probes, in order as far as those allow, and gives the time.
func spread(ctx context.Context, n int, piece func(ctx context.Context, i int) error) (time.Duration, error) {
	began := time.Now()
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range busy.probes { // each has a connection of its own
		group.Go(func() error {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := piece(ctx, i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := group.Wait()
	return time.Since(began), err
}
