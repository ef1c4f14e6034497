package inventory

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// maxMerges bounds how deep "<<" keys may lead, so that a mapping which merges
// itself comes to an end.
const maxMerges = 10

// binder fills raw structs from the syntax tree. The decoder of the library
// would stop at the first error, give no line for values that are only checked
// later, and turn a name such as 1.10 into the number 1.1.
type binder struct {
	problems
	anchors map[string]ast.Node
	// least is a clause on what the file holds at least, for an empty one.
	least string
}

// Visit collects the anchors. Of two with one name the first counts.
func (b *binder) Visit(n ast.Node) ast.Visitor {
	if anchor, ok := n.(*ast.AnchorNode); ok {
		name := anchor.Name.GetToken().Value
		if _, taken := b.anchors[name]; !taken {
			b.anchors[name] = anchor.Value
		}
	}
	return b
}

// bind fills into, an at[T], from the node; what says whose value it is.
func (b *binder) bind(what string, n ast.Node, line int, into reflect.Value) {
	n = b.resolve(what, n, line)
	if n == nil {
		return
	}
	if _, null := n.(*ast.NullNode); null {
		b.add(line, "%s has no value; give it one or leave it out", what)
		return
	}
	if !b.fill(what, n, into.FieldByName("Value")) {
		b.add(lineOf(n), "%s is %s; it is %s", what, describe(n), expected(into.FieldByName("Value").Type()))
		return
	}
	into.FieldByName("Line").SetInt(int64(lineOf(n)))
}

// fill reports whether the node is of the value's type.
func (b *binder) fill(what string, n ast.Node, value reflect.Value) (ok bool) {
	switch value.Kind() {
	case reflect.Struct:
		return b.fillStruct(n, value)
	case reflect.Slice:
		return b.fillList(what, n, value)
	case reflect.Int:
		return fillInt(n, value)
	case reflect.Bool:
		return fillBool(n, value)
	default:
		text, ok := textOf(n)
		value.SetString(text)
		return ok
	}
}

func (b *binder) fillStruct(n ast.Node, value reflect.Value) bool {
	mapping, ok := n.(ast.MapNode)
	if !ok {
		return false
	}
	keys, fields := keysOf(value.Type())
	for _, entry := range b.entries(mapping, 0) {
		field, known := fields[entry.key]
		if !known {
			b.add(entry.line, "unknown key %q%s", entry.key, hint(entry.key, keys, "the keys here are"))
			continue
		}
		b.bind(entry.key, entry.value, entry.line, value.FieldByIndex(field))
	}
	return true
}

func (b *binder) fillList(what string, n ast.Node, value reflect.Value) bool {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		return false
	}
	items := reflect.MakeSlice(value.Type(), len(list.Values), len(list.Values))
	for i, item := range list.Values {
		b.bind("an entry of "+what, item, lineOf(item), items.Index(i))
	}
	value.Set(items)
	return true
}

func fillInt(n ast.Node, value reflect.Value) bool {
	if _, ok := n.(*ast.IntegerNode); !ok {
		return false
	}
	i, err := strconv.Atoi(n.GetToken().Value)
	value.SetInt(int64(i))
	return err == nil
}

func fillBool(n ast.Node, value reflect.Value) bool {
	boolean, ok := n.(*ast.BoolNode)
	if ok {
		value.SetBool(boolean.Value)
	}
	return ok
}

// entry is one key of a mapping.
type entry struct {
	key   string
	line  int
	value ast.Node
}

// entries are the keys of a mapping, its own first, then those that "<<" brings in.
func (b *binder) entries(mapping ast.MapNode, depth int) []entry {
	var own, merged []entry
	seen := map[string]int{}
	for iter := mapping.MapRange(); iter.Next(); {
		pair := iter.KeyValue()
		if pair.Key.IsMergeKey() {
			merged = append(merged, b.merged(pair.Value, lineOf(pair.Key), depth+1)...)
			continue
		}
		e := entry{key: keyText(pair.Key), line: lineOf(pair.Key), value: pair.Value}
		if first, twice := seen[e.key]; twice {
			b.add(e.line, "key %q stands here twice; it is in line %d already", e.key, first)
			continue
		}
		seen[e.key] = e.line
		own = append(own, e)
	}
	for _, e := range merged {
		if _, overridden := seen[e.key]; !overridden {
			seen[e.key] = e.line
			own = append(own, e)
		}
	}
	return own
}

