package main

import (
	"errors"
	"os"

	"ixpqos/internal/agent"
	"ixpqos/internal/program"
)

type spoolCommand struct {
	List    spoolListCommand    `cmd:"" help:"List what was set aside, and why."`
	Retry   spoolRetryCommand   `cmd:"" help:"Send set-aside files again, once what was wrong with them or with the server is mended. The probe may run."`
	Discard spoolDiscardCommand `cmd:"" help:"Delete set-aside files for good. The probe may run."`
}

type spoolFolder struct {
	State string `env:"IXPQOS_STATE" default:"/var/lib/ixpqos-probe" help:"Folder of the spool (${default})."`
}

// chosen are files of a spool: all of them only where that is said.
type chosen struct {
	spoolFolder
	All   bool     `help:"All of them."`
	Files []string `arg:"" optional:"" name:"file" help:"Names as list shows them."`
}

func (c chosen) check() error {
	if c.All == (len(c.Files) > 0) {
		return program.Usage(errors.New("name the files, as ixpqos-probe spool list shows them, or say --all"))
	}
	return nil
}

type spoolListCommand struct{ spoolFolder }

func (c spoolListCommand) Run() error { return agent.ListSpool(c.State, os.Stdout) }

type spoolRetryCommand struct{ chosen }

func (c spoolRetryCommand) Run() error {
	if err := c.check(); err != nil {
		return err
	}
	return agent.RetrySpool(c.State, os.Stdout, c.Files...)
}

type spoolDiscardCommand struct{ chosen }

func (c spoolDiscardCommand) Run() error {
	if err := c.check(); err != nil {
		return err
	}
	return agent.DiscardSpool(c.State, os.Stdout, c.Files...)
}
