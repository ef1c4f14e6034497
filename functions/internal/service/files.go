package service

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"ixpqos/internal/access"
	"ixpqos/internal/inventory"
	"ixpqos/internal/program"
)

// pollFiles is how often configuration files are looked at for changes.
const pollFiles = 2 * time.Second

// The names that `make` gives the files that it packs beside a bootstrap.
const (
	packedInventory    = "inventory.yaml"
	packedFirstVersion = "probes.json"
	packedKeys         = "keys.yaml"
)

// packed is where the files of a Lambda function lie: beside its bootstrap. They
// change by a deployment only.
func (c Common) packed() Common {
	folder := os.Getenv("LAMBDA_TASK_ROOT")
	c.Inventory, c.Keys, c.SharedKeyFile = filepath.Join(folder, packedInventory), filepath.Join(folder, packedKeys), ""
	c.TLSCert, c.TLSKey = "", "" // the gateway's
	if first := filepath.Join(folder, packedFirstVersion); !exists(c.Inventory) && exists(first) {
		c.Inventory = first
	}
	if !exists(c.Keys) {
		c.Keys = ""
	}
	return c
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// files is what the service goes by. What is not there is nil.
type files struct {
	inventory *inventory.Watched[*inventory.Inventory]
	keys      *inventory.Watched[[]inventory.Key]
	shared    *inventory.Watched[[sha256.Size]byte]
	// sharedHash is what was given instead of a file of the shared key.
	sharedHash *[sha256.Size]byte
	tls        *certificate
}

func (c Common) open() (f files, err error) {
	if f.inventory, err = inventory.Open(c.Inventory); err != nil {
		return files{}, err
	}
	if c.Keys != "" {
		if f.keys, err = inventory.OpenKeys(c.Keys); err != nil {
			return files{}, err
		}
	}
	if c.SharedKeyFile != "" {
		if f.shared, err = inventory.OpenSharedKey(c.SharedKeyFile); err != nil {
			return files{}, err
		}
	}
	if strings.HasPrefix(c.SharedKeySHA256, inventory.KeyPrefix) {
		return files{}, program.Usage(errors.New("--shared-key-sha256 is a key itself; it must be the SHA-256 of the key: printf %s KEY | sha256sum"))
	}
	if c.SharedKeySHA256 != "" {
		hash, err := hex.DecodeString(c.SharedKeySHA256)
		if err != nil || len(hash) != sha256.Size || f.shared != nil {
			return files{}, program.Usage(errors.New("--shared-key-sha256 is not the SHA-256 of a key in 64 hexadecimal digits, or stands beside --shared-key-file"))
		}
		f.sharedHash = (*[sha256.Size]byte)(hash)
	}
	if c.TLSCert != "" {
		if f.tls, err = openCertificate(c.TLSCert, c.TLSKey); err != nil {
			return files{}, err
		}
	}
	return f, nil
}

// sharedKey gives the SHA-256 of the first version's shared key; nil where
// there is none.
func (f files) sharedKey() func() [sha256.Size]byte {
	switch {
	case f.shared != nil:
		return f.shared.Current
	case f.sharedHash != nil:
		return func() [sha256.Size]byte { return *f.sharedHash }
	}
	return nil
}

// watch takes up changed files until the context ends.
func (f files) watch(ctx context.Context, hups hups, metrics *access.Metrics, log *slog.Logger) {
	var all sync.WaitGroup
	all.Go(func() { watch(ctx, f.inventory, "inventory", hups[0], metrics, log) })
	if f.keys != nil {
		all.Go(func() { watch(ctx, f.keys, "keys", hups[1], metrics, log) })
	}
	if f.shared != nil {
		all.Go(func() { watch(ctx, f.shared, "shared key", hups[2], metrics, log) })
	}
	if f.tls != nil {
		all.Go(func() { f.tls.watch(ctx, pollFiles, hups[3], metrics, log) })
	}
	all.Wait()
}

// problems are what is wrong with the files as they are now.
func (f files) problems() (problems []error) {
	all := []error{f.inventory.Problem()}
	if f.keys != nil {
		all = append(all, f.keys.Problem())
	}
	if f.shared != nil {
		all = append(all, f.shared.Problem())
	}
	if f.tls != nil {
		all = append(all, f.tls.lastProblem())
	}
	for _, err := range all {
		if err != nil {
			problems = append(problems, err)
		}
	}
	return problems
}

// hups are a channel of SIGHUP for every file.
type hups [4]chan os.Signal

// listenForHUP is called first of all: a reload that comes early waits until the
// files are watched, and does not end the process.
func listenForHUP() (h hups, stop func()) {
	for i := range h {
		h[i] = make(chan os.Signal, 1)
		signal.Notify(h[i], syscall.SIGHUP)
	}
	return h, func() {
		for _, hup := range h {
			signal.Stop(hup)
		}
	}
}

func watch[T any](ctx context.Context, file *inventory.Watched[T], what string, hup <-chan os.Signal, metrics *access.Metrics, log *slog.Logger) {
	metrics.FileValid(what, true) // the service does not start without
	file.Watch(ctx, pollFiles, hup, func(changed bool, err error) {
		metrics.FileValid(what, err == nil)
		switch {
		case err != nil:
			log.Error("a file is not valid; what it said before stays in use", "file", what, "error", err)
		case changed:
			log.Info("a changed file was taken up", "file", what)
		default:
			log.Info("the file says what is in use", "file", what)
		}
	})
}
