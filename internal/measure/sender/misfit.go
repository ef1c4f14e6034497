package sender

import (
	"fmt"
	"net/netip"
	"strings"

	"ixpqos/internal/measure/stamp"
)

// misfit is why a reply that came was not taken.
type misfit uint8

const (
	otherPort misfit = iota
	otherAddress
	otherSSID
	notEchoed
	tooLate
	misfits // how many there are
)

// told is what is told of a pair, since it was last asked for.
type told struct {
	taken     int // replies
	misfits   [misfits]int
	elsewhere string // where the newest came from that came from elsewhere
	unread    int    // replies that are none
	unreadBy  error

	uncounted int // flows with losses that the reflector's numbers do not place
	untimed   int // packets whose times cannot be
}

func (p *pair) misfit(why misfit, from string) {
	p.misfits[why]++
	if from != "" {
		p.elsewhere = from
	}
}

// mostMisfits is how many are looked into in a tick: each costs a look at all
// pairs, and anybody can send them.
const mostMisfits = 64

// looksInto tells whether one more misfit is looked into in this tick.
func (t *test) looksInto() bool {
	t.misfits++
	return t.misfits <= mostMisfits
}

// unreadable notes what a target answered that is no reply.
func (t *test) unreadable(from netip.AddrPort, err error) {
	if !t.looksInto() {
		return
	}
	if p := t.pairTo(from); p != nil {
		p.unread++
		p.unreadBy = err
	}
}

// misfit notes a reply that did not come from where its pair, if its SSID is that
// of one, was sent to. One whose pair is not found that way, or which may be
// anybody's, is looked for by what it echoes: nobody else knows that.
func (l *lane) misfit(t *test, p *pair, reply *stamp.Reply, from netip.AddrPort) {
	if !t.looksInto() {
		return
	}
	if of := t.pairTo(from); of != nil && p == nil {
		of.misfit(otherSSID, "")
		return
	}
	for _, p := range t.pairs {
		if p == nil || p.Family != l.family || p.sessions[l.flow].sent(reply.SenderSequence, reply.SenderSent) == nil {
			continue
		}
		if p.to.Addr() == from.Addr() {
			p.misfit(otherPort, fmt.Sprint(from.Port()))
		} else {
			p.misfit(otherAddress, from.Addr().String())
		}
		return
	}
}

// rare is what share of replies need not be told of if they do not fit: those to
// a process that ran before, or what somebody made up.
const rare = 20

// sentences say what is wrong with what the target answers.
func (n *told) sentences(p *pair) (all []string) {
	if n.unread*rare > n.taken {
		all = append(all, fmt.Sprintf("%q answers at %s, but not as STAMP or TWAMP-Light: %v", p.Target, p.to, n.unreadBy))
	}
	if wrong := n.misfit(p); len(wrong) > 0 {
		all = append(all, fmt.Sprintf("%q answers, but not with what was asked at %s: %s", p.Target, p.to, strings.Join(wrong, ", ")))
	}
	if n.uncounted > 0 {
		all = append(all, fmt.Sprintf("the reflector of %q does not count the packets of each session apart (RFC 8762, section 4.3.1): in which direction packets were lost is not known", p.Target))
	}
	if n.untimed*rare > n.taken {
		all = append(all, fmt.Sprintf("%d replies of %q have no round-trip time, since their times cannot be (T3 before T2, or further apart than the reply took to come): see its clock, and whether it keeps to one format of timestamps", n.untimed, p.Target))
	}
	return all
}

// misfit tells how many replies did not fit, by reason.
func (n *told) misfit(p *pair) (wrong []string) {
	for why, text := range [misfits]string{
		otherPort:    fmt.Sprintf("from port %s and not %d", n.elsewhere, p.to.Port()),
		otherAddress: fmt.Sprintf("from %s", n.elsewhere),
		otherSSID:    "of another session (SSID)",
		notEchoed:    "do not bear the number and time of a packet that was sent",
		tooLate:      fmt.Sprintf("more than %v after their interval", settleAfter),
	} {
		if count := n.misfits[why]; count*rare > n.taken {
			wrong = append(wrong, fmt.Sprintf("%d replies %s", count, text))
		}
	}
	return wrong
}
