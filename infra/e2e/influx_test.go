package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"ixpqos/infra/influx"
	"ixpqos/infra/lab"
	"ixpqos/infra/needs"
	"ixpqos/internal/wire"
)

// TestInfluxOutage takes the InfluxDB away from under a server, with two probes
// on this machine: nothing is acknowledged meanwhile, the probes keep what they
// measure, and all of it stands in InfluxDB afterwards, once.
func TestInfluxOutage(t *testing.T) {
	needs.Time(t)
	needs.ICMP(t)
	db := influxd.Start(t)
	if !db.Ours() {
		t.Log("the InfluxDB of INFLUX_URL is not taken away; the outage is that of the store's own tests")
		return
	}
	probes, url := onThisMachine(t, db, "127.0.7.%d",
		"tests:\n  - {name: ping, kind: icmp, every: 4s, count: 2, spacing: 50ms, timeout: 2500ms}\n")
	await(t, "a first round is stored", func() error { return stored(url, 1) })

	db.Kill(t)
	for _, p := range probes {
		await(t, p.Name+" has three rounds in its spool", func() error { return waits(p, 3) })
	}
	if status, body, err := ask(url + "/readyz"); err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("/readyz: %d %s, %v", status, body, err)
	}
	waiting, err := probes[0].spooled("ping")
	if err != nil {
		t.Fatal(err)
	}
	db.Restart(t)
	await(t, "all is delivered", func() error {
		for _, p := range probes {
			if results, err := p.spooled("ping"); err != nil || len(results) > 0 {
				return fmt.Errorf("%s has %d results waiting, %v", p.Name, len(results), err)
			}
		}
		return stored(url, 4)
	})
	results, err := series(url)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range waiting {
		n := 0
		for _, s := range results {
			if s.Start.Equal(r.Start) {
				n++
			}
		}
		if n != 1 {
			t.Errorf("the round of %s, which waited, is stored %d times", r.Start.Format(time.RFC3339), n)
		}
	}
}

// onThisMachine runs a server that uses the InfluxDB, and two probes with
// loopback addresses of a form.
func onThisMachine(t *testing.T, db *influxd.Server, addresses, tests string) (probes []*member, url string) {
	t.Helper()
	folder := openFolder(t)
	inventory := "probes:\n"
	for i, name := range []string{"p1", "p2"} {
		probes = append(probes, &member{Host: &lab.Host{Name: name}, state: filepath.Join(folder, name)})
		key, hash := makeKey(t, name, "probe")
		write(t, filepath.Join(folder, name+".key"), key)
		inventory += fmt.Sprintf("  - {name: %s, addresses: [%s], reflector_port: 18862, key_sha256: [%s]}\n", name, fmt.Sprintf(addresses, i+1), hash)
	}
	write(t, filepath.Join(folder, "inventory.yaml"), inventory+tests)
	serve := exec.CommandContext(t.Context(), program(t, "ixpqos-server"), "serve", "--listen", "127.0.0.1:0", "--public-read",
		"--store", "influx", "--inventory", filepath.Join(folder, "inventory.yaml"))
	serve.Env = append(serve.Environ(), prepare(t, db)...)
	server := start(t, "the server", serve)
	await(t, "the server listens", func() error {
		found := regexp.MustCompile(`msg=listening address=(\S+)`).FindStringSubmatch(server.logged())
		if found == nil {
			return fmt.Errorf("it does not say so")
		}
		url = "http://" + found[1]
		return nil
	})
	for _, p := range probes {
		start(t, p.Name, exec.CommandContext(t.Context(), program(t, "ixpqos-probe"), "run", "--name", p.Name, "--server", url,
			"--key-file", filepath.Join(folder, p.Name+".key"), "--state", p.state))
	}
	return probes, url
}

// TestInfluxFlows: what probes measure flow by flow comes out of InfluxDB, with
// what the other end heard.
func TestInfluxFlows(t *testing.T) {
	needs.Time(t)
	db := influxd.Start(t)
	_, url := onThisMachine(t, db, "127.0.8.%d", "tests:\n  - {name: fabric, kind: stamp, flows: 4, interval: 5s}\n")
	await(t, "flows are stored", func() error {
		status, body, err := ask(url + "/api/v2/pairs/p1/p2/flows")
		if err != nil || status != http.StatusOK {
			return fmt.Errorf("flows: %d %s, %w", status, body, err)
		}
		var w wire.Flows
		if err := json.Unmarshal(body, &w); err != nil {
			return err
		}
		if len(w.Results) == 0 || !w.Results[len(w.Results)-1].Placed {
			return fmt.Errorf("no results with what p2 heard: %s", body)
		}
		newest := w.Results[len(w.Results)-1]
		for i, f := range newest.Flows {
			if f.Port != 61000+uint16(i) || f.Sent == 0 || f.Sent > 20 || f.Received != f.Sent || f.RTTMedianUS == nil {
				return fmt.Errorf("flow %d: %s", i, show(newest))
			}
		}
		if len(newest.Flows) != 4 {
			return fmt.Errorf("%d flows of 4: %s", len(newest.Flows), show(newest))
		}
		return nil
	})
}

// prepare makes buckets and tokens with the server's own command, and gives the
// settings of a server that is to use them.
func prepare(t *testing.T, db *influxd.Server) []string {
	t.Helper()
	settings := []string{"INFLUX_URL=" + db.URL, "INFLUX_ORG=" + db.Org}
	for _, what := range []string{"RAW", "5M", "1H", "FLOWS", "ROWS"} {
		settings = append(settings, fmt.Sprintf("INFLUX_BUCKET_%s=%s", what, db.BucketName(t, what)))
	}
	command := exec.CommandContext(within(t), program(t, "ixpqos-server"), "init")
	command.Env = append(append(command.Environ(), settings...), "INFLUX_TOKEN="+db.Token)
	made := finish(t, command)
	token := regexp.MustCompile(`evaluate +(\S+)`).FindStringSubmatch(made.out)
	if made.status != 0 || token == nil {
		t.Fatalf("init: status %d: %s%s", made.status, made.out, made.errOut)
	}
	return append(settings, "INFLUX_TOKEN="+token[1])
}

// stored tells that fewer rounds from p1 to p2 than wanted are in the store.
func stored(url string, want int) error {
	results, err := series(url)
	if err == nil && len(results) < want {
		err = fmt.Errorf("%d rounds are stored", len(results))
	}
	return err
}

func series(url string) ([]wire.Result, error) {
	status, body, err := ask(url + "/api/v2/pairs/p1/p2/series")
	if err != nil || status != http.StatusOK {
		return nil, fmt.Errorf("series: %d %s, %w", status, body, err)
	}
	var s wire.Series
	err = json.Unmarshal(body, &s)
	return s.Results, err
}

func ask(url string) (status int, body []byte, err error) {
	client := http.Client{Timeout: 20 * time.Second}
	response, err := client.Get(url)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(response.Body)
	return response.StatusCode, body, err
}
