package main

import (
	"fmt"
	"net/netip"
	"strings"

	"ixpqos/infra/lab/exchange"
)

// showFaults says what is broken and how often that struck.
func showFaults(x *exchange.Exchange) error {
	faults, err := x.Faults()
	if err != nil {
		return err
	}
	if len(faults) == 0 {
		fmt.Println("nothing is broken")
	}
	for _, f := range faults {
		fmt.Printf("%v: %s, %d packets so far\n", f.At, f.What, f.Packets)
	}
	return nil
}

// showFlows says for every member which flows crossed it.
func showFlows(x *exchange.Exchange) error {
	for _, l := range x.Links {
		for _, direction := range []exchange.Direction{exchange.Forward, exchange.Backward} {
			for member := range l.Members {
				at := exchange.Place{Link: l.Name, Member: member, Direction: direction}
				flows, err := x.Crossing(at)
				if err != nil {
					return err
				}
				fmt.Printf("\n%v: %d flows\n", at, len(flows))
				for _, line := range byHosts(flows) {
					fmt.Println("  " + line)
				}
			}
		}
	}
	return nil
}

// byHosts is a line for each pair of hosts, with the ports of its flows, which
// come in this order.
func byHosts(flows []exchange.Flow) []string {
	type pair struct{ source, destination netip.Addr }
	var lines []string
	for i := 0; i < len(flows); {
		hosts := pair{flows[i].Source, flows[i].Destination}
		var ports []string
		var packets uint64
		for ; i < len(flows) && (pair{flows[i].Source, flows[i].Destination}) == hosts; i++ {
			ports = append(ports, fmt.Sprintf("%d→%d", flows[i].SourcePort, flows[i].DestinationPort))
			packets += flows[i].Packets
		}
		lines = append(lines, fmt.Sprintf("%v → %v: ports %s, %d packets", hosts.source, hosts.destination, strings.Join(ports, " "), packets))
	}
	return lines
}
