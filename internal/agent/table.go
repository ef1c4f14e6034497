package agent

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// screen is how many columns a terminal has where nobody chose.
const screen = 80

// table is what is printed of several targets, a row each or more. A row begins
// with the name of the target and its address.
type table struct {
	header []string // of the values
	rows   []row
}

type row struct {
	target, address string
	values          []string
}

// print writes the table. Where names and addresses leave no room for it on a
// screen, they have lines of their own.
func (t table) print(out io.Writer) error {
	names, addresses := []string{"TARGET"}, []string{"ADDRESS"}
	for _, r := range t.rows {
		names, addresses = append(names, r.target), append(addresses, r.address)
	}
	lead := []int{widest(names), widest(addresses)}
	var text strings.Builder
	if widths := t.widths(); sum(lead)+sum(widths) > screen {
		t.stack(&text, widths)
	} else {
		line(&text, append(lead, widths...), append([]string{"TARGET", "ADDRESS"}, t.header...))
		for _, r := range t.rows {
			line(&text, append(lead, widths...), append([]string{r.target, r.address}, r.values...))
		}
	}
	if _, err := io.WriteString(out, text.String()); err != nil {
		return fmt.Errorf("print a table: %w", err)
	}
	return nil
}

func (t table) stack(text *strings.Builder, widths []int) {
	line(text, widths, t.header)
	before := row{}
	for _, r := range t.rows {
		if r.target != before.target || r.address != before.address {
			fmt.Fprintf(text, "%s  %s\n", r.target, r.address)
		}
		line(text, widths, r.values)
		before = r
	}
}

func (t table) widths() []int {
	widths := make([]int, len(t.header))
	for i, name := range t.header {
		column := []string{name}
		for _, r := range t.rows {
			column = append(column, r.values[i])
		}
		widths[i] = widest(column)
	}
	return widths
}

func widest(column []string) (width int) {
	for _, cell := range column {
		width = max(width, utf8.RuneCountInString(cell))
	}
	return width + 2
}

func sum(widths []int) (total int) {
	for _, w := range widths {
		total += w
	}
	return total
}

// line writes cells to the right of their columns.
func line(text *strings.Builder, widths []int, cells []string) {
	for i, cell := range cells {
		text.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)) + cell)
	}
	text.WriteByte('\n')
}

// texts are values as they are printed.
func texts(values ...any) (all []string) {
	for _, v := range values {
		all = append(all, fmt.Sprint(v))
	}
	return all
}

// printTables prints tables with an empty line between them.
func printTables(out io.Writer, tables ...table) error {
	for i, t := range tables {
		if i > 0 {
			fmt.Fprintln(out)
		}
		if err := t.print(out); err != nil {
			return err
		}
	}
	return nil
}
