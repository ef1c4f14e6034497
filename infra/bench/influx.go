package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	influxd "ixpqos/infra/influx"
	"ixpqos/internal/store/influx"
)

// withInflux does work with a real influxd of its own. It builds none, which
// takes minutes: where there is none that is an error.
func withInflux(ctx context.Context, work func(*influxd.Server) error) error {
	path, err := output(ctx, "infra/influx/influxd", "--find")
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	if err != nil {
		return err
	}
	return influxd.Run(path, work)
}

// bucket is a fresh one, and who may read and write it.
type bucket struct {
	*influxd.Server
	name, token string
}

// newBucket makes one, as ixpqos-server init does it.
func newBucket(ctx context.Context, s *influxd.Server, name string) (bucket, error) {
	done, err := influx.Init(ctx, s.URL, s.Org, s.Token, all(name), influx.Retention{})
	return bucket{s, name, done.Evaluate.Secret}, err
}

// all lets one bucket be all of them.
func all(name string) influx.Buckets {
	return influx.Buckets{Raw: name, FiveMinutes: name, Hours: name, Flows: name, Rows: name}
}

// settings are the server's, to use the bucket at the address of an InfluxDB.
func (b bucket) settings(r rig, url string) ([]string, error) {
	file, err := r.write("influx-token", b.token)
	return []string{"--store", "influx", "--influx-url", url, "--influx-org", b.Org, "--influx-token-file", file,
		"--influx-bucket-raw", b.name, "--influx-bucket-flows", b.name}, err
}

// withBucket gives a new bucket of a real influxd, and the store in it.
func withBucket(ctx context.Context, name string, use func(bucket, *influx.Store) error) error {
	return withInflux(ctx, func(s *influxd.Server) error {
		b, err := newBucket(ctx, s, name)
		if err != nil {
			return err
		}
		store, err := influx.Open(ctx, influx.Options{URL: b.URL, Org: b.Org, Token: b.token, Buckets: all(b.name)})
		if err != nil {
			return err
		}
		defer store.Close()
		return use(b, store)
	})
}

// takeInfluxMatrix reads the matrix through a server whose InfluxDB has some history.
func takeInfluxMatrix(ctx context.Context, r rig) (samples, error) {
	e, err := newExchange(wide)
	if err != nil {
		return nil, err
	}
	taken := samples{}
	err = withBucket(ctx, "matrix", func(b bucket, store *influx.Store) error {
		if err := r.fillStore(ctx, e, store, time.Now().Truncate(interval).Add(-interval)); err != nil {
			return err
		}
		settings, err := b.settings(r, b.URL)
		if err != nil {
			return err
		}
		return r.serveStore(ctx, e.inventory, settings, func(url string) error {
			c := newClient(url)
			defer c.close()
			taken["influx_matrix_ms"], err = c.readMatrix(ctx, r.pick(200, 40), pairs, func(int) error { return nil })
			return err
		})
	})
	return taken, err
}
