// Package lab builds exchanges out of network namespaces for tests: hosts of
// their own, joined by a switch, or an Exchange of several sites joined by
// bundles, as package exchange describes it.
//
// A lab is usable at once: when Host returns, the link is up, the switch
// forwards and every address is valid. Its names are its own, so tests and test
// processes run side by side. At the end of the test nothing is left of it, and
// of the processes only those are ended that run inside its namespaces. A test
// process that was itself killed leaves its namespaces to the next lab, which
// removes them.
package lab

import (
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"ixpqos/infra/lab/netns"
	"ixpqos/infra/needs"
)

// family begins the names of all labs; the id of the test process follows.
const family = "ixpqos-"

// made counts the labs of this process.
var made atomic.Int64

// Lab is one switch and the hosts on it. Host may not be called from two
// goroutines at once.
type Lab struct {
	t       testing.TB
	network *netns.Network
	ports   int
}

// New makes a lab with a switch and no hosts, which lives as long as the test.
// It skips the test where the machine cannot have one.
func New(t testing.TB) *Lab {
	t.Helper()
	l := &Lab{t: t, network: netns.New(prefix(t))}
	t.Cleanup(func() { complain(t, l.network.Close()) })
	must(t, l.network.AddSwitch("switch"))
	return l
}

// prefix is that of a new lab's namespaces. It skips the test where the machine
// cannot have them, and removes what killed test processes left.
func prefix(t testing.TB) string {
	t.Helper()
	needs.Netns(t)
	must(t, netns.Sweep(family))
	return fmt.Sprintf("%s%d-%d-", family, os.Getpid(), made.Add(1))
}

// must ends the test where something of the lab failed.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("lab: %v", err)
	}
}

// complain fails the test, and goes on.
func complain(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("lab: %v", err)
	}
}
