package house

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ixpqos/infra/needs"
)

// alone are the files of tests that may sleep or listen where they like: what
// they do there happens in a namespace that a test made, or paces what is sent.
var alone = []string{"infra/lab/tool_test.go"}

// TestNoTestSleepsOrHasAPort: a sleep is a guess of how fast the machine is, and
// a port of a test's own choice may be another's.
func TestNoTestSleepsOrHasAPort(t *testing.T) {
	needs.Git(t)
	top := strings.TrimSpace(git(t, "rev-parse", "--show-toplevel"))
	files := strings.FieldsFunc(git(t, "-C", top, "ls-files", "-z", "*_test.go"), func(r rune) bool { return r == 0 })
	if len(files) == 0 {
		t.Fatal("git tracks no test: nothing was checked")
	}
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(top, file))
		if os.IsNotExist(err) || slices.Contains(alone, file) {
			continue // deleted, but not yet for git
		}
		if err != nil {
			t.Error(err)
			continue
		}
		found, err := findImpatience(file, text)
		if err != nil {
			t.Error(err)
		}
		for _, sentence := range found {
			t.Error(sentence)
		}
	}
}

// findImpatience returns a sentence for each sleep, and for each port that is
// written down in a call that listens.
func findImpatience(file string, text []byte) (found []string, err error) {
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, file, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			for _, sentence := range impatience(call) {
				found = append(found, fmt.Sprintf("%v: %s", files.Position(call.Pos()), sentence))
			}
		}
		return true
	})
	return found, nil
}

func impatience(call *ast.CallExpr) (found []string) {
	name := called(call)
	if name == "time.Sleep" {
		return []string{"a test sleeps: wait for a condition, with a bound"}
	}
	if listens.MatchString(name) {
		for _, port := range ports(call) {
			found = append(found, fmt.Sprintf("a test listens at port %s, which another may have: take port 0", port))
		}
	}
	return found
}

var listens = regexp.MustCompile(`^(net|http)\.Listen|\.Listen(Packet)?$|^unix\.Bind$`)

// called names what a call calls, as it is written.
func called(call *ast.CallExpr) string {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	if of, ok := selector.X.(*ast.Ident); ok {
		return of.Name + "." + selector.Sel.Name
	}
	return "." + selector.Sel.Name
}

// ports are those in a call's arguments, but for 0: of an address in a string,
// and of a field named Port.
func ports(call *ast.CallExpr) (all []string) {
	add := func(port string) {
		if port != "" && port != "0" {
			all = append(all, port)
		}
	}
	for _, argument := range call.Args {
		ast.Inspect(argument, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit:
				add(portOf(n))
			case *ast.KeyValueExpr:
				key, _ := n.Key.(*ast.Ident)
				number, ok := n.Value.(*ast.BasicLit)
				if ok && key != nil && key.Name == "Port" {
					add(number.Value)
				}
				return false
			}
			return true
		})
	}
	return all
}

// portOf is the port of an address in a string, if it is one.
func portOf(literal *ast.BasicLit) string {
	text, err := strconv.Unquote(literal.Value)
	if err != nil || literal.Kind != token.STRING {
		return ""
	}
	_, port, _ := net.SplitHostPort(text)
	return port
}

func TestImpatienceIsFound(t *testing.T) {
	for call, want := range map[string]string{
		`time.Sleep(1)`:                                        ": a test sleeps",
		`net.Listen("tcp", "127.0.0.1:8080")`:                  "listens at port 8080",
		`net.ListenUDP("udp", &net.UDPAddr{Port: 61000})`:      "listens at port 61000",
		`new(net.ListenConfig).Listen(ctx, "tcp", "[::1]:80")`: "listens at port 80",
		`net.Listen("tcp", "127.0.0.1:0")`:                     "",
		`net.Listen("unix", socket)`:                           "",
		`net.ListenUDP("udp4", &net.UDPAddr{Port: port})`:      "",
		`net.Dial("tcp", "127.0.0.1:9")`:                       "",
		`clock.Sleep(1)`:                                       "",
	} {
		found, err := findImpatience("it_test.go", []byte("package it; func f() { "+call+" }"))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(found, "; "); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", call, got, want)
		}
	}
}
