package show_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestTimesThatAreNone: who writes a time wrong learns how to write it.
func TestTimesThatAreNone(t *testing.T) {
	s := serve(t, exchange)
	for _, parameter := range []string{"matrix?at", "pairs/p1/p2/series?from", "pairs/p1/p2/series?until", "pairs/p1/p2/flows?from", "pairs/p1/p2/flows?until"} {
		for _, c := range []struct{ time, want string }{
			{"yesterday", "write a time as RFC 3339 does, such as 2026-11-24T10:00:00Z"},
			{"1772366400", "write a time as RFC 3339 does, such as 2026-11-24T10:00:00Z"},
			{"2026-11-24", "write a time as RFC 3339 does, such as 2026-11-24T10:00:00Z"},
			{"2026-11-24T10:00:00", "write a time as RFC 3339 does, such as 2026-11-24T10:00:00Z"},
			{"2026-11-24 10:00:00", "write a time as RFC 3339 does, such as 2026-11-24T10:00:00Z"},
			{"2026-11-24T10:00:00 01:00", "write a time as RFC 3339 does, such as 2026-11-24T10:00:00Z; the + of an offset is %2B in a URL"},
		} {
			got := s.get(t, "/api/v2/"+parameter+"="+url.QueryEscape(c.time))
			_, name, _ := strings.Cut(parameter, "?")
			got.isProblem(t, http.StatusUnprocessableEntity, "; query."+name+": invalid value: "+c.want)
			if strings.Contains(got.body, "2006") {
				t.Errorf("%s=%s shows how Go describes a time: %s", parameter, c.time, got.body)
			}
		}
	}
}

// TestTimesAreDescribed: the document says of times what it says of those in answers.
func TestTimesAreDescribed(t *testing.T) {
	s := serve(t, exchange)
	var doc struct {
		Paths map[string]map[string]struct {
			Parameters []struct {
				Name   string
				Schema map[string]any
			}
		}
	}
	s.get(t, "/openapi.json").into(t, &doc)
	times := 0
	for path, operations := range doc.Paths {
		for _, p := range operations["get"].Parameters {
			if p.Name != "at" && p.Name != "from" && p.Name != "until" {
				continue
			}
			times++
			if text, _ := json.Marshal(p.Schema); p.Schema["type"] != "string" || p.Schema["format"] != "date-time" || !strings.Contains(string(text), `"examples":["2026-11-24T10:00:00Z"]`) {
				t.Errorf("%s: %s is %s", path, p.Name, text)
			}
		}
	}
	if times != 5 {
		t.Errorf("%d times are described; want 5", times)
	}
}
