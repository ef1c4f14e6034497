package ippm

// What a Session-Reflector takes at most. The engine is built by these, and an
// inventory that asks for more of a host is refused: a packet beyond them is not
// answered, which looks like loss.
const (
	// MaxSessionsPerSource is how many sessions (RFC 8972, section 3) one source
	// address may have at one reflecting address: the flows of all tests that one
	// probe sends there in one family.
	MaxSessionsPerSource = 4096
	// MaxSessions is how many sessions one reflecting host has of all sources
	// together, in both families.
	MaxSessions = 1<<16 - 1
	// MaxRequest is the longest request, in octets of UDP payload.
	MaxRequest = 9000
)
