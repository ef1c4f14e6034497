package reflector

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// Settings say where and how is answered.
type Settings struct {
	// Addresses are the own ones.
	Addresses []netip.Addr
	Port      uint16
	// Interface is the only one that packets come and leave by; empty for any.
	Interface string
	// Stateless has replies bear the sequence numbers of their requests (RFC 8762,
	// section 4.3).
	Stateless bool
	// Rate is how many packets a second one address is answered; 0 stands for
	// DefaultRate.
	Rate int
	// Period is how often packets are taken while there are many; 0 stands for
	// DefaultPeriod. A change takes hold of ports that are opened after it.
	Period time.Duration
}

// DefaultPeriod is how often packets are taken while there are many.
const DefaultPeriod = 25 * time.Millisecond

// listening is what makes a Port another one.
type listening struct {
	local netip.AddrPort
	netif string
}

// Apply opens what is to be listened on and is not, ports that failed too, and
// closes what is no longer wanted. All others keep their sessions. It gives what
// could not be opened. Apply and Close are one goroutine's.
func (r *Reflector) Apply(s Settings) (problems []error) {
	r.mu.Lock()
	r.stateless = s.Stateless
	r.perPacket = time.Second / time.Duration(cmp.Or(s.Rate, DefaultRate))
	r.mu.Unlock()
	var wanted []listening
	for _, a := range s.Addresses {
		wanted = append(wanted, listening{netip.AddrPortFrom(a.Unmap(), s.Port), s.Interface})
	}
	for l, p := range r.ports {
		if !slices.Contains(wanted, l) || p.isOver() {
			p.close()
			delete(r.ports, l)
		}
	}
	for _, l := range wanted {
		if r.ports[l] != nil {
			continue
		}
		if err := r.open(l, cmp.Or(s.Period, DefaultPeriod)); err != nil {
			problems = append(problems, err)
		}
	}
	return problems
}

// Close ends all ports, and waits for them.
func (r *Reflector) Close() {
	for l, p := range r.ports {
		p.close()
		delete(r.ports, l)
	}
}

func (r *Reflector) open(l listening, period time.Duration) error {
	p := r.newPort()
	socket, err := r.host.Open(p.options(l))
	if err != nil {
		return openError(l, err)
	}
	p.attach(socket)
	r.ports[l] = p
	p.over = make(chan struct{})
	r.host.Trouble(l.subject(), socket.Doubt())
	go func() {
		defer close(p.over)
		err := p.run(period)
		p.Detach()
		if !errors.Is(err, net.ErrClosed) {
			r.host.Trouble(l.subject(), fmt.Sprintf("STAMP is no longer answered on %s: %v", l.local, err))
		}
	}()
	return nil
}

func openError(l listening, err error) error {
	remedy := ""
	if errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EADDRINUSE) {
		remedy = "; reflector_port in the inventory is the port"
	}
	return fmt.Errorf("STAMP is not answered on %s: %w%s", l.local, err, remedy)
}

func (l listening) subject() string { return "reflector on " + l.local.String() }

// isOver tells whether the port's goroutine has ended.
func (p *Port) isOver() bool {
	select {
	case <-p.over:
		return true
	default:
		return false
	}
}

func (p *Port) close() {
	_ = p.socket.Close() // that it fails changes nothing: it is not used again
	<-p.over
	p.reflector.host.Trouble(listening{local: p.local}.subject(), "")
}
