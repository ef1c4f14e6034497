// Package program is what every main of the project does: read flags and
// environment, run one command until it is done or the process is told to stop,
// and end with one clear line and a status that scripts can tell apart. It is
// the one owner of kong.
package program

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// The exit statuses of all programs.
const (
	// StatusFailed: it was tried and did not work.
	StatusFailed = 1
	// StatusUsage: what was asked for, on the command line or in a configuration
	// file, is not valid; nothing was started.
	StatusUsage = 2
)

// VersionFlag is a flag that prints the program's version and ends it.
type VersionFlag = kong.VersionFlag

// ErrSaid ends a program with StatusFailed when all has been said already.
var ErrSaid = errors.New("failed")

// usageError is an error in what was asked for. Other packages mark theirs by
// the same method, Usage.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func (usageError) Usage() {}

// Usage marks an error that is one in what was asked for: StatusUsage.
func Usage(err error) error { return usageError{err} }

// Main runs the command that the arguments choose: its Run method may take a
// context, which ends at SIGINT or SIGTERM, and a *slog.Logger. It ends the process.
func Main(name, description, version string, commands any) {
	parser := kong.Must(commands, kong.Name(name), kong.Description(description), kong.Vars{"version": version})
	command, err := parser.Parse(os.Args[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v (%s --help lists what there is)\n", name, err, name)
		os.Exit(StatusUsage)
	}
	// The reader of stdout and stderr may go away before a daemon does (os/signal,
	// SIGPIPE): writing fails then, and no more.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	command.BindTo(ctx, (*context.Context)(nil))
	command.Bind(log)
	os.Exit(status(name, command.Run()))
}

func status(name string, err error) int {
	if err == nil {
		return 0
	}
	if !errors.Is(err, ErrSaid) {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
	}
	if errors.As(err, new(interface{ Usage() })) {
		return StatusUsage
	}
	return StatusFailed
}
