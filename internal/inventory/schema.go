package inventory

import (
	_ "embed"
	"slices"
)

//go:embed schema.json
var schema []byte

// Schema is the JSON Schema (draft 2020-12) of the YAML inventory, for editors.
// It knows what can be said of one value; that names resolve and rounds fit is
// for ParseYAML to say.
func Schema() []byte { return slices.Clone(schema) }
