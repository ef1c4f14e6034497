package influx_test

import (
	"io"
	"net/http"
	"sync/atomic"
	"testing"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store"
	"ixpqos/internal/store/storetest"
)

// answers counts the bytes of all answers.
type answers struct{ bytes atomic.Int64 }

func (a *answers) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(request)
	if err == nil {
		response.Body = &countedBody{response.Body, a}
	}
	return response, err
}

type countedBody struct {
	io.ReadCloser
	of *answers
}

func (c *countedBody) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.of.bytes.Add(int64(n))
	return n, err
}

// TestLatestAfterAChangeOfTargets: what a source's targets once were costs
// nothing, however many intervals ago, and no more does one that was never measured.
func TestLatestAfterAChangeOfTargets(t *testing.T) {
	only := map[ippm.Series]bool{}
	for _, target := range []string{"p2", "p3", "p4", "never"} {
		only[storetest.Pair("p1", target)] = true
	}
	read := func(intervals int) (bytes int64) {
		counted := &answers{}
		opts := newWorld(t).options()
		opts.Client = &http.Client{Transport: counted}
		s := open(t, opts)
		for n := range intervals {
			put(t, s, fromOne("p1", []string{"p2", "p3"}, n))
		}
		put(t, s, fromOne("p1", []string{"p2", "p4"}, intervals))
		before := counted.bytes.Load()
		got, err := s.Latest(t.Context(), store.Filter{Only: only}, storetest.At(0), storetest.At(intervals))
		if err != nil || len(got) != 3 || !got[0].Start.Equal(storetest.At(intervals)) || !got[1].Start.Equal(storetest.At(intervals-1)) {
			t.Fatalf("%v: %+v", err, got)
		}
		return counted.bytes.Load() - before
	}
	few, many := read(3), read(120)
	if few == 0 || many > few*3/2 {
		t.Errorf("%d bytes were read for 4 intervals, but %d for 121", few, many)
	}
}
