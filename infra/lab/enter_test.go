package lab

import (
	"net"
	"testing"
)

func TestEnterIsForOneThread(t *testing.T) {
	h := New(t).Host("inside", "198.18.0.1/24")
	listen := func() error {
		conn, err := net.ListenPacket("udp", "198.18.0.1:0")
		if err != nil {
			return err
		}
		return conn.Close()
	}
	h.Enter(t, listen)
	if listen() == nil {
		t.Error("the host's address is there outside of it")
	}
}
