package sender

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"ixpqos/internal/inventory"
	"ixpqos/internal/ippm"
	"ixpqos/internal/measure/stamp"
	"ixpqos/internal/measure/timestamp"
)

// What happens to a packet of a made-up flow.
const (
	passes = iota
	lostForward
	lostBackward
	doubledForward
	doubledBackward
	overtaken // its reply comes after the next one's
	restarted // the reflector began anew before it came
	kinds
)

// story is one flow of which it is known what happened.
type story struct {
	session *session
	books   books
	moment  Moment
	number  uint32      // of the reflector's next reply
	held    stamp.Reply // of an overtaken packet, where holds
	holds   bool

	forward, backward int // lost, as it was
	tail              int // lost since the newest answer, of which nothing can tell
	sum               ippm.Counts
	// unsure is set where not even a perfect sender could tell the direction.
	unsure bool

	spacing time.Duration
	// Around restarts nobody can tell whether packets were lost or met no reflector:
	// so many are missing there in all, and since the newest answer. The newest lives
	// of which something came began so many answers ago.
	around, sinceAnswer int
	lives               []int
	anew                bool   // it began anew since the newest answer
	top                 uint32 // the number of the newest answer
}

const storyInterval = 16 // packets

func newStory(records int, spacing time.Duration) *story {
	return &story{session: newSession(make([]record, records), make([]byte, 64), true), spacing: spacing,
		moment: Moment{Wall: 1e18, Since: time.Second}}
}

func tell(happenings []byte) *story {
	st := newStory(64, 100*time.Millisecond)
	st.books.lateness = &ippm.Delay{}
	for i, h := range happenings {
		st.packet(int(h)%kinds, uint32(i/storyInterval)+1)
		if i%storyInterval == storyInterval-1 && i/storyInterval > 0 {
			st.settle(uint32(i / storyInterval))
			st.unsure = st.unsure || st.sum.Unplaced > 0
		}
	}
	for interval := range 2 {
		st.settle(uint32(len(happenings)/storyInterval + interval))
	}
	return st
}

func (st *story) packet(what int, interval uint32) {
	before, held := st.held, st.holds
	st.holds = false
	defer func() { st.come(before, held) }()
	st.moment.Wall += int64(st.spacing)
	st.moment.Since += st.spacing
	s := st.session
	s.prepare(st.moment, st.moment.Wall, interval, 0)
	seq := s.next
	s.gone()
	switch what {
	case lostForward:
		st.forward++
		st.tail++
		return
	case restarted:
		st.number, st.unsure = 0, true
	case overtaken:
		st.unsure = true
	}
	there := stamp.TimestampOf(st.moment.Wall+1000, stamp.NTP)
	reply := stamp.Reply{Sequence: st.number, SenderSequence: seq, SenderSent: stamp.TimestampOf(st.moment.Wall, stamp.NTP), Received: there, Sent: there}
	st.number++
	switch what {
	case lostBackward:
		st.backward++
		st.tail++
		return
	case overtaken:
		st.held, st.holds = reply, true
		return
	}
	st.come(reply, true)
	switch what {
	case doubledForward:
		again := reply
		again.Sequence = st.number
		st.number++
		st.come(again, true)
	case doubledBackward:
		st.come(reply, true)
	}
}

func (st *story) come(reply stamp.Reply, comes bool) {
	if comes {
		st.tail = 0
		if rec := st.session.sent(reply.SenderSequence, reply.SenderSent); rec != nil && st.session.open(rec) {
			// It is taken before the next packet is sent.
			taken := Moment{Wall: st.moment.Wall + 2000, Since: st.moment.Since + 2000}
			st.session.arrive(rec, &reply, &timestamp.Incoming{At: taken.Wall}, taken, 0)
		}
	}
}

func (st *story) settle(interval uint32) {
	st.books.open(ippm.ID{Start: time.Unix(0, st.moment.Wall).Add(-time.Minute)}, "stamp", time.Minute, 1)
	st.books.settle(st.session, 1, interval, &spans{})
	st.sum = st.sum.Plus(st.books.close().Counts)
}

func checkStory(t *testing.T, happenings []byte) {
	t.Helper()
	st := tell(happenings)
	c := st.sum
	if c.Sent != c.Received+c.Late+c.Lost() || c.Sent+c.Unserved != len(happenings) {
		t.Fatalf("%v: %+v of %d packets", happenings, c, len(happenings))
	}
	missing := st.forward + st.backward
	if st.holds {
		missing++
	}
	if c.Lost()+c.Unserved != missing {
		t.Fatalf("%v: %+v; %d are missing", happenings, c, missing)
	}
	if st.unsure {
		return
	}
	if c.Unserved > 0 || c.Forward > st.forward || c.Backward > st.backward || c.Unplaced != st.tail {
		t.Fatalf("%v: %+v; lost were %d forward, %d backward", happenings, c, st.forward, st.backward)
	}
}

func FuzzLossOfAFlow(f *testing.F) {
	random := rand.New(rand.NewPCG(5, 6))
	for n := range 40 {
		happenings := make([]byte, 5*n)
		for i := range happenings {
			happenings[i] = byte(random.IntN(kinds))
		}
		f.Add(happenings)
	}
	f.Fuzz(func(t *testing.T, happenings []byte) {
		checkStory(t, happenings[:min(len(happenings), 2000)])
	})
}

