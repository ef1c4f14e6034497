package agent

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"ixpqos/internal/deliver"
)

// spoolOf is the folder of the spool.
func spoolOf(state string) string { return filepath.Join(state, "spool") }

// ListSpool prints what the spool of a state folder has set aside, and why.
func ListSpool(state string, out io.Writer) error {
	spool, err := openedSpool(state)
	if err != nil {
		return err
	}
	all, err := deliver.AsideOf(spool)
	if err != nil {
		return fmt.Errorf("list what is set aside: %w", err)
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(out, "nothing is set aside")
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "FILE\tMEASURED\tRESULTS\tWHY")
	for _, a := range all {
		measured := "?"
		if !a.Start.IsZero() {
			measured = a.Start.UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\n", a.Name, measured, a.Results, clip(a.Why, maxSaid))
	}
	return table.Flush()
}

// RetrySpool has set-aside files sent again, all of them where none is named.
func RetrySpool(state string, out io.Writer, names ...string) error {
	return eachAside(state, out, deliver.SendAgain, "%d files are sent again, by the probe that runs here or at its next start\n", names)
}

// DiscardSpool deletes set-aside files, all of them where none is named.
func DiscardSpool(state string, out io.Writer, names ...string) error {
	return eachAside(state, out, deliver.Discard, "%d files are deleted\n", names)
}

func eachAside(state string, out io.Writer, do func(string, ...string) (int, error), done string, names []string) error {
	spool, err := openedSpool(state)
	if err != nil {
		return err
	}
	n, err := do(spool, names...)
	_, failed := fmt.Fprintf(out, done, n)
	return errors.Join(err, failed)
}

func openedSpool(state string) (string, error) {
	if _, err := os.Stat(spoolOf(state)); err != nil {
		return "", fmt.Errorf("there is no spool (%w): name the probe's state folder by --state, and run this as root or as the probe's user", err)
	}
	return spoolOf(state), nil
}
