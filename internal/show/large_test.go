package show_test

import (
	"context"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ixpqos/internal/ippm"
	"ixpqos/internal/show"
	"ixpqos/internal/store"
	"ixpqos/internal/store/storetest"
)

// TestMatrixOfAPart asks for pairs by their ends and sites.
func TestMatrixOfAPart(t *testing.T) {
	s := serve(t, exchange)
	for query, want := range map[string]int{
		"?source=p1": 4, "?target=p2": 3, "?target=rs1": 2, "?source=p1&target=p2&family=4&test=fabric": 1, "?source=nobody": 0,
		"?site=rome-1": 7, "?site=rome-2": 6, "?site=rome-2&source=p1": 3, "?site=nowhere": 0,
	} {
		if got := s.matrix(t, query); len(got.Cells) != want {
			t.Errorf("%s: %v; want %d", query, states(got), want)
		}
	}
	page := s.get(t, "/?source=p2&test=fabric").body
	if strings.Contains(page, `<th scope="col">p2</th>`) || !strings.Contains(page, `<th scope="col">rs1</th>`) || strings.Contains(page, "marked · IPv4") {
		t.Errorf("the page of a part: %s", page)
	}
}

// TestMatrixThatIsTooLarge: an error says so, and what to do.
func TestMatrixThatIsTooLarge(t *testing.T) {
	s := serve(t, exchange, func(v *show.Viewer) { v.Limit(6) })
	s.get(t, "/api/v2/matrix").isProblem(t, http.StatusUnprocessableEntity, "the matrix has 7 cells, and one answer must have at most 6: ask for a part of it, by source, target, site")
	if got := s.matrix(t, "?site=rome-2"); len(got.Cells) != 6 {
		t.Errorf("%v", states(got))
	}
	page := s.get(t, "/")
	if page.StatusCode != http.StatusOK || !containsAll(page.body, "cannot show so much: the matrix has 7 cells", "<h2>Probes</h2>") || strings.Contains(page.body, "No pair is to be measured") {
		t.Errorf("the page: %d, %s", page.StatusCode, page.body)
	}
	if page := s.get(t, "/?site=rome-2").body; !strings.Contains(page, "fabric · IPv4") {
		t.Errorf("the page of a site: %s", page)
	}
}

// held is a store whose reading ends when it is let.
type held struct {
	store.Reader
	reads        atomic.Int32
	begun, ended chan struct{}
}

func (h *held) Latest(ctx context.Context, f store.Filter, since, at time.Time) ([]store.Stored, error) {
	h.reads.Add(1)
	h.begun <- struct{}{}
	<-h.ended
	return h.Reader.Latest(ctx, f, since, at)
}

// TestViewersShareAMatrix: while it is computed, whoever asks for the same waits
// for that.
func TestViewersShareAMatrix(t *testing.T) {
	slow := &held{begun: make(chan struct{}, 10), ended: make(chan struct{})}
	var viewer *show.Viewer
	s := serve(t, exchange, func(v *show.Viewer) {
		slow.Reader, v.Store, viewer = v.Store, slow, v
	})
	s.put(t, batch("p1", 0, names("p2"), storetest.NewResult(storetest.Pair("p1", "p2"), 0, 0, 200)))
	var asking sync.WaitGroup
	ask := func(query string) {
		asking.Go(func() {
			if got := s.matrix(t, query); len(got.Cells) == 0 {
				t.Errorf("%s: no cells", query)
			}
		})
	}
	for range 4 {
		ask("")
	}
	<-slow.begun
	patience, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for viewer.Waiting() < 3 && patience.Err() == nil {
		runtime.Gosched()
	}
	ask("?family=4")
	<-slow.begun
	close(slow.ended)
	asking.Wait()
	if n := slow.reads.Load(); n != 2 {
		t.Errorf("five viewers made %d readings; want 2", n)
	}
}

// TestOnlyExpectedSeriesAreRead: whatever else a probe posted is passed over.
func TestOnlyExpectedSeriesAreRead(t *testing.T) {
	asked := &asking{}
	s := serve(t, exchange, func(v *show.Viewer) { asked.Reader, v.Store = v.Store, asked })
	s.matrix(t, "?source=p1&family=4&test=fabric")
	if len(asked.only) != 2 || !asked.only[storetest.Pair("p1", "p2")] || !asked.only[storetest.Pair("p1", "rs1")] {
		t.Errorf("asked for %+v", asked.only)
	}
}

type asking struct {
	store.Reader
	only map[ippm.Series]bool
}

func (a *asking) Latest(ctx context.Context, f store.Filter, since, at time.Time) ([]store.Stored, error) {
	a.only = f.Only
	return a.Reader.Latest(ctx, f, since, at)
}
