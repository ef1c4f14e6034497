package inventory

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

func decodedSchema(t *testing.T) map[string]any {
	t.Helper()
	var decoded map[string]any
	if err := json.Unmarshal(Schema(), &decoded); err != nil {
		t.Fatal(err)
	}
	return decoded
}

// schemaPaths are the paths of all properties, such as probes.name.
func schemaPaths(root, node map[string]any, path string) (paths []string) {
	if ref, ok := node["$ref"].(string); ok {
		node = root["$defs"].(map[string]any)[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
	}
	if items, ok := node["items"].(map[string]any); ok {
		return schemaPaths(root, items, path)
	}
	properties, _ := node["properties"].(map[string]any)
	for key, property := range properties {
		paths = append(paths, path+key)
		paths = append(paths, schemaPaths(root, property.(map[string]any), path+key+".")...)
	}
	return paths
}

// rawPaths are the same of the raw structs.
func rawPaths(t reflect.Type, path string) (paths []string) {
	for t.Kind() != reflect.Struct || t.Name() == "" || strings.HasPrefix(t.Name(), "at[") {
		switch t.Kind() {
		case reflect.Slice:
			t = t.Elem()
		case reflect.Struct:
			field, _ := t.FieldByName("Value")
			t = field.Type
		default:
			return nil
		}
	}
	keys, fields := keysOf(t)
	for _, key := range keys {
		paths = append(paths, path+key)
		paths = append(paths, rawPaths(t.FieldByIndex(fields[key]).Type, path+key+".")...)
	}
	return paths
}

func TestSchemaHasTheKeysOfTheParser(t *testing.T) {
	root := decodedSchema(t)
	inSchema, inParser := schemaPaths(root, root, ""), rawPaths(reflect.TypeFor[rawInventory](), "")
	slices.Sort(inSchema)
	slices.Sort(inParser)
	if diff := cmp.Diff(inParser, inSchema); diff != "" {
		t.Errorf("the schema differs from the parser: %s", diff)
	}
	if len(inParser) < 30 {
		t.Errorf("only %d keys were compared", len(inParser))
	}
}

// Every object is closed, and every property described, by itself or by what it refers to.
func TestSchemaIsStrictAndExplains(t *testing.T) {
	root := decodedSchema(t)
	var visit func(path string, node map[string]any)
	visit = func(path string, node map[string]any) {
		properties, object := node["properties"].(map[string]any)
		if object && node["additionalProperties"] != false {
			t.Errorf("%s takes unknown keys", path)
		}
		for key, value := range properties {
			property := value.(map[string]any)
			ref, _ := property["$ref"].(string)
			if property["description"] == nil && ref != "#/$defs/addresses" && ref != "#/$defs/keys" {
				t.Errorf("%s.%s has no description", path, key)
			}
			visit(path+"."+key, property)
		}
	}
	visit("", root)
	for name, definition := range root["$defs"].(map[string]any) {
		visit(name, definition.(map[string]any))
	}
}

// What the schema says of defaults is what the parser fills in.
func TestSchemaDefaults(t *testing.T) {
	inv := mustParse(t, with("sites: [{name: rome, switches: [sw1, sw2]}]", "links: [{name: l, between: [sw1, sw2], members: 1}]",
		"targets: [{name: rs1, addresses: [192.0.2.9]}]"))
	inv.Tests = append(inv.Tests, mustParse(t, withTests("{name: fabric, kind: stamp}")).Tests...)
	ping, fabric := inv.Tests[0], inv.Tests[1]
	definitions := decodedSchema(t)["$defs"].(map[string]any)
	for path, filled := range map[string]any{
		"link hash": inv.Links[0].Hash, "probe drain": inv.Probes[0].Drain, "target answers": inv.Targets[0].Answers, "target stateful": inv.Targets[0].Stateful,
		"probe stateless": inv.Probes[0].Stateless, "probe reflector_port": inv.Probes[0].ReflectorPort, "target reflector_port": inv.Targets[0].ReflectorPort,
		"test count": ping.Count, "test else spacing": ping.Spacing, "test timeout": ping.Timeout, "test else size": ping.Size, "test dscp": ping.DSCP, "test first_version": ping.FirstVersion,
		"test families": []int{int(ping.Families[0]), int(ping.Families[1])},
		"test interval": fabric.Every, "test flows": fabric.Flows, "test port": fabric.Port, "test df": fabric.DontFragment,
		"test then spacing": fabric.Spacing, "test then size": fabric.Size,
	} {
		if d, ok := filled.(time.Duration); ok {
			filled = d.String()
		}
		keys := strings.Fields(path)
		at := definitions
		for _, key := range keys[:len(keys)-1] {
			at = at[key].(map[string]any)
		}
		got := at["properties"].(map[string]any)[keys[len(keys)-1]].(map[string]any)["default"]
		want, _ := json.Marshal(filled)
		if text, _ := json.Marshal(got); !bytes.Equal(text, want) {
			t.Errorf("%s: the schema says %s, the parser takes %s", path, text, want)
		}
	}
}

func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("schema.json", document); err != nil {
		t.Fatal(err)
	}
	return compiler.MustCompile("schema.json")
}

func validate(t *testing.T, schema *jsonschema.Schema, text string) error {
	t.Helper()
	converted, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(converted))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(value)
}

func TestSchemaTakesWhatTheParserTakes(t *testing.T) {
	schema := compiledSchema(t)
	for _, text := range []string{full, families, with("exchange: Rome"), withTests(`{name: ü, kind: icmp, cron: "@daily", dscp: 63}`), fourSites} {
		mustParse(t, text)
		if err := validate(t, schema, text); err != nil {
			t.Errorf("%v\n%s", err, text)
		}
	}
}

// TestExamplesAreValid for the parser and for an editor. To YAML a hash of digits
// alone is a number, so it stands in quotes.
func TestExamplesAreValid(t *testing.T) {
	schema := compiledSchema(t)
	read := func(path string) string {
		text, err := os.ReadFile(filepath.FromSlash("../../" + path))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	_, readme, _ := strings.Cut(read("README.md"), "Write `/etc/ixpqos/inventory.yaml`:\n\n```yaml\n")
	readme, _, _ = strings.Cut(readme, "```")
	for name, text := range map[string]string{"README.md": readme, "infra/demo/inventory.yaml": read("infra/demo/inventory.yaml")} {
		if inv := mustParse(t, text); len(inv.Probes) < 2 {
			t.Errorf("%s has %d probes", name, len(inv.Probes))
		}
		if err := validate(t, schema, text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSchemaRefusesWhatTheParserRefuses(t *testing.T) {
	schema := compiledSchema(t)
	for _, c := range badFiles {
		if c.editor && validate(t, schema, c.text) == nil {
			t.Errorf("%s: the schema takes it", c.name)
		}
	}
}

func TestSchemaCannotBeChanged(t *testing.T) {
	Schema()[0] = 'x'
	if Schema()[0] != '{' {
		t.Error("a caller changed the schema")
	}
}
