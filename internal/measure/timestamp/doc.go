// Package timestamp is UDP sockets whose packets carry the kernel's time: when
// each came in and when each went out (kernel documentation,
// networking/timestamping.rst), sent and received in batches.
//
// What it promises: nothing is allocated for a packet; a transmit stamp names
// the packet that it belongs to, whatever the kernel refused before; a packet
// that the kernel refuses harms none of the others; an ICMP error that one
// target answered costs no packet to or from another; and where the kernel
// gives no stamps the socket works without, and says so.
//
// The sockets are file descriptors outside the runtime's poller, which every
// transmit stamp would wake: EPOLLERR cannot be masked (epoll_ctl(2)).
package timestamp
