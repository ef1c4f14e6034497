package ping

import (
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ixpqos/internal/ippm"
)

const ms = time.Millisecond

// at is a moment so long after the tally was opened.
func at(d time.Duration) moment {
	return moment{wall: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Add(d), since: d}
}

// sendAll sends the first ping and so many counted ones, a second apart.
func sendAll(count int) *tally {
	t := newTally(count)
	for seq := range count + 1 {
		t.onSend(seq, at(time.Duration(seq)*time.Second))
	}
	return t
}

func TestWhatBecomesOfPings(t *testing.T) {
	for name, c := range map[string]struct {
		happens     func(*tally)
		end         time.Duration
		interrupted bool
		want        ippm.Counts
		samples     int
		first       bool
	}{
		"all answered": {
			happens: func(t *tally) {
				for seq := range 5 {
					t.onReply(seq, ms, at(time.Duration(seq)*time.Second+ms))
				}
			},
			end: 9 * time.Second, want: ippm.Counts{Sent: 4, Received: 4}, samples: 4, first: true,
		},
		"none answered": {
			happens: func(*tally) {}, end: 9 * time.Second, want: ippm.Counts{Sent: 4, Unplaced: 4},
		},
		"only the first lost": {
			happens: func(t *tally) {
				for seq := 1; seq < 5; seq++ {
					t.onReply(seq, ms, at(time.Duration(seq)*time.Second+ms))
				}
			},
			end: 9 * time.Second, want: ippm.Counts{Sent: 4, Received: 4}, samples: 4,
		},
		"duplicates hide no loss": {
			happens: func(t *tally) {
				t.onReply(1, ms, at(time.Second+ms))
				for range 3 {
					t.onDuplicate(1)
				}
				t.onDuplicate(0)
			},
			end: 9 * time.Second, want: ippm.Counts{Sent: 4, Received: 1, Unplaced: 3, Duplicates: 3}, samples: 1,
		},
		"late is not lost and has no RTT": {
			happens: func(t *tally) {
				t.onReply(1, 2001*ms, at(3001*ms))
				t.onReply(2, 2000*ms, at(4000*ms))
			},
			end: 9 * time.Second, want: ippm.Counts{Sent: 4, Received: 1, Late: 1, Unplaced: 2}, samples: 1,
		},
		"overtaken": {
			happens: func(t *tally) {
				t.onReply(2, 100*ms, at(2100*ms))
				t.onReply(1, 1200*ms, at(2200*ms))
				t.onReply(3, ms, at(3001*ms))
				t.onReply(4, ms, at(4001*ms))
			},
			end: 9 * time.Second, want: ippm.Counts{Sent: 4, Received: 4, Reordered: 1}, samples: 4,
		},
		"cut short: the youngest are not counted": {
			happens: func(t *tally) { t.onReply(1, ms, at(1001*ms)) },
			end:     4500 * ms, interrupted: true, want: ippm.Counts{Sent: 2, Received: 1, Unplaced: 1}, samples: 1,
		},
		"a reply that no clock can have measured": {
			happens: func(t *tally) { t.onReply(1, -ms, at(1001*ms)) },
			end:     9 * time.Second, want: ippm.Counts{Sent: 4, Received: 1, Unplaced: 3}, samples: 0,
		},
		"one without the kernel's time, among others, is no sample": {
			happens: func(t *tally) {
				t.onReply(1, ms, at(1900*ms))
				t.onUntimed(2, at(2900*ms))
			},
			end: 9 * time.Second, want: ippm.Counts{Sent: 4, Received: 2, Unplaced: 2}, samples: 1,
		},
		"where none has it, all are": {
			happens: func(t *tally) {
				t.onUntimed(1, at(1001*ms))
				t.onUntimed(2, at(2001*ms))
			},
			end: 9 * time.Second, want: ippm.Counts{Sent: 4, Received: 2, Unplaced: 2}, samples: 2,
		},
		"a sequence number that was never sent": {
			happens: func(t *tally) { t.onReply(77, ms, at(ms)) },
			end:     9 * time.Second, want: ippm.Counts{Sent: 4, Unplaced: 4},
		},
	} {
		t.Run(name, func(t *testing.T) {
			books := sendAll(4)
			c.happens(books)
			got := books.outcome(at(c.end), c.interrupted)
			if diff := cmp.Diff(c.want, got.Counts); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
			if got.rtt.N != c.samples || (got.first != nil) != c.first {
				t.Errorf("%d samples, first %v; want %d, %v", got.rtt.N, got.first, c.samples, c.first)
			}
		})
	}
}

func TestRefusedPingsAreNotSent(t *testing.T) {
	books := newTally(4)
	books.onSend(0, at(0))
	books.onSend(1, at(time.Second))
	for range 30 {
		books.onRefused(syscall.EPERM) // pro-bing tries the same one again and again
	}
	books.onRefused(syscall.ENOBUFS)
	books.onSend(2, at(3*time.Second))
	got := books.outcome(at(20*time.Second), false)
	// 1 and 2 went out, 3 and 4 never did.
	if want := (ippm.Counts{Sent: 2, Unplaced: 2, Refused: 2}); got.Counts != want {
		t.Errorf("counts = %+v; want %+v", got.Counts, want)
	}
	if !errors.Is(books.sendError(), syscall.ENOBUFS) {
		t.Errorf("the reason is %v", books.sendError())
	}
	if err := newTally(4).sendError(); err != errTooSlow {
		t.Errorf("where the kernel refused nothing the reason is %v", err)
	}
	if got := newTally(4).outcome(at(0), false); got.Counts != (ippm.Counts{Refused: 4}) {
		t.Errorf("a run that sent nothing has %+v", got.Counts)
	}
	if got := newTally(4).outcome(at(0), true); got.Counts != (ippm.Counts{}) {
		t.Errorf("a run that was stopped before it began has %+v", got.Counts)
	}
}

// TestAClockThatStepsChangesNoRTT steps the wall clock between sending and
// answer: the RTT as pro-bing computes it is off by the step.
func TestAClockThatStepsChangesNoRTT(t *testing.T) {
	for _, step := range []time.Duration{-time.Hour, -ms, 0, ms, time.Hour} {
		books := sendAll(1)
		answered := at(time.Second + 3*ms)
		answered.wall = answered.wall.Add(step)
		books.onReply(1, 3*ms+step, answered)
		got := books.outcome(at(9*time.Second), false)
		if got.rtt.N != 1 || got.rtt.Min != 3000 {
			t.Errorf("step %v: %d samples, RTT %v us; want 3000", step, got.rtt.N, got.rtt.Min)
		}
	}
}
