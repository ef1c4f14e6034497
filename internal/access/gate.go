// Package access is what both APIs share: who may do what, and what a refusal
// looks like. It knows keys, roles, limits, RFC 9457 errors and the service
// endpoints; it knows no result.
//
// What it promises: keys are compared by their SHA-256 in constant time and are
// never logged; a request without an accepted key learns nothing but that; and
// every error of the API, those of the router included, says what is wrong and
// what to do, in a problem document, or as the first version did under its paths.
package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"ixpqos/internal/inventory"
)

// HeaderKey is the header that carries a key.
const HeaderKey = "X-API-Key"

// Gate knows all keys. Inventory and Keys are asked anew at every request, so
// that a reload takes effect at once.
type Gate struct {
	Inventory func() *inventory.Inventory
	// Keys are those of the file of their own; nil where there is none.
	Keys func() []inventory.Key
	// SharedKey is the SHA-256 of the first version's shared key; nil where there
	// is none.
	SharedKey func() [sha256.Size]byte
	// PublicRead opens the viewer-facing endpoints of version 2 to everybody.
	PublicRead bool
}

// Errors of the gate.
var (
	ErrNoKey    = errors.New("this needs a key: send it in the header " + HeaderKey + " (in a browser: as the password)")
	ErrWrongKey = errors.New("the key is not accepted")
	// ErrViewersKey: the key is accepted, but for something else.
	ErrViewersKey = errors.New("it may read, and this needs a probe's; make one by: ixpqos-server key new NAME, and write its sha256 into the inventory")
)

// Probe is the name of the probe whose key was presented.
func (g Gate) Probe(presented string) (name string, err error) {
	if name, err = g.find(presented, inventory.RoleProbe); err == nil {
		return name, nil
	}
	if viewer, other := g.Viewer(presented); other == nil {
		err = fmt.Errorf("this key is viewer %q's: %w", viewer, ErrViewersKey)
	}
	return name, err
}

// Viewer is the name of the viewer whose key was presented.
func (g Gate) Viewer(presented string) (name string, err error) {
	return g.find(presented, inventory.RoleViewer)
}

func (g Gate) find(presented, role string) (name string, err error) {
	if presented == "" {
		return "", ErrNoKey
	}
	hash := sha256.Sum256([]byte(presented))
	err = ErrWrongKey
	for _, key := range g.keys() {
		// No early exit: how long this takes tells nothing about which key it was.
		if subtle.ConstantTimeCompare(hash[:], key.Hash[:]) == 1 && key.Role == role {
			name, err = key.Name, nil
		}
	}
	return name, err
}

func (g Gate) keys() []inventory.Key {
	keys := g.Inventory().Keys()
	if g.Keys != nil {
		keys = slices.Concat(keys, g.Keys())
	}
	return keys
}

// CanRead tells whether the request may read: with a viewer's key in the
// header, or, for a browser, as the password of Basic authentication.
func (g Gate) CanRead(r *http.Request) error {
	if g.PublicRead {
		return nil
	}
	presented := r.Header.Get(HeaderKey)
	if presented == "" {
		_, presented, _ = r.BasicAuth()
	}
	_, err := g.Viewer(presented)
	return err
}

// NewKey makes a key of 256 random bits, and the hash that a configuration file
// keeps of it: the SHA-256 of the key's text, so that `printf %s KEY |
// sha256sum` gives it too.
func NewKey() (key string, hash [sha256.Size]byte) {
	var secret [32]byte
	rand.Read(secret[:]) // never fails: it ends the program if the system has no randomness
	key = hex.EncodeToString(secret[:])
	return key, sha256.Sum256([]byte(key))
}
