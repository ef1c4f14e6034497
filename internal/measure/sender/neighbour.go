package sender

import "time"

// A packet to a neighbour that does not answer ARP or ND (RFC 826, RFC 4861) waits
// in this host, in the send buffer of its lane, until the kernel gives up after
// three seconds; then the next begins to wait. With many such targets the buffer is
// full, and packets to others are refused. So few packets may wait for a target.
const (
	// mayWait is how many may wait of a flow to a target that may be there: a stamp of
	// sending can get lost.
	mayWait = 3
	// waitsAtMost is for how long one is taken to wait.
	waitsAtMost = int64(4 * time.Second)
)

// waits tells whether so many packets of a flow wait for the target that no more is
// sent there now.
func (p *pair) waits(l *lane, m Moment) bool {
	s := p.sessions[l.flow]
	if p.absent {
		return s.wait(1, int64(m.Since)-waitsAtMost, int64(m.Since))
	}
	// Its packets do leave as a rule, and those to others have left since.
	return (p.leaves || p.answeredSince == 0) && s.wait(mayWait, int64(m.Since)-waitsAtMost, l.leftSince)
}

// wait tells whether the newest so many packets, which were sent after a time and
// not after another, seem not to have left this host.
func (s *session) wait(count uint32, after, upTo int64) bool {
	for seq := s.next - count; seq != s.next; seq++ {
		rec := s.records.find(seq)
		if rec == nil || rec.flags&(kernelT1|answered|notSent) != 0 || rec.sentSince <= after || rec.sentSince > upTo {
			return false
		}
	}
	return true
}

// withhold takes account of a packet that is not sent. To a neighbour that is known
// not to be there it would have been lost.
func (p *pair) withhold(flow int, t *test, m Moment) {
	if p.absent {
		p.sessions[flow].withheld.add(t.interval.number, t.second(m))
	}
}

func (p *pair) isAbsent(rec *record) {
	rec.flags |= notSent
	p.absent, p.absentSince = true, max(p.absentSince, rec.sentSince)
}

// isThere notes that a packet left for the target, or was answered.
func (p *pair) isThere(rec *record) {
	p.absent = p.absent && rec.sentSince <= p.absentSince
}
