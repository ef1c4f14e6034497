package sender

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"

	"ixpqos/internal/inventory"
	"ixpqos/internal/measure/timestamp"
	"ixpqos/internal/measure/trouble"
)

// tellTrouble says in one sentence what is wrong with a test, and an empty one
// where nothing is.
func (t *test) tellTrouble() {
	var wrong []string
	for _, err := range t.unusable {
		wrong = append(wrong, err.Error())
	}
	wrong = append(wrong, portTroubles(t.failures)...)
	for _, p := range t.pairs {
		if p != nil {
			wrong = append(wrong, p.trouble(t))
			wrong = append(wrong, p.told.sentences(p)...)
			p.told = told{}
		}
	}
	t.tell(trouble.Sentence(t.Name, append(wrong, t.socketTroubles()...)))
}

// failure is why a lane cannot be used.
type failure struct {
	family uint8
	port   uint16
	err    error
}

// portTroubles tells of neighbouring ports with the same error number in one
// sentence: that of the first.
func portTroubles(failures []failure) (sentences []string) {
	for len(failures) > 0 {
		first, n := failures[0], 1
		for n < len(failures) && failures[n].continues(failures[n-1]) {
			n++
		}
		ports := fmt.Sprintf("port %d", first.port)
		if n > 1 {
			ports = fmt.Sprintf("ports %d to %d", first.port, failures[n-1].port)
		}
		sentences = append(sentences, fmt.Sprintf("source %s over IPv%d: %v", ports, first.family, first.err))
		failures = failures[n:]
	}
	return sentences
}

func (f failure) continues(before failure) bool {
	var why, whyBefore syscall.Errno
	same := errors.As(f.err, &why) && errors.As(before.err, &whyBefore) && why == whyBefore
	return same && f.family == before.family && f.port == before.port+1
}

// trouble is about what has happened since it was last asked for.
func (p *pair) trouble(t *test) string {
	refusal, unreachable := p.refusal, p.unreachable
	p.refusal, p.unreachable = nil, false
	switch {
	case errors.Is(refusal, syscall.EMSGSIZE):
		return fmt.Sprintf("packets of %d bytes to %q over IPv%d are larger than the interface's MTU and may not be fragmented: lower size, or leave df away", t.Size, p.Target, p.Family)
	case errors.Is(refusal, syscall.EAGAIN), errors.Is(refusal, syscall.ENOBUFS):
		return fmt.Sprintf("the send buffers were full, so packets to %q over IPv%d were not sent: set net.core.wmem_max=%d by sysctl, or grant CAP_NET_ADMIN", p.Target, p.Family, wantedBuffer)
	case refusal != nil:
		return fmt.Sprintf("the kernel refused packets to %q over IPv%d: %v", p.Target, p.Family, refusal)
	case unreachable:
		return fmt.Sprintf("%q says that nothing reflects at %s: see whether ixpqos-probe runs there, and reflector_port", p.Target, p.to)
	}
	return ""
}

// socketTroubles are of all lanes together: what is wrong with one is seldom
// wrong with it alone.
func (t *test) socketTroubles() (sentences []string) {
	dropped := uint64(0)
	receive, send := shortage{buffers: "receive", setting: "rmem_max"}, shortage{buffers: "send", setting: "wmem_max"}
	for _, l := range t.lanes {
		if l.socket == nil {
			continue
		}
		dropped += l.dropped()
		receive.see(l.socket.BufferSize(), l.buffer)
		send.see(l.socket.SendBufferSize(), l.buffer)
		sentences = append(sentences, l.socket.Doubt())
	}
	if dropped > 0 {
		sentences = append(sentences, fmt.Sprintf("this host was too busy to take %d replies from the receive buffers in time", dropped))
	}
	return append(sentences, receive.sentence(), send.sentence())
}

// shortage is of buffers of one kind that are too small.
type shortage struct {
	buffers, setting string
	needed, had      int // by the one that is the most wanted; 0 for none
}

func (s *shortage) see(had, needed int) {
	if had < needed && needed > s.needed {
		s.needed, s.had = needed, had
	}
}

func (s *shortage) sentence() string {
	if s.needed == 0 {
		return ""
	}
	return fmt.Sprintf("the %s buffers have %d bytes where %d are needed: set net.core.%s=%d by sysctl, or grant CAP_NET_ADMIN", s.buffers, s.had, s.needed, s.setting, wantedBuffer)
}

// CheckBuffers tells whether this host gives a socket the buffers that a test over
// so many pairs needs.
func CheckBuffers(t inventory.Test, pairs int) error {
	local := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0)
	if slices.Equal(t.Families, []uint8{6}) {
		local = netip.AddrPortFrom(netip.IPv6Loopback(), 0)
	}
	socket, err := timestamp.Open(timestamp.Options{Local: local, Buffer: wantedBuffer, Batch: 1, MaxPacket: 1})
	if err != nil {
		return err
	}
	needed := bufferFor(t, (pairs+len(t.Families)-1)/max(len(t.Families), 1))
	receive, send := shortage{buffers: "receive", setting: "rmem_max"}, shortage{buffers: "send", setting: "wmem_max"}
	receive.see(socket.BufferSize(), needed)
	send.see(socket.SendBufferSize(), needed)
	if wrong := slices.DeleteFunc([]string{receive.sentence(), send.sentence()}, func(s string) bool { return s == "" }); len(wrong) > 0 {
		err = errors.New(strings.Join(wrong, "; "))
	}
	return errors.Join(err, socket.Close())
}

// dropped is how many replies the kernel dropped since it was last asked for.
func (l *lane) dropped() uint64 {
	n := l.socket.Drops() - l.drops
	l.drops += n
	return n
}
