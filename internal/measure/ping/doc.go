// Package ping measures by ICMP Echo (RFC 792, RFC 4443) in rounds: Count pings
// to every target side by side, once per interval. It is the one owner of
// pro-bing and knows its ways: what that library leaves to its caller, bounds,
// or gets wrong is dealt with here and nowhere else.
//
// What it promises: a round ends in bounded time; total loss gives loss and no
// round-trip time; a duplicate never hides a loss; a reply beyond the loss
// threshold is late, not lost; a ping that the own kernel refused is refused,
// not lost; a clock that steps during a round changes no round-trip time; and
// a round that is cut short counts only the pings whose fate is known.
package ping
