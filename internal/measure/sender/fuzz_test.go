package sender

import (
	"math/rand/v2"
	"testing"
	"time"

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
}

const storyInterval = 16 // packets

func tell(happenings []byte) *story {
	st := &story{session: newSession(make([]record, 64), make([]byte, 64), true), moment: Moment{Wall: 1e18, Since: time.Second}}
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
	st.moment.Wall += int64(100 * time.Millisecond)
	st.moment.Since += 100 * time.Millisecond
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
			// It is taken before the next packet is sent, which is 100 ms later.
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
