package show_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"ixpqos/internal/show"
	"ixpqos/internal/store/storetest"
)

// cells are the <td> of the first row of the first table, tag and all.
func firstRow(t *testing.T, page string) []string {
	t.Helper()
	_, row, ok := strings.Cut(page, `<th scope="row">p1</th>`)
	row, _, end := strings.Cut(row, "</tr>")
	if !ok || !end {
		t.Fatalf("there is no row of p1: %s", page)
	}
	return strings.SplitAfter(row, "</td>")
}

func TestPage(t *testing.T) {
	s := serve(t, exchange)
	reported := batch("p1", 0, names("p2", "rs1"),
		storetest.NewResult(storetest.Pair("p1", "p2"), 0, 0, 250, 250), storetest.NewResult(storetest.Pair("p1", "rs1"), 0, 1, 300))
	reported.Health.Troubles = []string{"the disk is full", "no clock"}
	other := batch("p2", 0, names("p1"))
	other.Health.Troubles = []string{"the disk is full"}
	s.put(t, reported, other)
	page := s.get(t, "/")
	if kind := page.Header.Get("Content-Type"); page.StatusCode != http.StatusOK || kind != "text/html; charset=utf-8" {
		t.Errorf("%d, %s", page.StatusCode, kind)
	}
	for _, want := range []string{"<h1>Example-IX</h1>", "2026-03-01 12:00:10 UTC", s.inventory.Version,
		"fabric · IPv4 · every 10s, 2 pings of", "fabric · IPv6", "marked · IPv4", "DSCP 46",
		`role="alert">p1, p2: the disk is full</p>`, `role="alert">p1: no clock</p>`, "p2 (drained)", "0s ago"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("there is no %q in:\n%s", want, page.body)
		}
	}
	if strings.Contains(page.body, "p2: no clock") || strings.Count(page.body, "the disk is full") != 1 {
		t.Errorf("a trouble stands there twice")
	}
	row := firstRow(t, page.body)
	for i, want := range []struct{ class, text, title string }{
		{"off", "", ""}, {"good", "250 µs", "2 sent, 2 received, 0 late, 0 lost\nRTT min 250 µs, median 250 µs"}, {"bad", "50 % lost", "2 sent, 1 received, 0 late, 1 lost\nRTT"},
	} {
		if !strings.Contains(row[i], `class="`+want.class+`"`) || !strings.Contains(row[i], ">"+want.text+"</td>") || !strings.Contains(row[i], want.title) {
			t.Errorf("cell %d is %s; want %+v", i, row[i], want)
		}
	}
}

func TestColoursOfThePage(t *testing.T) {
	for _, c := range []struct {
		name        string
		lost, good  int
		known       bool
		later       time.Duration
		class, text string
	}{
		{"all well", 0, 100, true, 0, "good", "1.50 ms"},
		{"some loss", 4, 96, true, 0, "warn", "4.0 % lost"},
		{"much loss", 5, 95, true, 0, "bad", "5.0 % lost"},
		{"total loss", 100, 0, true, 0, "bad", "100 % lost"},
		{"nothing sent", 0, 0, true, 0, "refused", "not sent"},
		{"stale", 0, 100, true, time.Minute, "stale", "no news for 1m"},
		{"pending, with a value", 100, 0, false, 0, "pending", "100 % lost"},
		{"none", 0, 100, true, 25 * time.Hour, "none", "none"},
		{"pending", 0, 100, false, 25 * time.Hour, "pending", "pending"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, exchange)
			rtts := make([]float64, c.good)
			for i := range rtts {
				rtts[i] = 1500
			}
			s.put(t, batch("p1", 0, names("p2"), storetest.NewResult(storetest.Pair("p1", "p2"), 0, c.lost, rtts...)))
			if c.known {
				s.put(t, batch("p2", 0, names("p1")))
			}
			s.now = s.now.Add(c.later)
			if got := firstRow(t, s.get(t, "/").body)[1]; !strings.Contains(got, `class="`+c.class+`"`) || !strings.Contains(got, ">"+c.text+"</td>") {
				t.Errorf("%s; want %s, %q", got, c.class, c.text)
			}
		})
	}
}

