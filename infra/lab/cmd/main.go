// Command cmd is the lab for a person: an exchange of package exchange with
// IXPQos on it, which another terminal can break and heal while it runs.
//
//	make lab
//	make lab-fault LINK=sw1-sw2 MEMBER=3 DIRECTION=forward LOSS=5
//
// What it promises: it needs root and stays on this machine; there is one at a
// time; nothing of it is left when it ends, and what a killed one left is
// removed by the next.
package main

import "ixpqos/internal/program"

// prefix is that of the lab's namespaces.
const prefix = "ixplab-"

type commands struct {
	Run   runCommand   `cmd:"" help:"Make the exchange, a server and probes, until Ctrl-C."`
	Fault faultCommand `cmd:"" help:"Break something in the exchange that runs, heal it, or show what is broken and which flows cross which member."`
}

func main() {
	program.Main("ixpqos-lab", "An exchange in network namespaces to play with.", "", &commands{})
}
