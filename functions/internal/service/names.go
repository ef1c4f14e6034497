package service

import (
	"net/http"
	"net/url"
	"strings"

	"ixpqos/internal/inventory"
)

// named are the paths that hold names: what stands before them and after.
var named = []struct {
	before string
	after  []string
	names  int
}{
	{"/api/v2/pairs/", []string{"/series", "/flows", "/coverage"}, 2},
	{"/api/v1/data/probe/", []string{"/last"}, 1},
	{"/backend/api/v1/data/probe/", []string{"/last"}, 1},
}

// withNames gives the paths of requests their names back: API Gateway decodes a
// path, so that a slash in a name looks like one between names. The inventory
// knows which it is. A path that was not decoded stays as it is.
func withNames(current func() *inventory.Inventory, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path := encodedPath(current(), r.URL); path != "" {
			r = r.Clone(r.Context())
			r.URL.RawPath = path
		}
		next.ServeHTTP(w, r)
	})
}

// encodedPath is empty where there is nothing to put right.
func encodedPath(inv *inventory.Inventory, u *url.URL) string {
	if strings.Contains(strings.ToUpper(u.EscapedPath()), "%2F") {
		return ""
	}
	for _, n := range named {
		rest, ok := strings.CutPrefix(u.Path, n.before)
		for _, after := range n.after {
			if middle, found := strings.CutSuffix(rest, after); ok && found && strings.Count(middle, "/") >= n.names {
				if names := split(inv, middle, n.names); names != "" {
					return n.before + names + after
				}
			}
		}
	}
	return ""
}

// split finds the names of the inventory that make up the text, and encodes them.
func split(inv *inventory.Inventory, text string, names int) string {
	if names == 1 {
		return url.PathEscape(text) // there is one, whatever it is
	}
	for i, r := range text {
		if first, second := text[:i], text[i:]; r == '/' && inv.Knows(first) && inv.Knows(second[1:]) {
			return url.PathEscape(first) + "/" + url.PathEscape(second[1:])
		}
	}
	return ""
}
