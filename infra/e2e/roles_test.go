package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// relay lets the test talk to the server, which is in another network: it
// listens on a Unix socket, which is in none, and passes on what comes.
func relay(socket, server string) error {
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	for {
		client, err := listener.Accept()
		if err != nil {
			return err
		}
		go pass(client, server)
	}
}

func pass(client net.Conn, server string) {
	defer client.Close()
	conn, err := net.DialTimeout("tcp", server, 5*time.Second)
	if err != nil {
		return // the client sees it as the end of the connection
	}
	defer conn.Close()
	go func() {
		_, _ = io.Copy(conn, client)
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(client, conn)
}

// spin keeps a processor busy, and ends by itself where nobody ends it.
func spin() {
	for began := time.Now(); time.Since(began) < bound; {
	}
}

// nobody is a user and group without any rights.
const nobody = 65534

// becomeNobody gives up root and with it all capabilities, and becomes the
// given program.
func becomeNobody(args []string) error {
	err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(nobody), syscall.Setuid(nobody), os.Unsetenv(role))
	if err != nil {
		return err
	}
	return syscall.Exec(args[0], args, os.Environ())
}

// hold keeps UDP ports busy until it is ended.
func hold(addresses []string) error {
	for _, address := range addresses {
		if _, err := net.ListenPacket("udp", address); err != nil {
			return err
		}
	}
	fmt.Println("held")
	select {}
}
