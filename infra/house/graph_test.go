package house

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// A graph holds the packages of the project by name, without the module's path.
type graph map[string]pkg

// A pkg is what a package imports; project packages among it are named without
// the module's path and marked by a leading "./".
type pkg struct{ imports, tests []string }

// load reads the graph of the working tree. Packages that do not compile are
// in it too, with what they import.
func load(t *testing.T) graph {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "list", "-e", "-buildvcs=false",
		"-json=ImportPath,Imports,TestImports,XTestImports", module+"...")
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v: %s", cmd, err, complaints.String())
	}
	g := graph{}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var listed struct {
			ImportPath                         string
			Imports, TestImports, XTestImports []string
		}
		if err := decoder.Decode(&listed); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		g.add(strings.TrimPrefix(listed.ImportPath, module), listed.Imports, slices.Concat(listed.TestImports, listed.XTestImports))
	}
	if len(g.within(language)) == 0 {
		t.Fatal("go list shows no package of the project: nothing was checked")
	}
	return g
}

// add takes import paths as go list gives them.
func (g graph) add(name string, imports, tests []string) {
	mark := func(paths []string) []string {
		paths = slices.Compact(slices.Sorted(slices.Values(paths)))
		for i, path := range paths {
			if rest, ok := strings.CutPrefix(path, module); ok {
				paths[i] = "./" + rest
			}
		}
		return paths
	}
	g[name] = pkg{mark(imports), mark(tests)}
}

// within returns the packages in rooms, in order.
func (g graph) within(rooms []string) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(g)), func(name string) bool { return !in(name, rooms) })
}

// closure returns start and the project packages that it reaches by imports
// that are no test's, nearest first.
func (g graph) closure(start string) []string {
	reached := []string{start}
	for i := 0; i < len(reached); i++ {
		for _, imported := range g[reached[i]].imports {
			if name := bare(imported); local(imported) && !slices.Contains(reached, name) {
				reached = append(reached, name)
			}
		}
	}
	return reached
}

// path writes the shortest chain of imports from start to end.
func (g graph) path(start, end string) string {
	chain := []string{end}
	for reached := g.closure(start); chain[0] != start; {
		i := slices.IndexFunc(reached, func(name string) bool { return slices.Contains(g[name].imports, "./"+chain[0]) })
		chain = slices.Insert(chain, 0, reached[i])
	}
	return strings.Join(chain, " -> ")
}

// reaches returns a sentence for each room of to that a package of from gets
// into.
func (g graph) reaches(from, to []string, why string) (broken []string) {
	for _, start := range g.within(from) {
		for _, end := range g.closure(start) {
			if in(end, to) {
				broken = append(broken, fmt.Sprintf("%s: %s", g.path(start, end), why))
			}
		}
	}
	return broken
}

func local(imported string) bool { return strings.HasPrefix(imported, "./") }

func bare(imported string) string { return strings.TrimPrefix(imported, "./") }

// outside: the first element of a module path from outside has a dot.
func outside(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !local(imported) && strings.Contains(first, ".")
}

func in(name string, rooms []string) bool {
	return slices.ContainsFunc(rooms, func(room string) bool { return under(name, room) })
}

func under(name, room string) bool {
	name = bare(name)
	return name == room || strings.HasPrefix(name, room+"/")
}
