package house

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sound is a graph that obeys every rule.
func sound() graph {
	g := graph{}
	g.add("internal/ippm", []string{"math", "github.com/DataDog/sketches-go/ddsketch"}, []string{"ixpqos/internal/ippm", "github.com/google/go-cmp/cmp"})
	g.add("internal/wire", []string{"ixpqos/internal/ippm"}, []string{"ixpqos/infra/needs"})
	g.add("internal/deliver", []string{"ixpqos/internal/wire", "os", "net"}, []string{"github.com/jonboulle/clockwork"})
	g.add("internal/measure/stamp", []string{"encoding/binary", "net/netip", "time", "ixpqos/internal/ippm"}, []string{"net"})
	g.add("internal/agent", []string{"ixpqos/internal/deliver", "golang.org/x/sync/errgroup"}, []string{"ixpqos/internal/store"})
	g.add("internal/store", []string{"ixpqos/internal/ippm"}, nil)
	g.add("internal/store/sqlite", []string{"ixpqos/internal/store", "modernc.org/sqlite"}, nil)
	g.add("internal/collect", []string{"ixpqos/internal/store", "ixpqos/internal/wire"}, nil)
	g.add("internal/glue", []string{"ixpqos/internal/wire"}, nil)
	g.add("probe", []string{"ixpqos/internal/agent", "github.com/alecthomas/kong"}, nil)
	g.add("infra/needs", []string{"testing"}, nil)
	return g
}

func TestRulesCanBeBroken(t *testing.T) {
	for _, tc := range []struct {
		name, pkg      string
		imports, tests []string
		want           []string
	}{
		{name: "nothing is broken", pkg: "internal/glue"},
		{name: "ippm knows the language", pkg: "internal/ippm",
			imports: []string{"ixpqos/internal/wire"},
			want:    []string{"internal/ippm imports internal/wire: it may know only internal/ippm"}},
		{name: "a test of ippm knows the language", pkg: "internal/ippm",
			tests: []string{"ixpqos/internal/wire"},
			want:  []string{"a test of internal/ippm imports internal/wire: it may know only internal/ippm"}},
		{name: "the language knows a room", pkg: "internal/wire",
			imports: []string{"ixpqos/internal/glue"},
			want:    []string{"internal/wire imports internal/glue: it may know only internal/ippm, internal/inventory, internal/wire, internal/schedule"}},
		{name: "a package that only begins like the language", pkg: "internal/wire",
			imports: []string{"ixpqos/internal/ippmx"},
			want:    []string{"internal/wire imports internal/ippmx: it may know only internal/ippm, internal/inventory, internal/wire, internal/schedule"}},
		{name: "a package of neither side reaches the store", pkg: "internal/glue",
			imports: []string{"ixpqos/internal/store/sqlite"}},
		{name: "the probe reaches the store", pkg: "internal/deliver",
			imports: []string{"ixpqos/internal/store/sqlite"},
			want: []string{
				"internal/agent -> internal/deliver -> internal/store/sqlite: the probe's side may not know the store's",
				"internal/agent -> internal/deliver -> internal/store/sqlite -> internal/store: the probe's side may not know the store's",
				"internal/deliver -> internal/store/sqlite: the probe's side may not know the store's",
				"internal/deliver -> internal/store/sqlite -> internal/store: the probe's side may not know the store's",
			}},
		{name: "the store reaches the probe", pkg: "internal/collect",
			imports: []string{"ixpqos/internal/deliver"},
			want:    []string{"internal/collect -> internal/deliver: the store's side may not know the probe's"}},
		{name: "a codec has a socket", pkg: "internal/measure/stamp",
			imports: []string{"net", "golang.org/x/sys/unix"},
			want: []string{
				"internal/measure/stamp imports golang.org/x/sys/unix: a codec has no socket, clock or logger",
				"internal/measure/stamp imports net: a codec has no socket, clock or logger",
			}},
		{name: "a codec has a logger through a third", pkg: "internal/measure/stamp/tlv",
			imports: []string{"ixpqos/internal/log"},
			want:    []string{"internal/measure/stamp/tlv -> internal/log imports log/slog: a codec has no socket, clock or logger"}},
		{name: "a binary holds the workshop", pkg: "probe",
			imports: []string{"ixpqos/infra/needs"},
			want:    []string{"probe -> infra/needs: a binary may not hold the workshop"}},
		{name: "a module without an owner", pkg: "internal/glue",
			imports: []string{"example.org/new/thing"},
			want:    []string{"internal/glue imports example.org/new/thing, which is in no row of the table: give it an owner"}},
		{name: "a test's module without an owner", pkg: "internal/glue",
			tests: []string{"example.org/new"},
			want:  []string{"internal/glue imports example.org/new, which is in no row of the table: give it an owner"}},
		{name: "a module that only begins like one with an owner", pkg: "internal/store/sqlite",
			imports: []string{"modernc.org/sqlite2"},
			want:    []string{"internal/store/sqlite imports modernc.org/sqlite2, which is in no row of the table: give it an owner"}},
		{name: "another's module", pkg: "internal/collect",
			imports: []string{"modernc.org/sqlite/lib"},
			want:    []string{"internal/collect imports modernc.org/sqlite/lib, which belongs to internal/store/sqlite"}},
		{name: "a function knows the events itself", pkg: "functions/ingest",
			imports: []string{"github.com/aws/aws-lambda-go/events"},
			want:    []string{"functions/ingest imports github.com/aws/aws-lambda-go/events, which belongs to internal/lambdahttp"}},
		{name: "what functions share holds the workshop", pkg: "functions/internal/service",
			imports: []string{"ixpqos/infra/needs"},
			want:    []string{"functions/internal/service -> infra/needs: a binary may not hold the workshop"}},
		{name: "what functions share reaches the probe", pkg: "functions/internal/service",
			imports: []string{"ixpqos/internal/deliver"},
			want:    []string{"functions/internal/service -> internal/deliver: the store's side may not know the probe's"}},
		{name: "another's module in a test", pkg: "internal/collect",
			tests: []string{"modernc.org/sqlite"},
			want:  []string{"internal/collect imports modernc.org/sqlite, which belongs to internal/store/sqlite"}},
		{name: "a module for tests alone", pkg: "internal/collect",
			imports: []string{"github.com/google/go-cmp/cmp"},
			want:    []string{"internal/collect imports github.com/google/go-cmp/cmp, which belongs to tests alone"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := sound()
			g.add("internal/log", []string{"log/slog"}, nil)
			g.add(tc.pkg, tc.imports, tc.tests)
			if diff := cmp.Diff(tc.want, check(g)); diff != "" {
				t.Errorf("want - got +:\n%s", diff)
			}
		})
	}
}

// TestIndirectBreach breaks a rule in a package to which it doesn't apply.
func TestIndirectBreach(t *testing.T) {
	g := sound()
	g.add("internal/agent", []string{"ixpqos/internal/glue"}, nil)
	g.add("internal/glue", []string{"ixpqos/internal/store"}, nil)
	want := "internal/agent -> internal/glue -> internal/store: the probe's side may not know the store's"
	if got := check(g); !slices.Equal(got, []string{want}) {
		t.Errorf("got %q, want %q", got, want)
	}
}
