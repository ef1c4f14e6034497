package lab

import "testing"

// Enter runs do in the host's network, inside this process: sockets that it
// opens remain there when it has returned. What it starts on other goroutines
// is not there.
func (h *Host) Enter(t testing.TB, do func() error) {
	t.Helper()
	must(t, h.network.Inside(h.Name, do))
}
