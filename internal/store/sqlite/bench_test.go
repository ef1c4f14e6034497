package sqlite_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
	"ixpqos/internal/store/sqlite"
	"ixpqos/internal/store/storetest"
)

func openBenchmark(b *testing.B) *sqlite.Store {
	return open(b, filepath.Join(b.TempDir(), "store.db"), sqlite.Options{})
}

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

func BenchmarkPut(b *testing.B) {
	for _, size := range []int{100, 500} {
		b.Run(fmt.Sprint(size, " results"), func(b *testing.B) {
			s, n := openBenchmark(b), 0
			batch := fromOne("source", names(size), 0)
			for b.Loop() {
				n++
				for i := range batch.Results {
					batch.Results[i].Start = storetest.At(n)
				}
				put(b, s, batch)
			}
			b.ReportMetric(float64(size*n)/b.Elapsed().Seconds(), "results/s")
		})
	}
}

// BenchmarkFlows stores and reads an hour of a pair as a test with 16 flows
// measures it, and what its target heard.
func BenchmarkFlows(b *testing.B) {
	const intervals = 360
	r := storetest.WithFlows(fromOne("p1", []string{"p2"}, 0).Results[0], 16)
	r.Detail = storetest.NewDetail(1, 2)
	batch := storetest.NewBatch("p1", 0)
	for n := range intervals {
		r.Start = storetest.At(n)
		batch.Results, batch.Heard = append(batch.Results, r), append(batch.Heard, storetest.HeardOf(r))
	}
	s := openBenchmark(b)
	b.Run("put", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			put(b, s, batch)
		}
		b.ReportMetric(float64(intervals*b.N)/b.Elapsed().Seconds(), "results/s")
	})
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			n := 0
			err := s.Flows(b.Context(), "p1", "p2", store.Filter{}, storetest.At(0), storetest.At(intervals),
				func(store.Stored, *ippm.Heard) error { n++; return nil })
			if err != nil || n != intervals {
				b.Fatal(n, err)
			}
		}
	})
}

// BenchmarkLatest100x100 reads a matrix of 100 probes while they report: other
// pages lie in the cache than those that are read.
func BenchmarkLatest100x100(b *testing.B) {
	s, probes := openBenchmark(b), names(100)
	const intervals = 30
	for n := range intervals {
		for _, source := range probes {
			put(b, s, fromOne(source, probes, n))
		}
	}
	n := intervals
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		put(b, s, fromOne(probes[n%100], probes, n))
		n++
		b.StartTimer()
		got, err := s.Latest(b.Context(), store.Filter{}, storetest.At(0), storetest.At(n))
		if err != nil || len(got) != 9900 {
			b.Fatal(len(got), err)
		}
	}
}
