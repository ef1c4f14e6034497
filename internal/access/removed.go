package access

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"

	"ixpqos/internal/inventory"
)

// ErrRemoved: the key was a probe's that is not in the inventory any more. Probes
// know it by these words, and end their tests.
var ErrRemoved = errors.New("is not in the inventory")

// maxRemembered bounds the keys of probes that are remembered.
const maxRemembered = 10_000

// removed remembers the keys of the inventories that were in use since the process
// started: a probe whose entry was deleted, and its key with it, must learn that,
// and not that its key is wrong.
type removed struct {
	mu     sync.Mutex
	newest *inventory.Inventory
	probes map[[sha256.Size]byte]string
}

// why tells why a key that is none is not accepted: ErrRemoved where it was one of
// such a probe.
func (r *removed) why(inv *inventory.Inventory, presented string) error {
	r.mu.Lock()
	name, was := r.probes[sha256.Sum256([]byte(presented))]
	r.mu.Unlock()
	if _, still := inv.Probe(name); !was || still { // else its key was replaced
		return ErrWrongKey
	}
	return fmt.Errorf("probe %q %w", name, ErrRemoved)
}

func (r *removed) learn(inv *inventory.Inventory) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if inv == r.newest {
		return
	}
	r.newest = inv
	if len(r.probes) > maxRemembered {
		r.probes = nil
	}
	if r.probes == nil {
		r.probes = map[[sha256.Size]byte]string{}
	}
	for _, key := range inv.Keys() {
		if key.Role == inventory.RoleProbe {
			r.probes[key.Hash] = key.Name
		}
	}
}
