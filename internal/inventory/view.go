package inventory

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// Views are, by the names of the peers, hashes of what each pair's two ends must
// agree on for packets between them to be sent to where they are answered, and
// counted as the test's that they are: both ends' addresses and reflectors, and
// the tests that one of them reflects. Both ends make the same of one inventory,
// and a change of anything else makes no other. None is 0.
func (p Part) Views() map[string]uint32 {
	views := make(map[string]uint32, len(p.Peers))
	for _, peer := range p.Peers {
		views[peer.Name] = p.view(peer)
	}
	return views
}

func (p Part) view(peer Peer) uint32 {
	lines := []string{
		end(p.Probe, p.Addresses, p.ReflectorPort, p.Stateless),
		end(peer.Name, peer.Addresses, peer.ReflectorPort, !peer.Stateful),
	}
	for _, t := range p.Tests {
		if t.Kind != KindSTAMP {
			continue // the kernel answers pings, and knows of no test
		}
		for _, way := range [][2]string{{p.Probe, peer.Name}, {peer.Name, p.Probe}} {
			if t.measuresFrom(way[0]) && t.measuresTo(way[1]) {
				lines = append(lines, fmt.Sprintf("%q from %q to %q: %v, %d flows from %d, DSCP %d, families %v", t.Name, way[0], way[1],
					t.Every, t.Flows, t.Port, t.DSCP, t.Families))
			}
		}
	}
	slices.Sort(lines) // so that it is no matter from which end, nor in which order
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return max(binary.BigEndian.Uint32(sum[:]), 1)
}

func end(name string, addresses []Address, port uint16, stateless bool) string {
	hosts := make([]string, len(addresses))
	for i, a := range addresses {
		hosts[i] = fmt.Sprintf("%d %q", a.Family, a.Host)
	}
	slices.Sort(hosts)
	return fmt.Sprintf("%q at %v, port %d, stateless %t", name, hosts, port, stateless)
}
