package influxd

import (
	"errors"
	"os"
)

// Run does work with a server of its own, of the influxd at path, and ends it.
// It is for programs that are no tests.
func Run(path string, work func(*Server) error) error {
	folder, err := os.MkdirTemp("", "ixpqos-influxd-")
	if err != nil {
		return err
	}
	s, err := startIn(folder, path)
	if err == nil {
		err = work(s)
		s.process.kill()
	}
	return errors.Join(err, os.RemoveAll(folder))
}
