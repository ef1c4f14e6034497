package sender

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"ixpqos/infra/simulation"
)

func TestRefusedPacketsAreNotSent(t *testing.T) {
	t.Parallel()
	for _, errno := range []syscall.Errno{syscall.EPERM, syscall.EMSGSIZE} {
		v := simulated(t)
		refused := 0
		chance := share(0.3)
		v.runInto(every + time.Second)
		v.lose(forward, 0.1)
		v.lose(backward, 0.1)
		v.p1.Refuse = func(p simulation.Packet) error {
			if p.To.Addr() != v.far["p2"].addresses[0] || !chance(p) {
				return nil
			}
			refused++
			return errno
		}
		v.run(4 * time.Second)
		v.p1.Refuse = nil
		met := v.heal()
		v.run(3 * time.Second)
		told := v.troubles["flows of test flows"]
		v.runOut()
		sum := v.sum("p2").Counts.Plus(v.sum("p3").Counts)
		if refused == 0 || sum.Refused != refused || sum.Forward != met[forward] || sum.Backward != met[backward] || sum.Unplaced != 0 {
			t.Errorf("%v: %+v; refused were %d, lost %v", errno, sum, refused, met)
		}
		if !strings.Contains(told, `"p2"`) || errors.Is(errno, syscall.EMSGSIZE) != strings.Contains(told, "MTU") {
			t.Errorf("%v: trouble %q", errno, told)
		}
		if len(v.troubles) > 0 {
			t.Errorf("%v: trouble %v when it is over", errno, v.troubles)
		}
	}
}

// TestRefusalsBelongToTheirInterval: those of an interval that is settled six
// seconds later.
func TestRefusalsBelongToTheirInterval(t *testing.T) {
	t.Parallel()
	v := simulated(t)
	v.runInto(every + 0)
	v.p1.Refuse = func(simulation.Packet) error { return syscall.EPERM }
	v.run(4 * time.Second)
	v.p1.Refuse = nil
	v.runOut()
	v.runOut()
	refused := map[bool]int{}
	for i, r := range v.results("p2") {
		refused[i == 1] += r.Refused
	}
	if refused[false] > 1 || refused[true] < 4*15 {
		t.Errorf("%d refusals in that interval, %d in others", refused[true], refused[false])
	}
}

func TestDropsAreToldAndOver(t *testing.T) {
	t.Parallel()
	v := simulated(t)
	v.runInto(every + time.Second)
	v.p1.Buffer = 1
	v.run(2 * time.Second)
	v.p1.Buffer = 0
	v.run(4 * time.Second)
	if !strings.Contains(v.troubles["flows of test flows"], "too busy") {
		t.Errorf("troubles %v", v.troubles)
	}
	v.failSockets()
	v.run(every)
	if !strings.Contains(v.troubles["flows of test flows"], "source port 50000") {
		t.Errorf("troubles %v", v.troubles)
	}
	v.runOut()
	v.runOut()
	if len(v.troubles) > 0 {
		t.Errorf("troubles %v when it is over", v.troubles)
	}
}

// failSockets has the next use of all sockets fail.
func (v *virtual) failSockets() {
	for failed := 0; failed < len(v.tests[0].lanes); v.run(step) {
		for _, l := range v.tests[0].lanes {
			if l.socket != nil && l.awaited > 0 {
				l.socket.Close()
				failed++
			}
		}
	}
}
