// Package stamp reads and writes the packets of the Simple Two-Way Active
// Measurement Protocol, unauthenticated: the Session-Sender's and the
// Session-Reflector's (RFC 8762) with their TLVs (RFC 8972), and those of
// TWAMP-Light, with which either end may have to do (RFC 8762 section 4.6).
//
// It takes octets and gives octets: it has no socket, clock or logger. It
// promises that nothing allocates where the given buffer has room; that no
// octets whatever make it fail otherwise than by an error; that a packet, read
// and appended again, is the same to the octet; and that a reply is never
// longer than its request, unless that one is shorter than BaseSize.
package stamp
