package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
)

// The table stands between these lines.
const markBegin, markEnd = "<!-- bench -->", "<!-- /bench -->"

// markdown is the report as README has it.
func (r report) markdown() string {
	var b strings.Builder
	b.WriteString("| what | measured | should be |\n|---|---|---|\n")
	for _, f := range r.Figures {
		bar := f.bar()
		if f.verdict() == "DOES NOT HOLD" {
			bar += ", **which does not hold**"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", f.Name, f.shown(), bar)
	}
	fmt.Fprintf(&b, "\n%s\n", r.origin())
	return b.String()
}

// updateReadme makes the table of one file from the figures in the other.
func updateReadme(readme, figures string) error {
	r, err := read(figures)
	if err != nil {
		return err
	}
	old, err := os.ReadFile(readme)
	if err != nil {
		return err
	}
	updated, err := splice(old, r.markdown())
	if err != nil {
		return fmt.Errorf("%s: %w", readme, err)
	}
	return os.WriteFile(readme, updated, 0o644)
}

// splice puts the table between the marks.
func splice(content []byte, table string) ([]byte, error) {
	before, rest, begun := bytes.Cut(content, []byte(markBegin+"\n"))
	_, after, ended := bytes.Cut(rest, []byte(markEnd+"\n"))
	if !begun || !ended {
		return nil, fmt.Errorf("it has no lines %s and %s, one after the other, for the table to stand between", markBegin, markEnd)
	}
	return fmt.Appendf(nil, "%s%s\n%s%s\n%s", before, markBegin, table, markEnd, after), nil
}
