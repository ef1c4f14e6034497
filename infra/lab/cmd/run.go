package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"ixpqos/infra/lab/exchange"
	"ixpqos/infra/lab/netns"
)

// folder has the lab's inventory, keys, logs and data.
const folder = "/run/ixplab"

type runCommand struct {
	Bin string `default:"bin" help:"Folder of ixpqos-server and ixpqos-probe (${default})."`
}

func (c runCommand) Run(ctx context.Context) (err error) {
	if os.Geteuid() != 0 {
		return errors.New("the lab is made of network namespaces: run it as root")
	}
	bin, err := filepath.Abs(c.Bin)
	if err != nil {
		return err
	}
	release, err := claim(ctx)
	if err != nil {
		return err
	}
	defer release()
	defer os.RemoveAll(folder)
	if err := os.Mkdir(folder, 0o700); err != nil {
		return err
	}
	x, err := exchange.New(prefix, exchange.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	return play(ctx, x, bin)
}

// claim sees to it that there is one lab at a time, by a socket whose name ends
// with the process (unix(7), abstract), and removes what a killed one left.
func claim(ctx context.Context) (release func(), err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "unix", "@"+prefix+"run")
	if err != nil {
		return nil, errors.New("a lab is running already: end that one with Ctrl-C first")
	}
	disconnect()
	left, err := netns.Open(prefix)
	if err == nil {
		err = errors.Join(left.Close(), os.RemoveAll(folder))
	}
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return func() { _ = listener.Close() }, nil
}

// play runs IXPQos on the exchange until ctx ends or one of its programs does.
func play(ctx context.Context, x *exchange.Exchange, bin string) error {
	defer disconnect()
	if err := manage(x); err != nil {
		return err
	}
	inventory, err := describe(x)
	if err != nil {
		return err
	}
	programs, ctx := errgroup.WithContext(ctx)
	start := func(host, program string, args ...string) {
		programs.Go(func() error {
			cmd := x.Command(ctx, host, filepath.Join(bin, program), args...)
			return execute(ctx, cmd, filepath.Join(folder, host+".log"))
		})
	}
	start(exchange.Server, "ixpqos-server", "serve", "--listen", exchange.ServerAddress+port, "--inventory", inventory,
		"--store", "sqlite:"+filepath.Join(folder, "ixpqos.db"), "--public-read")
	if err := ready(ctx, url+"/readyz"); err == nil {
		for _, p := range x.Probes {
			start(p.Name, "ixpqos-probe", "run", "--name", p.Name, "--server", url,
				"--key-file", keyFile(p.Name), "--state", filepath.Join(folder, p.Name))
		}
		fmt.Printf(welcome, url, folder)
	} else if ctx.Err() == nil {
		programs.Go(func() error { return err })
	}
	return programs.Wait()
}

const welcome = `
  The lab is running:  %s/

  The first values stand there within 20 seconds. In another terminal, as root:

    make lab-fault LINK=sw1-sw2 MEMBER=3 DIRECTION=forward LOSS=5
    make lab-fault LINK=sw2-sw3 MEMBER=0 DIRECTION=backward DELAY=1ms
    make lab-fault LINK=sw2-sw4 DEAD=1
    make lab-fault SHOW=1     what is broken, and which flows cross which member
    make lab-fault HEAL=1

  and DSCP=8, REORDER=5, DUPLICATE=5 where LOSS stands. LOSS=100 breaks a member.
  Logs are in %s. Ctrl-C ends and removes all.

`