func TestNamesAreEscaped(t *testing.T) {
	const script = "<script>alert(1)</script>"
	text := strings.ReplaceAll(strings.ReplaceAll(exchange, "name: rs1", "name: '"+script+"'"), "Example-IX", "'"+script+"'")
	s := serve(t, strings.ReplaceAll(text, "name: p2", "name: '\"><script>'")[:strings.Index(strings.ReplaceAll(text, "name: p2", "name: '\"><script>'"), "  - {name: marked")])
	reported := batch("p1", 0, names(script), storetest.NewResult(storetest.Pair("p1", script), 0, 0, 200))
	reported.Inventory, reported.Health.Version, reported.Health.Troubles = script, script, []string{script}
	s.put(t, reported)
	page := s.get(t, "/").body
	if strings.Contains(page, "<script>") || strings.Count(page, "&lt;script&gt;") < 8 {
		t.Errorf("a name is not escaped: %s", page)
	}
}

func TestPageMayLoadNothingFromElsewhere(t *testing.T) {
	s := serve(t, exchange)
	page := s.get(t, "/")
	for name, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'",
		"X-Content-Type-Options":  "nosniff",
		"Cache-Control":           "no-store",
	} {
		if got := page.Header.Get(name); got != want {
			t.Errorf("%s: %s; want %s", name, got, want)
		}
	}
	for path, kind := range map[string]string{"assets/page.css": "text/css; charset=utf-8", "assets/page.js": "text/javascript; charset=utf-8"} {
		if !strings.Contains(page.body, `"`+path+`"`) {
			t.Errorf("the page does not use %s", path)
		}
		if got := s.get(t, "/"+path); got.StatusCode != http.StatusOK || got.Header.Get("Content-Type") != kind || got.body == "" {
			t.Errorf("%s: %d, %s", path, got.StatusCode, got.Header.Get("Content-Type"))
		}
	}
	for _, path := range []string{"assets/", "assets/none", "assets/..", "assets/%2e%2e%2fpage.html"} {
		if got := s.get(t, "/"+path); got.StatusCode == http.StatusOK && got.body != page.body {
			t.Errorf("%s gives %d: %.60s", path, got.StatusCode, got.body)
		}
	}
	if strings.Contains(page.body, "style=") || strings.Contains(page.body, "://") {
		t.Error("the page has what its policy forbids")
	}
}

func TestPageTellsOfInvalidFiles(t *testing.T) {
	s := serve(t, exchange, func(v *show.Viewer) {
		v.Problems = func() []error { return []error{errors.New(`inventory.yaml:3: unknown key "cuont"`)} }
	})
	if page := s.get(t, "/"); !strings.Contains(page.body, `role="alert"`) || !strings.Contains(page.body, "inventory.yaml:3: unknown key &#34;cuont&#34;") {
		t.Errorf("no banner in %s", page.body)
	}
}

func TestPageWithoutPairs(t *testing.T) {
	s := serve(t, "probes:\n  - {name: p1, addresses: [192.0.2.1]}\ntests:\n  - {name: ping, kind: icmp, every: 5m}\n")
	if page := s.get(t, "/"); page.StatusCode != http.StatusOK || !strings.Contains(page.body, "No pair is to be measured") || !strings.Contains(page.body, "<h1>IXPQos</h1>") {
		t.Errorf("%d, %s", page.StatusCode, page.body)
	}
}

func TestPageTellsOfFlows(t *testing.T) {
	s := serve(t, bundles+"  - {name: single, kind: stamp, flows: 1, port: 40000, spacing: 300ms}\n")
	r := silent(storetest.Pair("p1", "p2"), 0)
	r.Unplaced, r.Forward, r.Backward = 5, 30, 5
	s.put(t, batch("p1", 0, names("p2"), r), batch("p2", 0, names("p1")))
	page := s.get(t, "/").body
	for _, want := range []string{"ping · IPv4 · every 5m, 10 pings of", "fabric · IPv4 · every 10s, 640 packets over 16 flows of",
		"single · IPv4 · every 10s, 33 packets of", "80 sent, 40 received, 0 late, 40 lost (30 forward, 5 backward, 5 unplaced)\n"} {
		if !strings.Contains(page, want) {
			t.Errorf("there is no %q in:\n%s", want, page)
		}
	}
}
