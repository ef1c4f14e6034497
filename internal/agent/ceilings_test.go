package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"ixpqos/internal/inventory"
	"ixpqos/internal/measure/reflector"
	"ixpqos/internal/measure/sender"
	"ixpqos/internal/measure/timestamp"
	"ixpqos/internal/wire"
)

// fine is a configuration that any probe takes.
func fine() wire.Config {
	c := wire.Config{Probe: "p1", Inventory: "v1", Addresses: []wire.Address{{Family: 4, Host: "198.18.0.1"}}}
	for i := range 20 {
		c.Peers = append(c.Peers, wire.Peer{Name: fmt.Sprintf("q%d", i), Addresses: []wire.Address{{Family: 4, Host: fmt.Sprintf("198.18.1.%d", i+1)}}})
	}
	c.Tests = []wire.Test{
		{Name: "ping", Kind: "icmp", EveryS: 60, Count: 10, SpacingMS: 1000, TimeoutMS: 5000, Size: 84, Families: []int{4}},
		{Name: "fabric", Kind: "stamp", EveryS: 10, Flows: 16, Port: 50000, SpacingMS: 250, Size: 128, Families: []int{4}},
	}
	return c
}

// more gives a configuration so many peers.
func more(c *wire.Config, peers int) {
	c.Peers = nil
	for i := range peers {
		c.Peers = append(c.Peers, wire.Peer{Name: fmt.Sprintf("q%d", i), Addresses: []wire.Address{{Family: 4, Host: fmt.Sprintf("198.18.%d.%d", 1+i/250, 1+i%250)}}})
	}
}

func TestNoConfigurationPassesACeiling(t *testing.T) {
	for says, change := range map[string]func(*wire.Config){
		"":                          func(*wire.Config) {},
		`test "fabric": spacing 0s`: func(c *wire.Config) { c.Tests[1].SpacingMS = 0 },
		`test "fabric": interval 250ms is not 5s to 1m0s`: func(c *wire.Config) { c.Tests[1].EveryS = 0.25 },
		`test "fabric": interval 7s is not 5s to 1m0s`:    func(c *wire.Config) { c.Tests[1].EveryS = 7 },
		`test "fabric": flows -5 is not 1`:                func(c *wire.Config) { c.Tests[1].Flows = -5 },
		`test "ping": spacing 0s is below 1ms`:            func(c *wire.Config) { c.Tests[0].SpacingMS = 0 },
		`test "ping": spacing 1h0m0s is above 1m0s`:       func(c *wire.Config) { c.Tests[0].SpacingMS = 3.6e6 },
		`test "ping": families has 4 twice`:               func(c *wire.Config) { c.Tests[0].Families = []int{4, 4} },
		`test "ping" is in the configuration twice`:       func(c *wire.Config) { c.Tests[1].Name = "ping" },
		`peer "q1" is in the configuration twice`:         func(c *wire.Config) { c.Peers[0].Name = "q1" },
		`peer "p1" is in the configuration twice`:         func(c *wire.Config) { c.Peers[0].Name = "p1" },
		`"q0" has two addresses of IPv4`:                  func(c *wire.Config) { c.Peers[0].Addresses = append(c.Peers[0].Addresses, c.Peers[1].Addresses[0]) },
		`"224.0.0.1" is that of many hosts`:               func(c *wire.Config) { c.Peers[0].Addresses[0].Host = "224.0.0.1" },
		`"2001:db8::1" must be one of IPv4`:               func(c *wire.Config) { c.Peers[0].Addresses[0].Host = "2001:db8::1" },
		`has 4097 peers; a probe takes at most 4096`:      func(c *wire.Config) { more(c, 4097) },
		// Each test alone is within the ceiling; the sum is not.
		`test "ping8": with the tests before it, this makes 2`: func(c *wire.Config) {
			for i := range 300 {
				ping := c.Tests[0]
				ping.Name, ping.SpacingMS, ping.Count = fmt.Sprintf("ping%d", i), 9, 10
				c.Tests = append(c.Tests[:len(c.Tests):len(c.Tests)], ping)
			}
			c.Tests = c.Tests[:12]
		},
		"tests; a probe takes at most 256": func(c *wire.Config) {
			for i := range 300 {
				ping := c.Tests[0]
				ping.Name = fmt.Sprintf("ping%d", i)
				c.Tests = append(c.Tests, ping)
			}
		},
		`flows to send and to hear; a probe keeps at most`: func(c *wire.Config) {
			more(c, 2000)
			for i := range c.Tests {
				c.Tests[i].EveryS, c.Tests[i].SpacingMS = 60, 60000
			}
			c.Tests = c.Tests[1:]
			c.Tests[0].Flows = 500
		},
	} {
		c := fine()
		change(&c)
		err := checkConfig(t, c)
		if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("error %v; want one with %q", err, says)
		}
	}
}

