package deliver

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

const maxKey = 512

// ReadKey reads the probe's key from a file, one line of printable ASCII. No
// error ever repeats what is in the file.
func ReadKey(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("key file: %w", err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, 8*maxKey))
	if err != nil {
		return "", fmt.Errorf("key file: %w", err)
	}
	key := strings.TrimSpace(string(content))
	if err := checkKey(key); err != nil {
		return "", fmt.Errorf("key file %s: %w: write the probe's key into it, and nothing else", path, err)
	}
	return key, nil
}

// checkKey refuses what no key can be. Bytes outside of ASCII are refused too:
// they come from editors (a byte order mark), and no header carries them reliably.
func checkKey(key string) error {
	switch {
	case key == "":
		return errors.New("it is empty")
	case len(key) > maxKey:
		return fmt.Errorf("it has more than %d bytes", maxKey)
	case strings.ContainsAny(key, "\r\n"):
		return errors.New("it has more than one line")
	case strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' }):
		return errors.New("it has a byte that is not printable ASCII")
	}
	return nil
}
