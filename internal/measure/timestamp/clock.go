package timestamp

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Now reads the clock that the kernel stamps with, CLOCK_REALTIME, in
// nanoseconds of Unix time.
func Now() int64 { return time.Now().UnixNano() }

// Clock asks the kernel whether something keeps its clock, and by how much it
// may be wrong at most (adjtimex(2), maxerror).
func Clock() (synchronized bool, bound time.Duration, err error) {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	if err != nil {
		return false, 0, fmt.Errorf("adjtimex: %w", err)
	}
	synchronized = state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0
	return synchronized, time.Duration(t.Maxerror) * time.Microsecond, nil
}

// ClockError is Clock for an Error Estimate: a clock that cannot be asked about
// is not synchronized.
func ClockError() (synchronized bool, bound time.Duration) {
	synchronized, bound, err := Clock()
	return synchronized && err == nil, bound
}