func checkConfig(t *testing.T, c wire.Config) error {
	t.Helper()
	body, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	part, _, err := wire.DecodeConfig(body)
	if err != nil {
		t.Fatal(err)
	}
	return checkCeilings(part)
}

// TestWhatPassesACeilingIsNotTakenUp: the configuration before stays in force.
func TestWhatPassesACeilingIsNotTakenUp(t *testing.T) {
	p, got := newPuller(t, settings(t, "http://127.0.0.1:1"))
	take := func(change func(*wire.Config)) error {
		c := fine()
		change(&c)
		body, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		return p.take(t.Context(), body)
	}
	if err := take(func(*wire.Config) {}); err != nil || len(got.parts) != 1 {
		t.Fatalf("a fine one: %v, %d parts", err, len(got.parts))
	}
	err := take(func(c *wire.Config) { c.Tests[1].SpacingMS = 0 })
	if err == nil || !strings.Contains(err.Error(), `test "fabric": spacing 0s`) || len(got.parts) != 1 {
		t.Errorf("error %v, %d parts; want one that names the test, and no part handed on", err, len(got.parts))
	}
}

// FuzzCeilings: whatever a server sends, what is taken up stays below the
// ceilings, and no engine panics over it.
func FuzzCeilings(f *testing.F) {
	f.Add("stamp", 16, 250.0, 128, 10.0, 20, 50000, 5000.0, "")
	f.Add("stamp", 16, 0.0, 128, 10.0, 20, 50000, 5000.0, "")
	f.Add("stamp", -5, 250.0, 128, 10.0, 20, 50000, 5000.0, "")
	f.Add("stamp", 1024, 100.0, 9000, 60.0, 20, 65000, 5000.0, "")
	f.Add("icmp", 10000, 1.0, 84, 86400.0, 256, 0, 60000.0, "")
	f.Add("icmp", 10, 1e18, 84, 300.0, 20, 0, 5000.0, "")
	f.Add("icmp", 10, 1000.0, 84, 0.0, 20, 0, 5000.0, " @every 7m")
	f.Fuzz(func(t *testing.T, kind string, many int, spacing float64, size int, every float64, peers, port int, timeout float64, cron string) {
		c := fine()
		more(&c, min(max(peers, 0), 300))
		for i := range c.Tests {
			c.Tests[i] = wire.Test{Name: fmt.Sprint("t", i), Kind: kind, Count: many, Flows: many, SpacingMS: spacing, Size: size, EveryS: every,
				Port: uint16(port + i*many), TimeoutMS: timeout, Cron: cron, Families: []int{4, 6}}
		}
		body, err := json.Marshal(c)
		if err != nil {
			return // no JSON has such a number
		}
		part, _, err := wire.DecodeConfig(body)
		if err != nil || checkCeilings(part) != nil {
			return
		}
		sum := 0.0
		for _, test := range part.Tests {
			if test.Kind == inventory.KindICMP || test.Kind == inventory.KindSTAMP {
				sum += packetsASecond(test, len(part.Pairs(test)))
			}
		}
		if sum > maxPacketsSecond || sum != sum {
			t.Errorf("%g packets a second were taken up", sum)
		}
		useAll(t, part)
	})
}

// packetsASecond is what a test sends, in another way than the engines have it.
func packetsASecond(t inventory.Test, pairs int) float64 {
	if t.Kind == inventory.KindICMP {
		return float64(min(pairs, inventory.RoundBound)) * float64(time.Second) / float64(t.Spacing)
	}
	return float64(pairs) * float64(t.Flows) * float64(time.Second) / float64(t.Spacing)
}

// useAll gives a part to what would measure by it.
func useAll(t *testing.T, part inventory.Part) {
	r := reflector.New(reflector.ThisHost("p1", func(string, string) {}))
	defer r.Close()
	r.SetAllowed(addressesOf(part.Peers))
	r.Expect(expectations(part))
	told := ""
	s := sender.New(sender.Settings{Name: "p1", Clock: timestamp.ClockError, Random: randomSSID, Trouble: func(_, sentence string) { told += sentence },
		Open: func(timestamp.Options) (sender.Socket, error) { return nil, errors.New("none here") }})
	s.Apply(part)
	if strings.Contains(told, "is not run") {
		t.Errorf("the sender refuses what was taken up: %s", told)
	}
}
