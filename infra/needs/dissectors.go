package needs

import "sync"

var findScapy = sync.OnceValues(func() (python string, err error) { return find("infra/dissect/install") })

func lacksScapy() error {
	_, err := findScapy()
	return err
}

func lacksTshark() error { return run("", "tshark", "--version") }
