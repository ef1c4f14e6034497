package sender

import (
	"testing"
	"time"

	"ixpqos/infra/needs"
	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
)

// everywhere runs a scenario from p1 to p2 in virtual and in real time, over both
// families at once.
func everywhere(t *testing.T, scenario func(t *testing.T, w *world)) {
	t.Parallel()
	test := plan("flows")
	test.Families, test.Every = []uint8{4, 6}, 5*time.Second
	part := partOf([]inventory.Test{test}, "p2")
	t.Run("virtual", func(t *testing.T) { scenario(t, simulatedWith(t, part).world) })
	t.Run("real", func(t *testing.T) {
		needs.Time(t)
		scenario(t, real(t, part))
	})
}

// breakFor has something happen in a whole interval that is given, for some time,
// and tells how many packets of each direction that met.
func (w *world) breakFor(d time.Duration, happen func()) (met map[bool]int) {
	w.runInto(time.Second)
	happen()
	w.run(d)
	met = w.heal()
	w.runOut()
	return met
}

func expectNone(t *testing.T, what string, c ippm.Counts) {
	t.Helper()
	if c.Lost()+c.Late+c.Refused+c.Unserved+c.Duplicates+c.Reordered > 0 || c.Sent == 0 || c.Sent != c.Received {
		t.Errorf("%s: %+v", what, c)
	}
}

func TestLossHasItsDirection(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		met := w.breakFor(3*time.Second, func() {
			w.lose(forward, 0.2)
			w.lose(backward, 0.2)
		})
		sum := w.sum("p2")
		if met[forward] == 0 || met[backward] == 0 || sum.Forward != met[forward] || sum.Backward != met[backward] || sum.Unplaced != 0 {
			t.Errorf("%+v; lost were %d forward, %d backward", sum.Counts, met[forward], met[backward])
		}
		sum.Sent, sum.Forward, sum.Backward = sum.Received, 0, 0
		expectNone(t, "beside that", sum.Counts)
	})
}

func TestDuplicatesAreNoLoss(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		met := w.breakFor(3*time.Second, func() {
			w.duplicate(forward, 0.3)
			w.duplicate(backward, 0.3)
		})
		sum := w.sum("p2")
		if met[forward] == 0 || met[backward] == 0 || sum.Duplicates != met[forward]+met[backward] {
			t.Errorf("%d duplicates; made were %v", sum.Duplicates, met)
		}
		sum.Duplicates = 0
		expectNone(t, "beside that", sum.Counts)
	})
}

func TestRemarkingHasItsDirection(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		met := w.breakFor(2*time.Second, func() {
			w.remark(forward, 8)
			w.run(time.Second)
			w.remark(backward, 8)
		})
		sum := w.sum("p2")
		if met[forward] == 0 || met[backward] == 0 || sum.Detail.RemarkedForward != met[forward] || sum.Detail.RemarkedBackward != met[backward] {
			t.Errorf("%d remarked forward, %d backward; that were %v", sum.Detail.RemarkedForward, sum.Detail.RemarkedBackward, met)
		}
		expectNone(t, "beside that", sum.Counts)
	})
}

// TestAReflectorsRestartIsNoLoss: what it did not answer meanwhile met nobody.
func TestAReflectorsRestartIsNoLoss(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		w.breakFor(time.Second, w.restart)
		sum := w.sum("p2")
		sum.Unserved = 0
		expectNone(t, "a restart", sum.Counts)
	})
}
