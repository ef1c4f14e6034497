package inventory

import (
	"bytes"
	"errors"
	"reflect"
	"regexp"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// ParseYAML reads an inventory. The name stands for the file in errors, which
// join a Problem for each thing that is wrong.
func ParseYAML(name string, text []byte) (*Inventory, error) {
	raw, err := bindYAML[rawInventory](name, text, "an inventory has at least probes and tests")
	if err != nil {
		return nil, err
	}
	return check(name, raw)
}

// bindYAML reads a file of the shape of T. least is what it holds at least.
func bindYAML[T any](name string, text []byte, least string) (raw T, err error) {
	b := &binder{problems: problems{file: name}, anchors: map[string]ast.Node{}, least: least}
	root := b.parse(plainText(&b.problems, text))
	if root == nil {
		return raw, joined(&b.problems)
	}
	ast.Walk(b, root)
	if root = b.resolve("the file", root, 1); root == nil {
		return raw, joined(&b.problems)
	}
	if top := reflect.ValueOf(&raw).Elem(); !b.fill("the file", root, top) {
		b.add(lineOf(root), "the file is %s; it is %s", describe(root), expected(top.Type()))
	}
	return raw, joined(&b.problems)
}

// parse is the root of the one document in text; nil where there is a problem.
func (b *binder) parse(text []byte) ast.Node {
	if len(b.found) > 0 {
		return nil
	}
	file, err := parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		b.addSyntax(err, text)
		return nil
	}
	return b.resolveRoot(file)
}

func (b *binder) resolveRoot(file *ast.File) (root ast.Node) {
	for _, document := range file.Docs {
		if _, directive := document.Body.(*ast.DirectiveNode); directive || document.Body == nil {
			continue
		}
		if root != nil {
			b.add(lineOf(document.Body), "a second YAML document begins here; the file is one document")
			return nil
		}
		root = document.Body
	}
	if root == nil {
		b.add(1, "the file is empty; %s", b.least)
	}
	return root
}

// slips are texts that look fine and need quotes all the same: in YAML a bare *
// begins an alias, and a bare : ends a key.
var slips = []struct {
	pattern *regexp.Regexp
	advice  string
}{
	{regexp.MustCompile(`cron:\s*\*`), "; put a cron expression in quotes"},
	{regexp.MustCompile(`[\[,\s]::`), "; put an address that begins with a colon in quotes"},
}

func (b *binder) addSyntax(err error, text []byte) {
	var at yaml.Error
	if !errors.As(err, &at) || at.GetToken() == nil {
		b.add(1, "this is not YAML: %v", err)
		return
	}
	line, advice := at.GetToken().Position.Line, ""
	lines := bytes.Split(text, []byte("\n"))
	for _, slip := range slips {
		if line <= len(lines) && slip.pattern.Match(lines[line-1]) {
			advice = slip.advice
		}
	}
	b.add(line, "this is not YAML: %s%s", at.GetMessage(), advice)
}

// plainText is text without a byte order mark; it is a problem where it is not UTF-8.
func plainText(p *problems, text []byte) []byte {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	for i, rest := 1, text; len(rest) > 0; i++ {
		var line []byte
		if line, rest, _ = bytes.Cut(rest, []byte("\n")); !utf8.Valid(line) {
			p.add(i, "the text is not UTF-8; save the file in that encoding")
			break
		}
	}
	return text
}
