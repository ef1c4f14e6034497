package sender

import (
	"errors"
	"fmt"
	"slices"
	"syscall"

	"ixpqos/internal/measure/trouble"
)

// tellTrouble says in one sentence what is wrong with a test, and an empty one
// where nothing is.
func (t *test) tellTrouble() {
	var wrong []string
	for _, err := range slices.Concat(t.unusable, t.failures) {
		wrong = append(wrong, err.Error())
	}
	for _, p := range t.pairs {
		if p != nil {
			wrong = append(wrong, p.trouble(t))
		}
	}
	for _, l := range t.lanes {
		wrong = append(wrong, l.trouble())
	}
	t.tell(trouble.Sentence(t.Name, wrong))
}

// trouble is about what has happened since it was last asked for.
func (p *pair) trouble(t *test) string {
	refusal, unreachable := p.refusal, p.unreachable
	p.refusal, p.unreachable = nil, false
	switch {
	case errors.Is(refusal, syscall.EMSGSIZE):
		return fmt.Sprintf("packets of %d bytes to %q over IPv%d are larger than the interface's MTU and may not be fragmented: lower size, or leave df away", t.Size, p.Target, p.Family)
	case refusal != nil:
		return fmt.Sprintf("the kernel refused packets to %q over IPv%d: %v", p.Target, p.Family, refusal)
	case unreachable:
		return fmt.Sprintf("%q says that nothing reflects at %s: see whether ixpqos-probe runs there, and reflector_port", p.Target, p.to)
	}
	return ""
}

// trouble is about the lane's socket.
func (l *lane) trouble() string {
	if l.socket == nil {
		return ""
	}
	if dropped := l.socket.Drops() - l.drops; dropped > 0 {
		l.drops += dropped
		return fmt.Sprintf("this host was too busy to take %d replies from the receive buffer in time", dropped)
	}
	if size := l.socket.BufferSize(); size < l.buffer {
		return fmt.Sprintf("the receive buffers have %d bytes where %d are needed: set net.core.rmem_max, or grant CAP_NET_ADMIN", size, l.buffer)
	}
	return l.socket.Doubt()
}
