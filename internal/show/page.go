package show

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"math"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"ixpqos/internal/access"
	"ixpqos/internal/inventory"
	"ixpqos/internal/store"
	"ixpqos/internal/wire"
)

//go:embed web
var web embed.FS

var pageTemplate = template.Must(template.New("page.html").ParseFS(web, "web/page.html"))

// asset serves one of the page's files, by name: a file server would list them.
func asset(w http.ResponseWriter, r *http.Request) {
	name := path.Join("web/assets", r.PathValue("name"))
	if _, err := fs.Stat(web, name); err != nil {
		access.WriteProblem(w, http.StatusNotFound, "the page has no such file")
		return
	}
	http.ServeFileFS(w, r, web, name)
}

// rendered is a page, already written.
type rendered struct {
	status int
	body   []byte
}

// page is the matrix and the probes for a person. Its query asks for a part of
// the matrix, as that of the matrix does.
func (v *Viewer) page(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	asked := selection{store.Filter{Test: query.Get("test")}, query.Get("source"), query.Get("target"), query.Get("site")}
	page, err := v.pages.of(r.Context(), fmt.Sprintf("%q", []string{asked.Test, asked.source, asked.target, asked.site}), func(ctx context.Context) (rendered, error) {
		return v.render(ctx, asked)
	})
	if err != nil {
		v.Log.Error("the page could not be written", "error", err)
		http.Error(w, "the page could not be written; the server's log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'")
	w.WriteHeader(page.status)
	w.Write(page.body) // an error here is the client's going away
}

func (v *Viewer) render(ctx context.Context, asked selection) (rendered, error) {
	now := v.Now()
	inv := v.Inventory()
	content := pageContent{Exchange: inv.Exchange, Inventory: inv.Version, At: now.UTC().Format("2006-01-02 15:04:05 UTC")}
	page := rendered{status: http.StatusOK}
	matrix, err := v.matrix(ctx, asked, now)
	if refusal := (*huma.ErrorModel)(nil); errors.As(err, &refusal) && refusal.Status == http.StatusUnprocessableEntity {
		content.TooLarge, err = true, nil
		content.Banners = append(content.Banners, "This page cannot show so much: "+refusal.Detail+", such as by ?site= at the end of this page's address.")
	}
	if err == nil {
		content.Probes, err = v.probes(ctx)
	}
	if err != nil {
		v.Log.Error("the store could not be read", "error", err)
		page.status = http.StatusServiceUnavailable
		content.Away = true
		content.Banners = []string{"The store cannot be read now; the server's log says why."}
	}
	content.Tables = tables(inv, matrix.Cells, asked.whole())
	content.Banners = append(append(content.Banners, troubles(content.Probes)...), v.invalid()...)
	var body bytes.Buffer
	err = pageTemplate.Execute(&body, content)
	page.body = body.Bytes()
	return page, err
}

// invalid are sentences on the server's files.
func (v *Viewer) invalid() (sentences []string) {
	if v.Problems == nil {
		return nil
	}
	for _, problem := range v.Problems() {
		sentences = append(sentences, "A file of the server is not valid; what it said before stays in use: "+problem.Error())
	}
	return sentences
}

type pageContent struct {
	Exchange, Inventory, At string
	Away                    bool // the store is
	TooLarge                bool // the matrix is
	Banners                 []string
	Tables                  []table
	Probes                  wire.Probes
}

// table is the matrix of one test and family.
type table struct {
	Title   string
	Targets []string
	Rows    []row
}

type row struct {
	Source string
	Cells  []pageCell
}

type tableKey struct {
	test         string
	family, dscp uint8
}

// tables are those of all tests and families. Where not all of the matrix was asked
// for, rows and columns without any pair are left out.
func tables(inv *inventory.Inventory, cells []wire.Cell, whole bool) []table {
	byKey := map[tableKey]map[[2]string]wire.Cell{}
	for _, c := range cells {
		key := tableKey{c.Test, c.Family, c.DSCP}
		if byKey[key] == nil {
			byKey[key] = map[[2]string]wire.Cell{}
		}
		byKey[key][[2]string{c.Source, c.Target}] = c
	}
	var out []table
	for _, test := range inv.Tests {
		for _, family := range test.Families {
			if pairs := byKey[tableKey{test.Name, family, test.DSCP}]; pairs != nil {
				out = append(out, newTable(title(test, family), ends(inv, pairs, whole), pairs))
			}
		}
	}
	return out
}

// ends are the sources and targets of a table.
func ends(inv *inventory.Inventory, pairs map[[2]string]wire.Cell, whole bool) (names [2][]string) {
	used := [2]map[string]bool{{}, {}}
	for pair := range pairs {
		used[0][pair[0]], used[1][pair[1]] = true, true
	}
	for _, p := range inv.Probes {
		for i := range names {
			if whole || used[i][p.Name] {
				names[i] = append(names[i], p.Name)
			}
		}
	}
	for _, target := range inv.Targets {
		if whole || used[1][target.Name] {
			names[1] = append(names[1], target.Name)
		}
	}
	return names
}

func newTable(title string, ends [2][]string, pairs map[[2]string]wire.Cell) table {
	t := table{Title: title, Targets: ends[1]}
	for _, source := range ends[0] {
		r := row{Source: source}
		for _, target := range ends[1] {
			c, ok := pairs[[2]string{source, target}]
			if !ok {
				r.Cells = append(r.Cells, pageCell{Class: "off"})
				continue
			}
			r.Cells = append(r.Cells, newPageCell(c))
		}
		t.Rows = append(t.Rows, r)
	}
	return t
}

func title(test inventory.Test, family uint8) string {
	when := "cron " + test.Cron
	if test.Every > 0 {
		when = "every " + shortDuration(test.Every)
	}
	name := fmt.Sprintf("%s · IPv%d · %s, %s of %d bytes", test.Name, family, when, packets(test), test.Size)
	if test.DSCP > 0 {
		name += fmt.Sprintf(" · DSCP %d", test.DSCP)
	}
	return name
}

// packets are those that a pair sends in an interval.
func packets(test inventory.Test) string {
	if test.Kind != inventory.KindSTAMP {
		return fmt.Sprintf("%d pings", test.Count)
	}
	n := math.Round(test.PacketRate(1) * test.Every.Seconds())
	if test.Flows == 1 {
		return fmt.Sprintf("%.0f packets", n)
	}
	return fmt.Sprintf("%.0f packets over %d flows", n, test.Flows)
}

// troubles are the sentences of all probes, each once, with who says so.
func troubles(probes wire.Probes) []string {
	var order []string
	who := map[string][]string{}
	for _, p := range probes.Probes {
		if p.Health == nil {
			continue
		}
		for _, sentence := range p.Health.Troubles {
			if who[sentence] == nil {
				order = append(order, sentence)
			}
			who[sentence] = append(who[sentence], p.Name)
		}
	}
	for i, sentence := range order {
		order[i] = strings.Join(who[sentence], ", ") + ": " + sentence
	}
	return order
}

// shortDuration is a duration without the zeros that String writes.
func shortDuration(d time.Duration) string {
	s := d.Round(time.Second).String()
	if d < time.Second {
		s = d.String()
	}
	s = strings.TrimSuffix(s, "m0s") + map[bool]string{true: "m"}[strings.HasSuffix(s, "m0s")]
	return strings.TrimSuffix(s, "h0m") + map[bool]string{true: "h"}[strings.HasSuffix(s, "h0m")]
}

// Ago is how long ago a probe was heard, for the page.
func (pageContent) Ago(age *float64) string {
	if age == nil {
		return "never"
	}
	return shortDuration(time.Duration(*age*float64(time.Second)).Round(time.Second)) + " ago"
}
