package needs

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// findInfluxd asks the script that knows where an influxd may be. It never
// builds one: a test has no time for that.
var findInfluxd = sync.OnceValues(func() (path string, err error) {
	script, err := inCheckout("infra/influx/influxd")
	if err != nil {
		return "", err
	}
	cmd := exec.Command(script, "--find")
	said, err := cmd.Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return "", errors.New(strings.TrimSpace(string(failed.Stderr)))
	}
	return strings.TrimSpace(string(said)), err
})

func lacksInfluxd() error {
	if os.Getenv("INFLUX_URL") != "" {
		return nil
	}
	_, err := findInfluxd()
	return err
}

// inCheckout finds a file of the checkout around the working folder.
func inCheckout(name string) (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return filepath.Join(folder, name), nil
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return "", errors.New("the tests do not run in a checkout")
		}
		folder = parent
	}
}
