// Command ixpqos-server is all of IXPQos in one process: it takes results from
// probes, stores them in the embedded database and shows them.
package main

import (
	"fmt"
	"io"
	"os"

	"ixpqos/internal/access"
	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
	"ixpqos/internal/program"
)

var version = "dev"

type commands struct {
	Serve     serveCommand     `cmd:"" default:"withargs" help:"Run the server (the default)."`
	Init      initCommand      `cmd:"" help:"Make the buckets and the tokens of an InfluxDB 2, with the token of an operator."`
	Inventory inventoryCommand `cmd:"" help:"Work with inventory files."`
	Key       keyCommand       `cmd:"" help:"Work with keys."`

	Version program.VersionFlag `help:"Print the version and end."`
}

type inventoryCommand struct {
	Check  checkCommand  `cmd:"" help:"Say whether a file is a valid inventory, and what is wrong where."`
	Schema schemaCommand `cmd:"" help:"Print the JSON Schema of inventory files, for editors."`
}

type checkCommand struct {
	File string `arg:"" help:"Inventory in YAML, or a first version's probes.json."`
}

func (c checkCommand) Run() error { return c.check(os.Stdout, os.Stderr) }

func (c checkCommand) check(out, warn io.Writer) error {
	inv, err := inventory.Load(c.File)
	if err != nil {
		return err
	}
	for _, warning := range inv.Warnings() {
		fmt.Fprintf(warn, "warning: %s: %s\n", c.File, warning)
	}
	fmt.Fprintf(out, "%s is valid: version %s, %d sites, %d links, %d probes, %d targets, %d tests\n",
		c.File, inv.Version, len(inv.Sites), len(inv.Links), len(inv.Probes), len(inv.Targets), len(inv.Tests))
	return nil
}

type schemaCommand struct{}

func (schemaCommand) Run() error {
	_, err := os.Stdout.Write(inventory.Schema())
	return err
}

type keyCommand struct {
	New newKeyCommand `cmd:"" help:"Make a key. It is printed once and kept nowhere."`
}

type newKeyCommand struct {
	Name string `arg:"" help:"Name of the probe or viewer that the key is for."`
	Role string `enum:"probe,viewer" default:"probe" help:"What the key is for: ${enum} (${default})."`
}

func (c newKeyCommand) Run() error {
	if err := ippm.CheckName(c.Name); err != nil {
		return program.Usage(fmt.Errorf("name %q %w", c.Name, err))
	}
	key, hash := access.NewKey()
	to := fmt.Sprintf("Put the key into the key file of probe %q", c.Name)
	if c.Role == inventory.RoleViewer {
		to = fmt.Sprintf("Give the key to %q", c.Name)
	}
	fmt.Printf("key:    %[1]s\nsha256: %[2]x\n\n"+
		"%[3]s; it is shown only now.\n"+
		"Put the sha256 into the %[4]s's key_sha256 in the inventory, or into the file of --keys:\n"+
		"  - {role: %[4]s, name: %[5]q, sha256: %[2]x}\n", key, hash, to, c.Role, c.Name)
	return nil
}

func main() {
	program.Main("ixpqos-server", "Takes the results of probes, stores them and shows them.", version, &commands{})
}
