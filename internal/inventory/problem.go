package inventory

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// maxProblems is how many problems one error tells of: whoever broke a file in
// more places than that begins with these.
const maxProblems = 20

// Problem is one thing that is wrong in a configuration file. The error of a
// parse joins all that were found, in the order of the file.
type Problem struct {
	File    string
	Line    int // from 1
	Message string
}

// Error is the problem as file:line: message.
func (p Problem) Error() string {
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Message)
}

// Usage marks the problem as one in what a person asked for, not in the doing
// of it: programs end with another status.
func (Problem) Usage() {}

// problems collects what is wrong in one file.
type problems struct {
	file  string
	found []Problem
}

func (p *problems) add(line int, format string, args ...any) {
	p.found = append(p.found, Problem{File: p.file, Line: line, Message: fmt.Sprintf(format, args...)})
}

// joined is the error of all that was found, file by file; nil where that is
// nothing. What stands behind an alias may be found wrong twice and is told once.
func joined(files ...*problems) error {
	var errs []error
	told := map[Problem]bool{}
	for _, p := range files {
		slices.SortStableFunc(p.found, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
		for _, problem := range p.found {
			if !told[problem] {
				errs = append(errs, problem)
			}
			told[problem] = true
		}
	}
	if more := len(errs) - maxProblems; more > 0 {
		errs = append(errs[:maxProblems], fmt.Errorf("and %d more problems", more))
	}
	return errors.Join(errs...)
}
