package influx_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
	"ixpqos/internal/store/influx"
	"ixpqos/internal/store/storetest"
)

// fromOne is what one probe reports of so many targets in the n-th interval:
// 16 flows at 250 ms, which is 640 packets each.
func fromOne(source string, targets []string, n int) ippm.Batch {
	var rtts [640]float64
	for i := range rtts {
		rtts[i] = 180 + 20*rand.ExpFloat64()
	}
	all := storetest.NewResult(storetest.Pair(source, ""), n, 1, rtts[:]...)
	batch := storetest.NewBatch(source, n)
	for _, target := range targets {
		if target != source {
			all.Target = target
			batch.Results = append(batch.Results, all)
		}
	}
	return batch
}

func names(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("probe-%03d", i))
	}
	return names
}

func put(t testing.TB, s *influx.Store, batches ...ippm.Batch) {
	t.Helper()
	for _, b := range batches {
		if rejected, err := s.Put(t.Context(), b); err != nil || len(rejected) > 0 {
			t.Fatal(rejected, err)
		}
	}
}

// connections write at once, as many probes do.
const connections = 8

// recorder keeps what goes through it.
type recorder struct {
	mu     sync.Mutex
	bodies [][]byte
}

func (r *recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	r.bodies = append(r.bodies, body)
	r.mu.Unlock()
	request = request.Clone(request.Context())
	request.Body = io.NopCloser(bytes.NewReader(body))
	return http.DefaultTransport.RoundTrip(request)
}

// exchange is what 30 probes send in so many intervals.
func exchange(intervals int) (all []ippm.Batch) {
	probes := names(30)
	for n := range intervals {
		for _, source := range probes {
			all = append(all, fromOne(source, probes, n))
		}
	}
	return all
}

// BenchmarkPut writes what 30 probes send, and the very bytes of that without
// the store.
func BenchmarkPut(b *testing.B) {
	batches := exchange(40)
	results := 0
	for _, batch := range batches {
		results += len(batch.Results)
	}
	recorded := &recorder{}
	w := newWorld(b)
	opts := w.options()
	opts.Client = &http.Client{Transport: recorded}
	s := open(b, opts)
	for _, batch := range batches {
		put(b, s, batch)
	}
	run := func(name string, into func(b *testing.B) func(i int) error) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				one := into(b)
				b.StartTimer()
				spread(b, len(batches), one)
			}
			b.ReportMetric(float64(results*b.N)/b.Elapsed().Seconds(), "results/s")
		})
	}
	for _, gzip := range []bool{false, true} {
		run(fmt.Sprint("store gzip=", gzip), func(b *testing.B) func(int) error {
			w := newWorld(b)
			opts := w.options()
			opts.Gzip = gzip
			s := open(b, opts)
			return func(i int) error { _, err := s.Put(b.Context(), batches[i]); return err }
		})
	}
	run("raw", func(b *testing.B) func(int) error {
		w := newWorld(b)
		return func(i int) error { return w.writeRaw(b, recorded.bodies[i]) }
	})
}

// writeRaw sends bytes as they are.
func (w world) writeRaw(b *testing.B, body []byte) error {
	request, err := http.NewRequestWithContext(b.Context(), "POST",
		fmt.Sprintf("%s/api/v2/write?org=%s&bucket=%s", w.URL, w.Org, w.buckets.Raw), bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Token "+w.Token)
	response, err := rawClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusNoContent {
		return fmt.Errorf("%s", response.Status)
	}
	return nil
}

var rawClient = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}}

// spread does the work over all connections.
func spread(b *testing.B, n int, one func(i int) error) {
	var next atomic.Int64
	var working sync.WaitGroup
	for range connections {
		working.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := one(i); err != nil {
					b.Error(err)
				}
			}
		})
	}
	working.Wait()
}

// BenchmarkLatest100x100 reads a matrix of 100 probes, of the last minutes.
func BenchmarkLatest100x100(b *testing.B) {
	w := newWorld(b)
	s, probes := open(b, w.options()), names(100)
	const intervals = 60
	for n := range intervals {
		spread(b, len(probes), func(i int) error { _, err := s.Put(b.Context(), fromOne(probes[i], probes, n)); return err })
	}
	all := map[ippm.Series]bool{}
	for _, source := range probes {
		for _, target := range probes {
			all[storetest.Pair(source, target)] = source != target
		}
	}
	for _, window := range []int{6, intervals} {
		b.Run(fmt.Sprint(window, " intervals"), func(b *testing.B) {
			b.ReportAllocs()
			var took []time.Duration
			for b.Loop() {
				begun := time.Now()
				got, err := s.Latest(b.Context(), store.Filter{Only: all}, storetest.At(intervals-window), storetest.At(intervals))
				if err != nil || len(got) != 9900 {
					b.Fatal(len(got), err)
				}
				took = append(took, time.Since(begun))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*95/100].Milliseconds()), "p95-ms")
		})
	}
	b.Run("reports", func(b *testing.B) {
		for b.Loop() {
			if got, err := s.Reports(b.Context(), storetest.At(intervals)); err != nil || len(got) != 100 {
				b.Fatal(len(got), err)
			}
		}
	})
	b.Run("range of 60", func(b *testing.B) {
		for b.Loop() {
			n := 0
			err := s.Range(b.Context(), probes[3], probes[7], store.Filter{}, storetest.At(0), storetest.At(intervals),
				func(store.Stored) error { n++; return nil })
			if err != nil || n != intervals {
				b.Fatal(n, err)
			}
		}
	})
}