func (b *binder) merged(n ast.Node, line, depth int) []entry {
	n = b.resolve("<<", n, line)
	if list, ok := n.(*ast.SequenceNode); ok && depth < maxMerges {
		var all []entry
		for _, item := range list.Values {
			all = append(all, b.merged(item, lineOf(item), depth+1)...)
		}
		return all
	}
	mapping, ok := n.(ast.MapNode)
	if ok && depth < maxMerges {
		return b.entries(mapping, depth)
	}
	if n != nil {
		b.add(line, "<< can only merge a mapping that does not hold it, such as <<: *name")
	}
	return nil
}

// resolve looks through anchors and aliases; nil where that leads nowhere.
func (b *binder) resolve(what string, n ast.Node, line int) ast.Node {
	for range maxMerges {
		switch node := n.(type) {
		case *ast.AnchorNode:
			n = node.Value
		case *ast.AliasNode:
			name := node.Value.GetToken().Value
			if n = b.anchors[name]; n == nil {
				b.add(line, "%s: *%s names nothing; define it as &%s, or quote a text that begins with *", what, name, name)
				return nil
			}
		case *ast.TagNode:
			b.add(line, "%s: the tag %s has no meaning here; leave it out", what, node.Start.Value)
			return nil
		case nil:
			b.add(line, "%s has no value; give it one or leave it out", what)
			return nil
		default:
			return n
		}
	}
	b.add(line, "%s: the aliases lead in a circle", what)
	return nil
}

// keysOf lists the YAML keys of a raw struct in its order, and where they go.
func keysOf(t reflect.Type) (keys []string, fields map[string][]int) {
	fields = map[string][]int{}
	for _, field := range reflect.VisibleFields(t) {
		if key := field.Tag.Get("yaml"); key != "" {
			keys = append(keys, key)
			fields[key] = field.Index
		}
	}
	return keys, fields
}

func expected(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Struct:
		keys, _ := keysOf(t)
		return "a mapping with the keys " + strings.Join(keys, ", ")
	case reflect.Slice:
		return "a list, in brackets or with a dash before each entry"
	case reflect.Int:
		return "a whole number, without quotes"
	case reflect.Bool:
		return "true or false"
	default:
		return "a text, in quotes where it has colons"
	}
}

func describe(n ast.Node) string {
	switch n.(type) {
	case ast.MapNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.StringNode, *ast.LiteralNode:
		text, _ := textOf(n)
		return fmt.Sprintf("%.80q", text)
	}
	return n.GetToken().Value
}

// textOf is a scalar as it was written: a name may look like a number.
func textOf(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	case *ast.MappingNode:
		return unsplit(n)
	}
	return "", false
}

// unsplit is the text that the library took for a mapping: inside braces it
// splits a bare 2001:db8::1 at the first colon, though to YAML a colon with no
// space after it is part of the text (YAML 1.2.2, section 7.3.3).
func unsplit(n *ast.MappingNode) (string, bool) {
	if len(n.Values) != 1 || n.Start.Type == token.MappingStartType {
		return "", false
	}
	key, colon, value := n.Values[0].Key.GetToken(), n.Values[0].Start, n.Values[0].Value.GetToken()
	if !touch(key, colon) || !touch(colon, value) || value.Indicator == token.QuotedScalarIndicator {
		return "", false
	}
	return key.Value + colon.Value + value.Value, true
}

func touch(a, b *token.Token) bool {
	return a.Position.Line == b.Position.Line && a.Position.Column+utf8.RuneCountInString(a.Value) == b.Position.Column
}

func keyText(n ast.MapKeyNode) string {
	if key, ok := n.(*ast.MappingKeyNode); ok {
		return key.Value.GetToken().Value
	}
	return n.GetToken().Value
}

func lineOf(n ast.Node) int {
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return 0
	}
	return n.GetToken().Position.Line
}
