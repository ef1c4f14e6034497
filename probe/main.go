// Command ixpqos-probe runs on a probe host: it measures to all other probes
// and targets and sends the results to the API.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"time"

	"golang.org/x/term"

	"ixpqos/internal/agent"
	"ixpqos/internal/program"
)

var version = "dev"

type commands struct {
	Run   runCommand   `cmd:"" help:"Measure and deliver until told to stop."`
	Once  onceCommand  `cmd:"" help:"Measure one round now and print it. Exit status 1 where a target did not answer."`
	Check checkCommand `cmd:"" help:"Say line by line what is fine here and what is not. Exit status 1 where something is not."`

	Spool spoolCommand `cmd:"" help:"See to batches that were set aside: those that the server refused, and files that are broken."`

	Version program.VersionFlag `help:"Print the version and end."`
}

// settings are the flags that all commands share.
type settings struct {
	Name      string `env:"IXPQOS_NAME" help:"Name of this probe in the inventory."`
	Server    string `env:"IXPQOS_SERVER" help:"URL of the API, such as https://qos.example.net."`
	KeyFile   string `env:"IXPQOS_KEY_FILE" default:"/etc/ixpqos/probe.key" help:"File with this probe's key (${default})."`
	State     string `env:"IXPQOS_STATE" default:"/var/lib/ixpqos-probe" help:"Folder of the spool and the last good configuration (${default})."`
	Inventory string `env:"IXPQOS_INVENTORY" help:"Inventory file to go by instead of a server; results are printed."`
}

func (s settings) agent() agent.Settings {
	return agent.Settings{Name: s.Name, Server: s.Server, KeyFile: s.KeyFile, State: s.State, InventoryFile: s.Inventory, Version: version}
}

// minSpoolBytes is for a few batches of a large exchange.
const minSpoolBytes = 8 << 20

// source refuses two places to take the configuration from, of which one would
// be passed over.
func (s settings) source() error {
	if s.Server != "" && s.Inventory != "" {
		return errors.New("both --server (or IXPQOS_SERVER) and --inventory (or IXPQOS_INVENTORY) are given: a configuration comes from one of them, leave out the other")
	}
	return nil
}

type runCommand struct {
	settings
	SpoolBytes int64 `env:"IXPQOS_SPOOL_BYTES" default:"1073741824" help:"Most bytes that the spool holds; the oldest batches go first (${default})."`
}

// Validate is asked by the command line's parser.
func (c runCommand) Validate() error {
	if c.SpoolBytes < minSpoolBytes {
		return fmt.Errorf("--spool-bytes (or IXPQOS_SPOOL_BYTES) is %d; it must be at least %d, which a few batches take", c.SpoolBytes, minSpoolBytes)
	}
	return c.source()
}

func (c runCommand) Run(ctx context.Context, log *slog.Logger) error {
	s := c.agent()
	s.SpoolBytes = c.SpoolBytes
	switch {
	case s.Name == "":
		return program.Usage(errors.New("--name is missing: the name of this probe in the inventory"))
	case s.InventoryFile != "":
		return agent.Print(ctx, s, os.Stdout, log)
	case s.Server == "":
		return program.Usage(errors.New("--server is missing: the URL of the API (or --inventory FILE to measure without one)"))
	}
	return agent.Run(ctx, s, log)
}

type onceCommand struct {
	settings
	Target        []string      `help:"Name of a peer, or an address; may be repeated. All peers where absent."`
	Test          string        `help:"Test of the configuration to measure like; the first of its kind where absent."`
	Kind          string        `enum:"icmp,stamp," default:"" help:"Kind of test: icmp or stamp; icmp where neither it nor a test is named."`
	Count         int           `help:"Packets to each target, of each flow, instead of the test's or 100."`
	Spacing       time.Duration `help:"Time between two of them, instead of the test's or 100 ms."`
	Flows         int           `help:"Flows to each target, instead of the test's."`
	Size          int           `help:"Bytes of the IP packet, instead of the test's."`
	Port          uint16        `help:"First source port of flows, instead of those behind the tests' ports, or the last ones of all without a configuration."`
	ReflectorPort uint16        `help:"UDP port at which targets reflect, instead of the configuration's or 862."`
	DSCP          *uint8        `name:"dscp" help:"DSCP, 0 to 63, instead of the test's."`
	JSON          bool          `name:"json" help:"Print results as lines of JSON."`
}

// Validate is asked by the command line's parser.
func (c onceCommand) Validate() error {
	switch {
	case c.Count < 0 || c.Spacing < 0 || c.Size < 0 || c.Flows < 0:
		return errors.New("--count, --spacing, --size and --flows are more than 0")
	case c.DSCP != nil && *c.DSCP > 63:
		return fmt.Errorf("--dscp is %d: 0 to 63", *c.DSCP)
	}
	return c.source()
}

func (c onceCommand) Run(ctx context.Context, log *slog.Logger) error {
	s := agent.OnceSettings{Settings: c.agent(), Targets: c.Target, Test: c.Test, Kind: c.Kind,
		Count: c.Count, Spacing: c.Spacing, Size: c.Size, Flows: c.Flows, Port: c.Port, ReflectorPort: c.ReflectorPort, DSCP: c.DSCP, JSON: c.JSON}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		s.Progress = os.Stderr
	}
	answered, err := agent.Once(ctx, s, os.Stdout, log)
	if err == nil && !answered {
		err = program.ErrSaid
	}
	return err
}

type checkCommand struct{ settings }

// Validate is asked by the command line's parser.
func (c checkCommand) Validate() error {
	if c.Name == "" || c.Server == "" && c.Inventory == "" {
		return errors.New("check needs --name, and --server or --inventory")
	}
	return c.source()
}

func (c checkCommand) Run(ctx context.Context, log *slog.Logger) error {
	if !agent.Check(ctx, c.agent(), os.Stdout, log) {
		return program.ErrSaid
	}
	return nil
}

func main() {
	// Waking up is most of what a probe does, and with a second processor Go wakes
	// a second thread each time to look for work that is not there. That the kernel
	// takes the times makes it no matter who waits for whom here.
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1)
	}
	program.Main("ixpqos-probe", "Measures the quality of an exchange's fabric from this host.", version, &commands{})
}