// TestDirectionsAreRight: all of them while packets keep their order, and most of
// them while one in ten is overtaken.
func TestDirectionsAreRight(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	wrong, lost := 0, 0
	for range 300 {
		inOrder, mixed := make([]byte, 400), make([]byte, 400)
		for i := range inOrder {
			inOrder[i] = [...]byte{passes, passes, passes, passes, lostForward, lostBackward, doubledForward, doubledBackward}[random.IntN(8)]
			mixed[i] = passes
			if random.IntN(10) == 0 {
				mixed[i] = [...]byte{lostForward, lostBackward, overtaken, overtaken}[random.IntN(4)]
			}
		}
		checkStory(t, inOrder)
		st := tell(mixed)
		lost += st.forward + st.backward
		wrong += max(st.forward-st.sum.Forward, st.sum.Forward-st.forward) + st.sum.Unplaced
	}
	if 20*wrong > lost {
		t.Errorf("%d of %d in the wrong direction", wrong, lost)
	}
	t.Logf("%d of %d in the wrong direction", wrong, lost)
}

// answers notes what a packet of a made-up flow is for the lives of its reflector.
func (st *story) answers(what int, number uint32) {
	st.sinceAnswer++
	st.anew = st.anew || what == restarted
	if what == lostForward || what == lostBackward {
		return
	}
	if st.anew {
		st.around += st.sinceAnswer
		st.lives = append(st.lives, 0)
		st.unsure = st.unsure || number > st.top // nothing shows it
	}
	st.sinceAnswer, st.anew, st.top = 0, false, number
	for i := range st.lives {
		st.lives[i]++
	}
	st.lives = slices.DeleteFunc(st.lives, func(answers int) bool { return answers > 32 })
	st.unsure = st.unsure || len(st.lives) > maxStarts
}

// tellOfRestarts is a flow whose reflector begins anew now and then, and whose
// intervals are settled as those of a test with such packets are.
func tellOfRestarts(happenings []byte, every, spacing time.Duration) *story {
	st := newStory(recordsFor(every, spacing), spacing)
	st.books.lateness = &ippm.Delay{}
	per, wait := int(every/spacing), int((settleAfter+settleTicks*Tick)/spacing)
	settled := uint32(0)
	for i, h := range happenings {
		what := int(h) % kinds
		if what == overtaken {
			what = passes
		}
		number := st.number
		if what == restarted {
			number = 0
		}
		st.packet(what, uint32(i/per)+1)
		st.answers(what, number)
		for int(settled+1)*per+wait <= i {
			settled++
			st.settle(settled)
		}
	}
	for int(settled)*per < len(happenings) {
		settled++
		st.settle(settled)
	}
	return st
}

// FuzzRestartsOfAReflector: at every interval and spacing that a test may have, none
// turns a loss of one direction into that of the other, and nothing that is not
// near one into what met no reflector.
func FuzzRestartsOfAReflector(f *testing.F) {
	random := rand.New(rand.NewPCG(15, 16))
	for _, every := range []time.Duration{time.Second, 5 * time.Second, 10 * time.Second, time.Minute} {
		for _, spacing := range []time.Duration{100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, time.Second, 5 * time.Second} {
			happenings := make([]byte, 600)
			for i := range happenings {
				if random.IntN(4) == 0 {
					happenings[i] = [...]byte{lostForward, lostBackward, doubledForward, doubledBackward}[random.IntN(4)]
				}
				if random.IntN(40) == 0 {
					happenings[i] = restarted
				}
			}
			f.Add(int64(every/Tick), int64(spacing/Tick), happenings)
		}
	}
	f.Fuzz(func(t *testing.T, everyTicks, spacingTicks int64, happenings []byte) {
		spacing := time.Duration(min(max(spacingTicks, int64(inventory.MinFlowSpacing/Tick)), int64(inventory.MaxInterval/Tick))) * Tick
		every := time.Duration(min(max(everyTicks, int64(spacing/Tick)), int64(inventory.MaxInterval/Tick))) * Tick
		checkRestarts(t, happenings[:min(len(happenings), 2000)], every, spacing)
	})
}

func checkRestarts(t *testing.T, happenings []byte, every, spacing time.Duration) {
	t.Helper()
	st := tellOfRestarts(happenings, every, spacing)
	c := st.sum
	if missing := st.forward + st.backward; c.Lost()+c.Unserved != missing {
		t.Fatalf("%v each %v in %v: %+v; %d are missing", happenings, spacing, every, c, missing)
	}
	if st.unsure {
		return
	}
	if c.Forward > st.forward || c.Backward > st.backward || c.Unserved > st.around {
		t.Fatalf("%v each %v in %v: %+v; lost were %d forward, %d backward, %d near a restart", happenings, spacing, every, c, st.forward, st.backward, st.around)
	}
}

// TestRestartsAreNoticed where a session remembers few packets.
func TestRestartsAreNoticed(t *testing.T) {
	for every, spacing := range map[time.Duration]time.Duration{10 * time.Second: time.Second, 5 * time.Second: 500 * time.Millisecond, time.Minute: 6 * time.Second} {
		happenings := make([]byte, 300)
		happenings[60] = restarted
		for i := 70; i < 80; i++ {
			happenings[i] = lostForward
		}
		if c := tellOfRestarts(happenings, every, spacing).sum; c.Forward != 10 || c.Lost() != 10 || c.Unserved > 0 {
			t.Errorf("%v in %v: %+v", spacing, every, c)
		}
	}
}
