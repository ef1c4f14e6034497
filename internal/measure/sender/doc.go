// Package sender is the STAMP Session-Sender (RFC 8762, RFC 8972): it measures
// from one probe to all targets of its tests, over many flows, and gives the
// results of every interval.
//
// One socket a source port and family is shared by all targets. A tick drains
// what the kernel has (transmit stamps, then replies) and sends what is due;
// nothing wakes up in between, and nothing is allocated for a packet. The time
// of a packet is the kernel's at all four points where it can be had, so that it
// does not matter when a tick comes.
//
// What it promises: whatever clocks, sleeps and ticks do, no more is sent at once
// than two ticks' worth; a packet belongs to the interval of the timestamp that
// it carries, here as at the reflector; an interval is given once, after all of
// its packets have had LossThreshold and, but at its test's end, three seconds
// more, and only if its clock did not step and no pause took more than half of it;
// a reflector that restarts or is not there is no loss of the network; no direction
// of loss is claimed that the reflector's numbers contradict; and a target that is
// not there costs the others nothing.
//
// A Sender has no goroutine: who owns it calls Apply and Tick, in turn.
package sender
