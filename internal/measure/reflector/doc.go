// Package reflector is the STAMP Session-Reflector (RFC 8762, RFC 8972): it
// answers the packets of Session-Senders, those of TWAMP-Light too, and counts
// what it heard of the flows that it expects.
//
// What it promises: nobody is answered but the addresses that are allowed, at no
// more than a rate each; whatever comes in, sessions and memory are bounded; a
// session has its own sequence numbers, which count what was sent, and its
// replies tell by the kernel's time when the one before left; what was
// heard is told of every interval, each packet once, with how many packets the
// host may have missed, and is not told at all where clocks make it unsure; no
// stamp of a reply keeps a packet out of the receive buffer for long; and nothing
// is allocated for a packet of a session that is there.
//
// A Port answers on one socket. It waits for packets while there are few, since
// waiting is cheap and prompt, and takes them together in periods while there
// are many: the kernel's time on them makes it no matter when they are taken.
package reflector
