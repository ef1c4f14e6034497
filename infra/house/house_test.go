// Package house is the architecture as a test: it holds the import graph of the
// project against the rules of who may know whom, and the rules against
// made-up graphs that break them.
package house

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// module is the path of the project; inside this package project packages are
// named without it.
const module = "ixpqos/"

// The rooms. A name stands for a package and for those below it.
var (
	language  = []string{"internal/ippm", "internal/inventory", "internal/wire", "internal/schedule"}
	probeSide = []string{"internal/agent", "internal/measure", "internal/deliver"}
	storeSide = []string{"internal/store", "internal/collect", "internal/judge", "internal/show", "internal/access", "internal/lambdahttp", "functions"}
	binaries  = []string{"probe", "functions"}
	workshop  = []string{"infra"}
	codecs    = []string{"internal/measure/stamp"}
)

// surroundings are what a codec must not know: sockets, clocks, loggers.
var surroundings = []string{"net", "os", "log", "log/slog", "syscall", "golang.org/x/sys", "github.com/jonboulle/clockwork"}

// A dependency is a module from outside and the packages that own it.
type dependency struct {
	module string
	owners []string
	// tests is set where tests of every package may use it too.
	tests bool
}

// anywhere owns what is as common as the standard library.
var anywhere = []string{"probe", "functions", "internal", "infra"}

var dependencies = []dependency{
	{module: "github.com/DataDog/sketches-go", owners: []string{"internal/ippm"}},
	{module: "github.com/alecthomas/kong", owners: []string{"probe", "functions", "internal/program"}},
	{module: "github.com/aws/aws-lambda-go", owners: []string{"internal/lambdahttp"}},
	{module: "github.com/cenkalti/backoff/v5", owners: []string{"internal/deliver"}},
	{module: "github.com/danielgtaylor/huma/v2", owners: []string{"internal/access", "internal/collect", "internal/show"}},
	{module: "github.com/go-co-op/gocron/v2", owners: []string{"internal/schedule"}},
	{module: "github.com/goccy/go-yaml", owners: []string{"internal/inventory", "internal/access"}},
	{module: "github.com/google/go-cmp", tests: true},
	{module: "github.com/google/uuid", owners: []string{"internal/schedule"}},
	{module: "github.com/influxdata/influxdb-client-go/v2", owners: []string{"internal/store/influx"}},
	{module: "github.com/jonboulle/clockwork", owners: []string{"internal/schedule", "internal/agent", "internal/measure", "internal/deliver", "probe", "functions"}, tests: true},
	{module: "github.com/prometheus-community/pro-bing", owners: []string{"internal/measure/ping"}},
	{module: "github.com/prometheus/client_golang", owners: []string{"internal/access"}},
	{module: "github.com/robfig/cron/v3", owners: []string{"internal/schedule"}},
	{module: "github.com/santhosh-tekuri/jsonschema/v6", tests: true},
	{module: "golang.org/x/sync", owners: anywhere},
	{module: "golang.org/x/sys", owners: anywhere},
	{module: "golang.org/x/term", owners: anywhere},
	{module: "golang.org/x/text", owners: []string{"internal/inventory"}},
	{module: "modernc.org/sqlite", owners: []string{"internal/store/sqlite"}},
}

func TestHouse(t *testing.T) {
	for _, broken := range check(load(t)) {
		t.Error(broken)
	}
}

// check returns a sentence for each breach of the rules.
func check(g graph) []string {
	return slices.Concat(languageRule(g), sidesRule(g), codecRule(g), workshopRule(g), ownersRule(g))
}

// languageRule: the shared language knows only itself, and ippm none of it.
// Their tests may use the workshop.
func languageRule(g graph) (broken []string) {
	for _, name := range g.within(language) {
		known := language
		if under(name, "internal/ippm") {
			known = []string{"internal/ippm"}
		}
		for _, imported := range g[name].imports {
			if local(imported) && !in(imported, known) {
				broken = append(broken, fmt.Sprintf("%s imports %s: it may know only %s", name, bare(imported), strings.Join(known, ", ")))
			}
		}
		for _, imported := range g[name].tests {
			if local(imported) && !in(imported, known) && !in(imported, workshop) {
				broken = append(broken, fmt.Sprintf("a test of %s imports %s: it may know only %s", name, bare(imported), strings.Join(known, ", ")))
			}
		}
	}
	return broken
}

// sidesRule: what runs on probes and what runs at the store meet on the wire
// only.
func sidesRule(g graph) []string {
	return slices.Concat(
		g.reaches(probeSide, storeSide, "the probe's side may not know the store's"),
		g.reaches(storeSide, probeSide, "the store's side may not know the probe's"),
	)
}

// codecRule: a codec takes bytes and gives bytes.
func codecRule(g graph) (broken []string) {
	for _, start := range g.within(codecs) {
		for _, name := range g.closure(start) {
			for _, imported := range g[name].imports {
				if slices.Contains(surroundings, imported) || under(imported, "golang.org/x/sys") {
					broken = append(broken, fmt.Sprintf("%s imports %s: a codec has no socket, clock or logger", g.path(start, name), imported))
				}
			}
		}
	}
	return broken
}

// workshopRule: nothing that helps to build and test gets into a binary.
func workshopRule(g graph) []string {
	return g.reaches(binaries, workshop, "a binary may not hold the workshop")
}

// ownersRule: each module from outside has an owner, through whom the others
// use it.
func ownersRule(g graph) (broken []string) {
	for _, name := range g.within(anywhere) {
		for _, imported := range g[name].imports {
			if outside(imported) {
				broken = append(broken, owned(name, imported, false)...)
			}
		}
		for _, imported := range g[name].tests {
			if outside(imported) {
				broken = append(broken, owned(name, imported, true)...)
			}
		}
	}
	return broken
}

func owned(name, imported string, test bool) []string {
	i := slices.IndexFunc(dependencies, func(d dependency) bool { return under(imported, d.module) })
	if i < 0 {
		return []string{fmt.Sprintf("%s imports %s, which is in no row of the table: give it an owner", name, imported)}
	}
	d := dependencies[i]
	if in(name, d.owners) || test && d.tests {
		return nil
	}
	owners := strings.Join(d.owners, ", ")
	if owners == "" {
		owners = "tests alone"
	}
	return []string{fmt.Sprintf("%s imports %s, which belongs to %s", name, imported, owners)}
}
