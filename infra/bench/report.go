package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"text/tabwriter"
	"time"
)

// report is what a run found, as it is kept.
type report struct {
	Commit  string    `json:"commit"`
	Dirty   bool      `json:"dirty"`
	Date    time.Time `json:"date"`
	Short   bool      `json:"short"`
	Go      string    `json:"go"`
	Machine machine   `json:"machine"`
	Figures []result  `json:"figures"`
	// Notes say how figures were taken, and what lies behind them.
	Notes   []string `json:"notes"`
	Samples samples  `json:"samples"`
}

// result is a figure as it came out.
type result struct {
	Name  string   `json:"name"`
	Unit  string   `json:"unit"`
	Value *float64 `json:"value"` // null where it is missing
	Bar   *bar     `json:"bar,omitempty"`
	// Missing is why there is no value.
	Missing string `json:"missing,omitempty"`
}

var errNoSamples = errors.New("no samples were taken")

// add takes up what a measurement gave.
func (r *report) add(m measurement, taken samples, err error) {
	maps.Copy(r.Samples, taken)
	for _, f := range m.figures {
		r.Figures = append(r.Figures, f.result(taken, err))
	}
}

// note keeps a sentence, once.
func (r *report) note(format string, args ...any) {
	if sentence := fmt.Sprintf(format, args...); !slices.Contains(r.Notes, sentence) {
		r.Notes = append(r.Notes, sentence)
	}
}

func (f figure) result(taken samples, err error) result {
	out := result{Name: f.name, Unit: f.unit, Bar: f.bar}
	value := math.NaN()
	if err == nil {
		value = f.value(taken)
	}
	switch {
	case err != nil:
		out.Missing = err.Error()
	case math.IsNaN(value) || math.IsInf(value, 0):
		out.Missing = errNoSamples.Error()
	default:
		out.Value = &value
	}
	return out
}

func (r report) missing() bool {
	for _, f := range r.Figures {
		if f.Value == nil {
			return true
		}
	}
	return len(r.Figures) == 0
}

func (r report) write(file string) error {
	content, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return os.WriteFile(file, append(content, '\n'), 0o644)
}

func read(file string) (r report, err error) {
	content, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(content, &r)
	}
	if err != nil {
		return r, fmt.Errorf("read the figures of make bench: %w", err)
	}
	return r, nil
}

// print is the report for a person at a terminal.
func (r report) print(to io.Writer) {
	fmt.Fprintf(to, "\n%s\n\n", r.origin())
	table := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	for _, f := range r.Figures {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", f.Name, f.shown(), f.bar(), f.verdict())
	}
	table.Flush()
	fmt.Fprintln(to)
	for _, note := range r.Notes {
		fmt.Fprintln(to, note)
	}
	for _, f := range r.Figures {
		if f.Value == nil {
			fmt.Fprintf(to, "\nMISSING: %s: %s\n", f.Name, f.Missing)
		}
	}
}

// origin is a sentence on where and when the figures were taken.
func (r report) origin() string {
	commit := r.Commit
	if r.Dirty {
		commit += " with changes"
	}
	return fmt.Sprintf("Commit %s, %s, %s, on %s.", commit, r.Date.Format(time.DateOnly), r.Go, r.Machine)
}

// shown is the value with three digits, or all that stand before its point.
func (f result) shown() string {
	if f.Value == nil {
		return "missing"
	}
	decimals := 0
	for limit := 100.0; decimals < 2 && math.Abs(*f.Value) < limit; limit /= 10 {
		decimals++
	}
	return fmt.Sprintf("%.*f %s", decimals, *f.Value, f.Unit)
}

func (f result) bar() string {
	if f.Bar == nil {
		return ""
	}
	return fmt.Sprintf("%s %s", f.Bar, f.Unit)
}

func (f result) verdict() string {
	switch {
	case f.Value == nil:
		return "MISSING"
	case f.Bar == nil:
		return ""
	case f.Bar.holds(*f.Value):
		return "holds"
	}
	return "DOES NOT HOLD"
}
