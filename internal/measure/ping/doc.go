// Package ping measures by ICMP Echo (RFC 792, RFC 4443) in rounds: Count pings
// to every target side by side, once per interval.
//
// It is the one owner of pro-bing and knows its ways: what that library leaves
// to its caller, bounds, or gets wrong is dealt with here and nowhere else.
// pro-bing sends the first ping of a round, the one that pays for address
// resolution and is not counted. Those that count leave by a socket of ours:
// pro-bing opens its own, times by the wall clock when it gets to run, asks not
// who answered, and cannot bind to an interface (where one is named, the first
// ping is ours too). Ours carry the kernel's time of leaving and of coming, so
// that a busy host does not look like a slow fabric.
//
// What it promises: a round ends in bounded time; total loss gives loss and no
// round-trip time; a duplicate never hides a loss; a reply beyond the loss
// threshold is late, not lost; one from another address than was asked is none;
// a ping that the own kernel refused is refused, not lost; a clock that steps
// during a round changes no round-trip time; and a round that is cut short waits
// for what is on its way, counts all that it sent, and is told as missed.
package ping
