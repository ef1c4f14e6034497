package deliver

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"ixpqos/internal/wire"
)

const (
	magic = "ixpqos-spool"
	// schema is the version of a spool file. A release that changes what is
	// behind the header raises it, and goes on reading the one before.
	schema = 1
	// maxFile bounds what is read into memory. The largest honest batch, of 100
	// probes and 186 flows a pair, has about 1.1 MB.
	maxFile = 32 << 20

	tempSuffix = ".tmp"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func header(body []byte) []byte {
	return fmt.Appendf(nil, "%s %d %08x %d\n", magic, schema, crc32.Checksum(body, castagnoli), len(body))
}

// seal makes the content of a spool file.
func seal(body []byte) []byte { return append(header(body), body...) }

// unseal gives the body of a spool file, or tells why it is not to be trusted.
func unseal(content []byte) ([]byte, error) {
	if len(content) == 0 {
		return nil, errors.New("it is empty")
	}
	line, body, found := bytes.Cut(content, []byte("\n"))
	fields := bytes.Fields(line)
	if !found || len(fields) != 4 || string(fields[0]) != magic {
		return nil, fmt.Errorf("it does not begin with a line of %s", magic)
	}
	version, err := strconv.Atoi(string(fields[1]))
	switch {
	case err == nil && version > schema:
		return nil, fmt.Errorf("a newer version wrote it (spool schema %d, known here is %d): move it back after an upgrade", version, schema)
	case string(fields[3]) != strconv.Itoa(len(body)):
		return nil, fmt.Errorf("it has %d bytes behind its first line, which says %.20q", len(body), fields[3])
	case !bytes.Equal(content[:len(line)+1], header(body)):
		return nil, errors.New("its checksum does not match")
	}
	return body, nil
}

// readBatch is unseal for a file that must hold a batch.
func readBatch(content []byte) ([]byte, error) {
	body, err := unseal(content)
	if err != nil {
		return nil, err
	}
	// Results that the server would reject do not spoil a file: it names them one by one.
	if _, err := wire.DecodeBatch(body, math.MaxInt); err != nil {
		return nil, err
	}
	return body, nil
}

// badFile marks what is wrong with a file's content: that never passes.
type badFile struct{ error }

func (b badFile) Unwrap() error { return b.error }

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(content) > maxFile {
		err = badFile{fmt.Errorf("it has more than %d bytes", maxFile)}
	}
	return content, err
}

// WriteDurably writes a file of the folder anew: it leaves either the whole of
// it, safe from a loss of power, or none. What was there before is replaced.
func WriteDurably(folder, name string, content []byte) error {
	path := filepath.Join(folder, name)
	temp := path + tempSuffix
	if err := writeSynced(temp, content); err != nil {
		os.Remove(temp)
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		os.Remove(temp)
		return err
	}
	return syncFolder(folder)
}

func writeSynced(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}

func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	// EINVAL comes from file systems that cannot do it and have no more to give (fsync(2)).
	if err := f.Sync(); !errors.Is(err, unix.EINVAL) {
		return err
	}
	return nil
}
