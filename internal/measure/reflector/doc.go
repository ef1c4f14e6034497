// Package reflector is the STAMP Session-Reflector (RFC 8762, RFC 8972): it
// answers the packets of Session-Senders, those of TWAMP-Light too, and counts
// what it heard of the flows that it expects.
//
// What it promises: nobody is answered but the addresses that are allowed, at no
// more than a rate each; whatever comes in, sessions and memory are bounded; a
// session has its own sequence numbers, which count what was received, and its
// replies tell by the kernel's time when the one before left; what is said to
// have been heard is of whole intervals, each packet once, and is not said at all
// where it is not sure; and nothing is allocated for a packet of a session that
// is there.
//
// A Port answers on one socket. It waits for packets while there are few, since
// waiting is cheap and prompt, and takes them together in periods while there
// are many: the kernel's time on them makes it no matter when they are taken.
package reflector
