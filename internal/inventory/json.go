package inventory

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// jsonFile takes a JSON text apart and knows where each value stands in it. It
// compares keys exactly, which encoding/json does not for structs: an extra key
// "Name" must not become the name.
type jsonFile struct {
	*problems
	text []byte
}

// jsonValue is a value as it was written; the zero value is an absent one.
type jsonValue struct {
	raw    json.RawMessage
	offset int
}

// openJSON is the file and its root, which is absent where there is a problem.
func openJSON(p *problems, text []byte) (f jsonFile, root jsonValue) {
	f = jsonFile{problems: p, text: plainText(p, text)}
	if len(p.found) > 0 {
		return f, root
	}
	if err := json.Unmarshal(f.text, &root.raw); err != nil {
		f.add(f.lineAt(syntaxOffset(err)), "this is not JSON: %v", err)
		return f, jsonValue{}
	}
	root.offset = bytes.Index(f.text, root.raw)
	return f, root
}

func syntaxOffset(err error) int {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return int(syntax.Offset)
	}
	return 0
}

func (f jsonFile) lineAt(offset int) int {
	return 1 + bytes.Count(f.text[:min(offset, len(f.text))], []byte("\n"))
}

func (f jsonFile) line(v jsonValue) int { return f.lineAt(v.offset) }

// list is what stands under the key of a file whose root is an object.
func (f jsonFile) list(root jsonValue, key string) []jsonValue {
	object, _ := root.members()
	list, ok := object[key].elements()
	if !ok && root.given() {
		f.add(f.line(root), `there is no list %q; the file is {%q: [...]}`, key, key)
	}
	return list
}

// members are the values of an object by their keys; false where it is none.
func (v jsonValue) members() (map[string]jsonValue, bool) {
	decoder, ok := v.inside('{')
	found := map[string]jsonValue{}
	for ok && decoder.More() {
		key, _ := decoder.Token()
		name, isKey := key.(string)
		found[name], ok = v.next(decoder)
		ok = ok && isKey
	}
	return found, ok
}

// elements are the entries of an array; false where it is none.
func (v jsonValue) elements() (found []jsonValue, ok bool) {
	decoder, ok := v.inside('[')
	for ok && decoder.More() {
		var element jsonValue
		element, ok = v.next(decoder)
		found = append(found, element)
	}
	return found, ok
}

func (v jsonValue) inside(bracket json.Delim) (*json.Decoder, bool) {
	decoder := json.NewDecoder(bytes.NewReader(v.raw))
	token, err := decoder.Token()
	return decoder, err == nil && token == bracket
}

func (v jsonValue) next(decoder *json.Decoder) (element jsonValue, ok bool) {
	err := decoder.Decode(&element.raw)
	element.offset = v.offset + int(decoder.InputOffset()) - len(element.raw)
	return element, err == nil
}

// given is false for what is absent or null.
func (v jsonValue) given() bool { return len(v.raw) > 0 && string(v.raw) != "null" }

func (v jsonValue) text() (s string, ok bool) {
	return s, v.given() && json.Unmarshal(v.raw, &s) == nil
}

func (v jsonValue) number() (n float64, ok bool) {
	return n, v.given() && json.Unmarshal(v.raw, &n) == nil
}

// String is the value in one line, for errors.
func (v jsonValue) String() string {
	var line bytes.Buffer
	if err := json.Compact(&line, v.raw); err != nil {
		return "nothing"
	}
	return fmt.Sprintf("%.80s", line.String())
}
