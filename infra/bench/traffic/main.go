// Command traffic is the ends of a link that package bench measures STAMP on: a
// reflector with many addresses, a sender, bare loops of either that send the same
// packets, a generator of evenly spaced ones, and a process that only spins.
//
// What it promises: it says "ready" on stderr once it works, writes what it
// found to stdout as JSON, works until SIGTERM or as long as it is told, and
// keeps to the addresses that it is given.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// settings are the flags, of which each command uses some.
type settings struct {
	from, to                netip.Addr // the first of each side
	sources, targets, flows int
	port                    uint
	spacing, every, length  time.Duration
	origin                  int64
	rate                    int
	buffer                  int
}

// The fixed numbers of all commands.
const (
	firstPort = 61000
	size      = 128 // of an IP packet, in octets
)

var commands = map[string]func(context.Context, settings) error{
	"reflect":      reflect,
	"send":         send,
	"bare":         bare,
	"bare-reflect": bareReflect,
	"generate":     generate,
	"spin":         spin,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "traffic:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 || commands[args[0]] == nil {
		return fmt.Errorf("name a command: reflect, send, bare, bare-reflect, generate or spin")
	}
	var s settings
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.TextVar(&s.from, "from", netip.IPv4Unspecified(), "first address of the sending side")
	flags.TextVar(&s.to, "to", netip.IPv4Unspecified(), "first address of the reflecting side")
	flags.IntVar(&s.sources, "sources", 1, "number of addresses of the sending side")
	flags.IntVar(&s.targets, "targets", 1, "number of addresses of the reflecting side")
	flags.IntVar(&s.flows, "flows", 16, "source ports")
	flags.UintVar(&s.port, "port", 862, "UDP port of the reflector")
	flags.DurationVar(&s.spacing, "spacing", 250*time.Millisecond, "time between two packets of a session")
	flags.DurationVar(&s.every, "every", 10*time.Second, "length of an interval")
	flags.Int64Var(&s.origin, "origin", 0, "when an interval begins, in nanoseconds of Unix time")
	flags.IntVar(&s.rate, "rate", 1280, "packets a second, evenly spaced")
	flags.IntVar(&s.buffer, "buffer", 0, "most octets of a sender's socket buffers, as net.core.wmem_max has it; 0: no limit")
	flags.DurationVar(&s.length, "for", time.Minute, "how long to work, at most")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.length)
	defer cancel()
	return commands[args[0]](ctx, s)
}

// ready tells who started this that it works.
func ready() { fmt.Fprintln(os.Stderr, "ready") }

// tell writes what was found.
func tell(found any) error { return json.NewEncoder(os.Stdout).Encode(found) }

// addresses are so many in a row.
func addresses(first netip.Addr, n int) (all []netip.Addr) {
	for range n {
		all = append(all, first)
		first = first.Next()
	}
	return all
}
