package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"ixpqos/infra/lab/exchange"
)

// overtaken is how long reordering holds a packet back: longer than the time to
// the next one of a flow of the lab's own test.
const overtaken = 400 * time.Millisecond

type faultCommand struct {
	Link      string `help:"Link, such as sw1-sw2."`
	Member    *int   `help:"Number of the member, from 0."`
	Direction string `help:"forward (from the switch that the link's name has first) or backward."`

	Loss      *float64       `help:"Percent of the packets to lose; 100 breaks the member."`
	Delay     *time.Duration `help:"Time to hold every packet back, such as 1ms."`
	DSCP      *int           `name:"dscp" help:"DSCP to give to packets, 0 to 63."`
	Reorder   *float64       `help:"Percent of the packets that the next ones overtake."`
	Duplicate *float64       `help:"Percent of the packets that arrive twice."`
	Dead      bool           `help:"The whole link is dead: every member, in both directions."`
	Heal      bool           `help:"Remove every fault."`
	Show      bool           `help:"Show faults with how many packets they touched, and which flows crossed which member."`
}

// Validate is asked by the command line's parser.
func (c faultCommand) Validate() error {
	broken := len(c.faults()) > 0
	asked := 0
	for _, is := range []bool{broken, c.Dead, c.Heal, c.Show} {
		if is {
			asked++
		}
	}
	place := c.place()
	switch {
	case asked == 0:
		return errors.New("what to do is missing: LOSS, DELAY, DSCP, REORDER, DUPLICATE or DEAD of a link, or HEAL=1, or SHOW=1")
	case asked > 1:
		return errors.New("a fault of a member, DEAD, HEAL and SHOW are one command each")
	case (c.Heal || c.Show) && len(place) > 0:
		return fmt.Errorf("HEAL and SHOW are for the whole exchange: leave out %s", strings.Join(place, ", "))
	case c.Dead && c.Link == "":
		return errors.New("the link is missing: LINK=sw1-sw2")
	case c.Dead && len(place) > 1:
		return fmt.Errorf("DEAD is for a whole link: leave out %s", strings.Join(place[1:], ", "))
	case broken && (c.Link == "" || c.Member == nil || c.Direction == ""):
		return errors.New("where the fault is to be is missing: LINK=sw1-sw2 MEMBER=3 DIRECTION=forward")
	}
	return nil
}

// place names what is given of where a fault is to be.
func (c faultCommand) place() (given []string) {
	if c.Link != "" {
		given = append(given, "LINK")
	}
	if c.Member != nil {
		given = append(given, "MEMBER")
	}
	if c.Direction != "" {
		given = append(given, "DIRECTION")
	}
	return given
}

// faults are those of a member that are asked for.
func (c faultCommand) faults() (wanted []func(*exchange.Exchange, exchange.Place) error) {
	if c.Loss != nil {
		wanted = append(wanted, func(x *exchange.Exchange, at exchange.Place) error { return x.Lose(at, *c.Loss) })
	}
	if c.Delay != nil {
		wanted = append(wanted, func(x *exchange.Exchange, at exchange.Place) error { return x.Delay(at, *c.Delay) })
	}
	if c.DSCP != nil {
		wanted = append(wanted, func(x *exchange.Exchange, at exchange.Place) error { return x.Remark(at, *c.DSCP) })
	}
	if c.Reorder != nil {
		wanted = append(wanted, func(x *exchange.Exchange, at exchange.Place) error { return x.Reorder(at, *c.Reorder, overtaken) })
	}
	if c.Duplicate != nil {
		wanted = append(wanted, func(x *exchange.Exchange, at exchange.Place) error { return x.Duplicate(at, *c.Duplicate) })
	}
	return wanted
}

func (c faultCommand) Run() error {
	if os.Geteuid() != 0 {
		return errors.New("the lab is made of network namespaces: run this as root")
	}
	x, err := exchange.Open(prefix)
	if errors.Is(err, exchange.ErrNone) {
		return fmt.Errorf("%w: start one with make lab, in another terminal", err)
	}
	if err != nil {
		return err
	}
	switch {
	case c.Heal:
		_, err = x.Heal()
	case c.Dead:
		err = x.Kill(c.Link)
	case !c.Show:
		err = c.breakMember(x)
	}
	if err != nil {
		return err
	}
	if err := showFaults(x); err != nil || !c.Show {
		return err
	}
	return showFlows(x)
}

func (c faultCommand) breakMember(x *exchange.Exchange) error {
	at := exchange.Place{Link: c.Link, Member: *c.Member, Direction: exchange.Direction(c.Direction)}
	for _, install := range c.faults() {
		if err := install(x, at); err != nil {
			return err
		}
	}
	return nil
}
