package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"ixpqos/internal/wire"
)

// get asks the server, as a viewer.
func (x *exchange) get(path string) (string, error) {
	request, err := http.NewRequest(http.MethodGet, "http://"+x.address+path, nil)
	if err != nil {
		return "", err
	}
	request.Header.Set("X-API-Key", x.viewer)
	if path == "/" {
		request.SetBasicAuth("noc", x.viewer)
	}
	response, err := x.client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s: %s", path, response.Status, body)
	}
	return string(body), err
}

func (x *exchange) getJSON(path string, into any) error {
	body, err := x.get(path)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(body), into)
}

// key tells the cells of a matrix apart.
type key struct {
	source, target, test string
	family               uint8
}

func (k key) String() string {
	return fmt.Sprintf("%s→%s %s IPv%d", k.source, k.target, k.test, k.family)
}

// cells is the matrix, of one test or of all ("").
func (x *exchange) cells(test string) (map[key]wire.Cell, error) {
	var m wire.Matrix
	if err := x.getJSON("/api/v2/matrix?test="+url.QueryEscape(test), &m); err != nil {
		return nil, err
	}
	cells := map[key]wire.Cell{}
	for _, c := range m.Cells {
		cells[key{c.Source, c.Target, c.Test, c.Family}] = c
	}
	return cells, nil
}

// good tells why a cell is not fresh, without loss and with an RTT.
func good(c wire.Cell) error {
	if c.State != wire.StateFresh || c.LossRatio == nil || *c.LossRatio != 0 || c.RTTMinUS == nil || *c.RTTMinUS <= 0 {
		return fmt.Errorf("%s→%s %s IPv%d is not good: %s", c.Source, c.Target, c.Test, c.Family, show(c))
	}
	return nil
}

// show is any answer, for the words of a failure.
func show(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// awaitGood waits until the whole matrix of a test is good.
func (x *exchange) awaitGood(test string) map[key]wire.Cell {
	x.t.Helper()
	var cells map[key]wire.Cell
	await(x.t, "the matrix of "+test+" is good", func() (err error) {
		if cells, err = x.cells(test); err != nil {
			return err
		}
		for _, c := range cells {
			if err := good(c); err != nil {
				return err
			}
		}
		return nil
	})
	return cells
}

// awaitAfter waits for results of the test fabric, of all pairs, that began at a
// moment or after it.
func (x *exchange) awaitAfter(t *testing.T, moment time.Time) {
	t.Helper()
	await(t, "there are results from "+moment.Format(time.TimeOnly)+" on", func() error {
		cells, err := x.cells("fabric")
		if err != nil {
			return err
		}
		for k, c := range cells {
			if c.Start == nil || c.Start.Before(moment) {
				return fmt.Errorf("the newest of %v is %s", k, show(c))
			}
		}
		return nil
	})
}

// series are the results of a pair by one test.
func (x *exchange) series(source, target, test string) ([]wire.Result, error) {
	var s wire.Series
	err := x.getJSON(fmt.Sprintf("/api/v2/pairs/%s/%s/series?test=%s", source, target, test), &s)
	if err == nil && !s.Complete {
		err = fmt.Errorf("the series %s→%s is not complete", source, target)
	}
	return s.Results, err
}

// noGaps fails where an interval of a pair is there twice, or is missing between
// the first and the last. Only rounds that the probe itself says it missed, on
// a machine that was too busy, may be missing.
func (x *exchange) noGaps(source, target, test string, every time.Duration) {
	x.t.Helper()
	results, err := x.series(source, target, test)
	if err != nil {
		x.t.Fatal(err)
	}
	probe, err := x.health(source)
	if err != nil {
		x.t.Fatal(err)
	}
	byFamily := map[uint8][]time.Time{}
	for _, r := range results {
		byFamily[r.Family] = append(byFamily[r.Family], r.Start)
	}
	if len(byFamily) == 0 {
		x.t.Errorf("%s→%s %s has no results", source, target, test)
	}
	for family, starts := range byFamily {
		slices.SortFunc(starts, time.Time.Compare)
		missing := 0
		for i, start := range starts[1:] {
			step := start.Sub(starts[i])
			if step <= 0 || step%every != 0 {
				x.t.Errorf("%s→%s %s IPv%d: %v from %s to the next interval", source, target, test, family, step, starts[i].Format(time.RFC3339))
			}
			missing += int(step/every) - 1
		}
		if missing > probe.Health.Missed {
			x.t.Errorf("%s→%s %s IPv%d: %d intervals are missing, and the probe missed %d: %v",
				source, target, test, family, missing, probe.Health.Missed, starts)
		}
	}
}

// health is what a probe last said of itself, by the API.
func (x *exchange) health(name string) (wire.Probe, error) {
	var probes wire.Probes
	if err := x.getJSON("/api/v2/probes", &probes); err != nil {
		return wire.Probe{}, err
	}
	for _, p := range probes.Probes {
		if p.Name == name {
			return p, nil
		}
	}
	return wire.Probe{}, fmt.Errorf("the API knows no probe %s", name)
}
