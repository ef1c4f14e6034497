package show

import (
	"errors"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// Moment is a time in a query. It is there because huma tells whoever writes a
// time.Time wrong how Go describes times; exported for huma, as FilterInput is.
type Moment struct{ time.Time }

const momentExample = "2026-11-24T10:00:00Z"

// UnmarshalText reads a time as RFC 3339 has it.
func (m *Moment) UnmarshalText(text []byte) (err error) {
	if m.Time, err = time.Parse(time.RFC3339, string(text)); err == nil {
		return nil
	}
	advice := "write a time as RFC 3339 does, such as " + momentExample
	meant := strings.Replace(string(text), " ", "+", 1) // what a + of a query stands for
	if _, err := time.Parse(time.RFC3339, meant); err == nil {
		advice += "; the + of an offset is %2B in a URL"
	}
	return errors.New(advice)
}

// Schema describes it as times in answers are described.
func (*Moment) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time", Examples: []any{momentExample}}
}
