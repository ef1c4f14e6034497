package sender

// point is an answered packet: its number and the first and last of the
// numbers that the reflector gave its replies.
type point struct {
	seq       int64
	low, high int64
	life      uint8
}

// beginning stands before the first packet of a session: both ends count from 0.
var beginning = point{seq: -1, low: -1, high: -1}

// gap is where packets are missing: those after one number and before another
// that are not answered.
type gap struct {
	after, before int64
	fate
}

// fate says what became of the packets of a gap: so many were lost forward, and
// then so many backward, and the rest met no reflector.
type fate struct{ forward, backward int64 }

// gaps are the places between the points, in order of sequence numbers, where
// packets are missing, and what became of these (RFC 8762, section 4: a stateful
// reflector counts what it receives).
//
// The points fall into runs: no number of the reflector's in a run is above one
// in a later run. Between two runs the missing packets are as many as the two
// sequence numbers say, and those that the reflector's numbers leave out were
// received and answered: their replies are lost. Within a run of more than one
// point, where packets overtook each other, the same is true of it as a whole.
func gaps(dst []gap, points []point) []gap {
	begin := 0
	for i := 1; i <= len(points); i++ {
		if i < len(points) && points[i].life == points[begin].life {
			continue
		}
		dst = gapsOfLife(dst, points[begin:i])
		if i < len(points) {
			dst = gapOfRestart(dst, points[i-1], points[i:])
		}
		begin = i
	}
	return dst
}

func gapsOfLife(dst []gap, points []point) []gap {
	for len(points) > 0 {
		n := runLength(points)
		dst = gapsOfRun(dst, points[:n])
		if n < len(points) {
			end, next := points[n-1], points[n]
			dst = appendGap(dst, end.seq, next.seq, lowest(points[n:n+runLength(points[n:])])-highest(points[:n])-1)
		}
		points = points[n:]
	}
	return dst
}

// runLength is how many points the first run has.
func runLength(points []point) int {
	top := points[0].high
	n := 1
	for i := 1; i < len(points); i++ {
		if points[i].low < top {
			n = i + 1
			top = max(top, highest(points[:n]))
		}
	}
	return n
}

func gapsOfRun(dst []gap, run []point) []gap {
	unseen := highest(run) - lowest(run) + 1
	for _, p := range run {
		unseen -= min(p.high-p.low, 1) + 1
	}
	for i := 1; i < len(run); i++ {
		missing := run[i].seq - run[i-1].seq - 1
		here := min(max(unseen, 0), missing)
		dst = appendGap(dst, run[i-1].seq, run[i].seq, here)
		unseen -= here
	}
	return dst
}

// appendGap adds a gap of which the reflector's numbers leave so many out.
func appendGap(dst []gap, after, before, unseen int64) []gap {
	missing := before - after - 1
	if missing == 0 {
		return dst
	}
	backward := min(max(unseen, 0), missing)
	return append(dst, gap{after, before, fate{forward: missing - backward, backward: backward}})
}

// gapOfRestart lies between the last answer of a reflector's life and the first
// of its next, in which it counts from 0: what it has not counted met none.
func gapOfRestart(dst []gap, end point, next []point) []gap {
	missing := next[0].seq - end.seq - 1
	if missing == 0 {
		return dst
	}
	return append(dst, gap{end.seq, next[0].seq, fate{backward: min(next[0].low, missing)}})
}

func lowest(points []point) int64 {
	low := points[0].low
	for _, p := range points {
		low = min(low, p.low)
	}
	return low
}

func highest(points []point) int64 {
	high := points[0].high
	for _, p := range points {
		high = max(high, p.high)
	}
	return high
}

// excess is by how many more than there were packets the reflector's numbers go on
// at most in one of its lives.
func excess(points []point) (most int64) {
	for begin := 0; begin < len(points); {
		end := begin + 1
		for end < len(points) && points[end].life == points[begin].life {
			end++
		}
		life := points[begin:end]
		most = max(most, highest(life)-life[0].low-(life[len(life)-1].seq-life[0].seq))
		begin = end
	}
	return most
}
