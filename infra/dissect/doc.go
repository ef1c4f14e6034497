// Package dissect is what others make of our packets: tests that hold the codec
// of internal/measure/stamp against two dissectors which know nothing of it,
// scapy (STAMP and its TLVs, both reading and building) and tshark (TWAMP-Test).
//
//	install        scapy, in a cache outside of the checkout
//	dissector.py   scapy's side: answers questions about packets
package dissect
