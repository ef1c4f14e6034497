package influx_test

import (
	"os"
	"testing"
	"time"

	"ixpqos/infra/influx"
	"ixpqos/infra/needs"
	"ixpqos/internal/store/influx"
	"ixpqos/internal/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(influxd.Main(m)) }

// world is an InfluxDB with buckets of its own, which keep what they get: the
// results of the suite are of a fixed time.
type world struct {
	*influxd.Server
	buckets influx.Buckets
	tokens  influx.Initialised
}

func newWorld(t testing.TB) world {
	t.Helper()
	return newWorldKeeping(t, influx.Retention{})
}

func newWorldKeeping(t testing.TB, keep influx.Retention) world {
	t.Helper()
	s := influxd.Start(t)
	name := func(what string) string { return s.BucketName(t, what) }
	w := world{Server: s, buckets: influx.Buckets{Raw: name("raw"), FiveMinutes: name("5m"), Hours: name("1h"), Flows: name("flows"), Rows: name("rows")}}
	var err error
	if w.tokens, err = influx.Init(t.Context(), s.URL, s.Org, s.Token, w.buckets, keep); err != nil {
		t.Fatal(err)
	}
	return w
}

// options are those of a store with the token that may do both.
func (w world) options() influx.Options {
	return influx.Options{URL: w.URL, Org: w.Org, Token: w.tokens.Evaluate.Secret, Buckets: w.buckets}
}

func open(t testing.TB, opts influx.Options) *influx.Store {
	t.Helper()
	s, err := influx.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestStore runs the suite with a token for writing and one for reading, as the
// functions do.
func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Subject {
		w := newWorld(t)
		opts := w.options()
		opts.Timeout = 3 * time.Second
		opts.Token, opts.Use = w.tokens.Write.Secret, influx.Writing
		writer := open(t, opts)
		opts.Token, opts.Use = w.tokens.Read.Secret, influx.Reading
		return storetest.Subject{Writer: writer, Reader: open(t, opts), Outages: w.outages()}
	})
}

func (w world) outages() []storetest.Outage {
	all := []storetest.Outage{{Name: "the token may not write any more",
		Begin: func(t *testing.T) { w.Activate(t, w.tokens.Write.ID, false) },
		End:   func(t *testing.T) { w.Activate(t, w.tokens.Write.ID, true) }}}
	if !w.Ours() {
		return all
	}
	return append(all,
		storetest.Outage{Name: "influxd hangs", Reads: true,
			Begin: func(t *testing.T) { needs.Time(t); w.Pause(t) }, End: func(t *testing.T) { w.Resume(t) }},
		storetest.Outage{Name: "influxd is killed and started again", Reads: true,
			Begin: func(t *testing.T) { w.Kill(t) }, End: func(t *testing.T) { w.Restart(t) }})
}
