package ippm

// What a Session-Reflector keeps. The engine keeps to these, and an inventory may
// not ask for more: what a reflector has no room for would look like loss.
const (
	// MaxSessionsPerSource is for how many sessions of one address it keeps sequence
	// numbers.
	MaxSessionsPerSource = 4096
	// MaxSessions is for how many of all addresses: one less than 16 bits, by which
	// its transmit stamps know a session, can tell apart.
	MaxSessions = 1<<16 - 1
)
