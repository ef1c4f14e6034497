package needs

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// find asks a script of the checkout where what it installs or builds is. It
// never does that here: a test has no time for it.
func find(name string) (path string, err error) {
	script, err := inCheckout(name)
	if err != nil {
		return "", err
	}
	said, err := exec.Command(script, "--find").Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return "", errors.New(strings.TrimSpace(string(failed.Stderr)))
	}
	return strings.TrimSpace(string(said)), err
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
