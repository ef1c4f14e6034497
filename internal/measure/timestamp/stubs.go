package timestamp

import "time"

type stamping uint8

// Open opens a socket.
func Open(o Options) (*Socket, error) { panic("not yet") }

// Close ends the socket, and an Await that waits on it.
func (s *Socket) Close() error { panic("not yet") }

// Send sends the packets in order, and returns how many the kernel took. It sets
// Err of each that it refused, and goes on with the next.
func (s *Socket) Send(packets []Outgoing) int { panic("not yet") }

// Receive gives what has arrived, in order and at most Batch packets, and does
// not wait. They belong to the socket until the next Receive or Await. After
// Close the error is net.ErrClosed.
func (s *Socket) Receive() ([]Incoming, error) { panic("not yet") }

// Await is a Receive that waits for a packet if none is there. It may return
// none before the timeout.
func (s *Socket) Await(timeout time.Duration) ([]Incoming, error) { panic("not yet") }

// Events gives what the error queue holds, at most Batch entries, and does not
// wait. They belong to the socket until the next Events.
func (s *Socket) Events() ([]Event, error) { panic("not yet") }

// Now reads the clock that the kernel stamps with, in nanoseconds of Unix time.
func Now() int64 { panic("not yet") }

// ClockError tells whether the kernel takes its clock to be synchronized, and
// by how much it may be wrong at most (adjtimex(2), maxerror).
func ClockError() (synchronized bool, bound time.Duration) { panic("not yet") }
