package needs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

var made = []need{
	{"there", func() error { return nil }, "do nothing"},
	{"gone", func() error { return errors.New("no such tool") }, "install it"},
}

// probe stands in for a test that is expected to end early.
type probe struct {
	testing.TB
	failed, skipped string
}

func (p *probe) Helper()      {}
func (p *probe) Name() string { return "TestMade" }
func (p *probe) Fatal(args ...any) {
	p.failed = fmt.Sprint(args...)
	runtime.Goexit()
}
func (p *probe) Fatalf(format string, args ...any) {
	p.failed = fmt.Sprintf(format, args...)
	runtime.Goexit()
}
func (p *probe) Skip(args ...any) {
	p.skipped = fmt.Sprint(args...)
	runtime.Goexit()
}

func (p *probe) demand(name string) {
	var done sync.WaitGroup
	done.Go(func() { demand(p, made, name) })
	done.Wait()
}

func TestDemand(t *testing.T) {
	for _, tc := range []struct {
		name, need, require     string
		failed, skipped, report string
	}{
		{"there", "there", "", "", "", "ran there"},
		{"there and required", "there", "there, race", "", "", "ran there"},
		{"gone", "gone", "there", "", "gone: no such tool; to have it, install it",
			"left out: needs.TestMade: gone: no such tool; to have it, install it"},
		{"gone and required", "gone", "there,gone",
			"IXPQOS_REQUIRE asks for gone: no such tool; to have it, install it", "", ""},
		{"misspelt", "there", "ther",
			`IXPQOS_REQUIRE=ther: "ther" is not known; known are gone, race, there`, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			report := filepath.Join(t.TempDir(), "report")
			t.Setenv("IXPQOS_REQUIRE", tc.require)
			t.Setenv("IXPQOS_REPORT", report)
			p := &probe{TB: t}
			p.demand(tc.need)
			if p.failed != tc.failed || p.skipped != tc.skipped {
				t.Errorf("failed %q, skipped %q; want %q, %q", p.failed, p.skipped, tc.failed, tc.skipped)
			}
			got, err := os.ReadFile(report)
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			if strings.TrimSpace(string(got)) != tc.report {
				t.Errorf("report %q, want %q", got, tc.report)
			}
		})
	}
}

func TestReportIsShared(t *testing.T) {
	report := filepath.Join(t.TempDir(), "report")
	t.Setenv("IXPQOS_REPORT", report)
	var writers sync.WaitGroup
	for range 20 {
		writers.Go(func() {
			for range 50 {
				record(t, "ran a thing with\na broken line")
			}
		})
	}
	writers.Wait()
	got, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Repeat("ran a thing with a broken line\n", 1000); string(got) != want {
		t.Errorf("lines were mixed or lost: %d bytes, want %d", len(got), len(want))
	}
}

// TestRequired fails a run whose IXPQOS_REQUIRE is misspelt, and looks at every
// need that this machine is said to have. That a need could be met is nothing
// that ran, so it goes into no report.
func TestRequired(t *testing.T) {
	t.Setenv("IXPQOS_REPORT", "")
	if _, err := parseRequired(table, os.Getenv("IXPQOS_REQUIRE")); err != nil {
		t.Fatal(err)
	}
	for _, n := range table {
		t.Run(n.name, func(t *testing.T) { demand(t, table, n.name) })
	}
}
